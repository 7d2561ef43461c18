"""Looking for single requests: in order, by what they were, and never through all there are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import ApiKey, Organization
from billing import requests, rollups
from billing.models import DetachedMonth
from billing.requests import Found, Place, Wanted
from tests.billing.events import settle
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ids(found: Found) -> list[uuid.UUID]:
    return [event.request_id for event in found.rows]


def everything(organization: Organization, wanted: Wanted, **options: Any) -> tuple[list[uuid.UUID], int]:
    """All that is wanted, from page to page as a reader goes on; and how many pages that were."""
    listed: list[uuid.UUID] = []
    before: Place | None = None
    for pages in range(1, 100):
        found = requests.page_of(organization, wanted, before, **options)
        listed += ids(found)
        if found.older is None:
            return listed, pages
        before = Place.read(str(found.older))
    raise AssertionError("it does not end")


def test_the_newest_stand_first(organization: Organization, key: ApiKey) -> None:
    old, new = settle(key, NOON), settle(key, NOON + HOUR)
    assert ids(requests.page_of(organization, Wanted())) == [new, old]


def test_pages_repeat_nothing_and_miss_nothing_while_others_come_in(organization: Organization, key: ApiKey) -> None:
    there = [settle(key, NOON - timedelta(minutes=number)) for number in range(7)]
    first = requests.page_of(organization, Wanted(), size=3)
    settle(key, NOON + HOUR)
    settle(key, NOON - timedelta(minutes=1, seconds=30))  # it ran for long, and ended only now
    second = requests.page_of(organization, Wanted(), first.older, size=3)
    third = requests.page_of(organization, Wanted(), second.older, size=3)
    assert ids(first) + ids(second) + ids(third) == there
    assert third.older is None


def test_requests_of_the_same_instant_are_each_listed_once(organization: Organization, key: ApiKey) -> None:
    made = {settle(key, NOON) for _ in range(5)}
    for wanted in (Wanted(), Wanted(api_key_id=key.pk)):
        listed, _ = everything(organization, wanted, size=2)
        assert (len(listed), set(listed)) == (5, made)


def test_nothing_of_another_organisation_is_listed(organization: Organization, key: ApiKey) -> None:
    theirs, _ = make_key(make_organization("neighbour"))
    settle(theirs, NOON)
    for wanted in (Wanted(), Wanted(api_key_id=theirs.pk), Wanted(finish="stop"), Wanted(model="gpt-6-luna")):
        assert ids(requests.page_of(organization, wanted)) == []


FILTERS: list[tuple[Wanted, dict[str, Any]]] = [
    (Wanted(model="claude"), {"model": "claude"}),
    (Wanted(status="failed"), {"status": 502}),
    (Wanted(status="5xx"), {"status": 502}),
    (Wanted(status="4xx"), {"status": 404}),
    (Wanted(status="hung-up"), {"status": 499}),
    (Wanted(finish="length"), {"finish_reason": "length"}),
    (Wanted(external_id="proxy-7"), {"external_id": "proxy-7"}),
    (Wanted(least_ms=5000), {"duration_ms": 5000}),
    (Wanted(least_ms=40, most_ms=50), {"duration_ms": 45}),
    (Wanted(least_nano=100), {"charged": 100}),
    (Wanted(least_nano=5, most_nano=6), {"charged": 6}),
]


@pytest.mark.parametrize("rolled_up", [False, True])
@pytest.mark.parametrize(("wanted", "fields"), FILTERS, ids=[str(fields) for _, fields in FILTERS])
def test_a_filter_finds_what_it_says_and_nothing_else(
    organization: Organization, key: ApiKey, wanted: Wanted, fields: dict[str, Any], rolled_up: bool
) -> None:
    settle(key, NOON + HOUR, charged=10, finish_reason="stop")
    it = settle(key, NOON, **{"finish_reason": "stop", **fields})
    settle(key, NOON - 3 * DAY, charged=10, finish_reason="stop")
    if rolled_up:
        rollups.roll_up()
    assert everything(organization, wanted)[0] == [it]


def test_what_succeeded_is_all_but_failures_and_hang_ups(organization: Organization, key: ApiKey) -> None:
    it = settle(key, NOON)
    for status in (404, 499, 502):
        settle(key, NOON, status=status)
    rollups.roll_up()
    assert ids(requests.page_of(organization, Wanted(status="succeeded"))) == [it]


@pytest.mark.parametrize("narrow", [False, True])
def test_days_are_kept_to_at_both_ends(organization: Organization, key: ApiKey, narrow: bool) -> None:
    since = NOON.replace(hour=0, minute=0)
    first, last = settle(key, since), settle(key, since + DAY - timedelta(microseconds=1))
    settle(key, since - timedelta(microseconds=1))
    settle(key, since + DAY)
    rollups.roll_up()
    wanted = Wanted(since=since, until=since + DAY, api_key_id=key.pk if narrow else None)
    assert ids(requests.page_of(organization, wanted)) == [last, first]


def test_a_seldom_key_is_found_without_reading_what_others_did(
    organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seldom, _ = make_key(organization)
    it = settle(seldom, NOON - 40 * DAY)
    for number in range(40):
        settle(key, NOON - number * DAY)
    rollups.roll_up()
    monkeypatch.setattr(requests, "SCANNED", 5)
    found = requests.page_of(organization, Wanted(api_key_id=seldom.pk))
    assert (ids(found), found.older) == ([it], None)


def test_no_more_rows_are_looked_at_than_may_be_and_whoever_goes_on_finds_it(
    organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = settle(key, NOON - 2 * DAY, finish_reason="length")
    for number in range(12):
        settle(key, NOON - timedelta(minutes=number), finish_reason="stop")
    rollups.roll_up()
    monkeypatch.setattr(requests, "SCANNED", 5)
    wanted = Wanted(finish="length")
    found = requests.page_of(organization, wanted)
    assert (found.rows, found.looked_back_to) == ([], NOON - timedelta(minutes=4))
    listed, pages = everything(organization, wanted)
    assert listed == [it]
    assert pages == 3


def test_no_more_stretches_of_hours_are_looked_into_than_may_be(
    organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [settle(key, NOON - number * DAY) for number in range(9)]
    rollups.roll_up()
    monkeypatch.setattr(requests, "STRETCHES", 4)
    wanted = Wanted(api_key_id=key.pk)
    assert ids(requests.page_of(organization, wanted)) == made[:4]
    assert everything(organization, wanted) == (made, 3)


def test_years_in_which_nothing_is_like_it_are_passed_over(
    organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "DAYS", 3)
    it = settle(key, NOON - 20 * DAY, duration_ms=9000)
    for number in range(15):
        for _ in range(2):  # together they took as long as one that is wanted: each day may hold it, no hour does
            settle(key, NOON - number * DAY, duration_ms=8000)
            settle(key, NOON - number * DAY + HOUR, duration_ms=500)
    rollups.roll_up()
    assert everything(organization, Wanted(least_ms=9000))[0] == [it]


def test_an_hour_that_is_not_rolled_up_yet_is_looked_into(organization: Organization, key: ApiKey) -> None:
    settle(key, NOON)
    rollups.roll_up()
    late = settle(key, NOON, model="claude")
    assert ids(requests.page_of(organization, Wanted(model="claude"))) == [late]


def test_more_hours_that_are_due_than_are_looked_into_at_once_are_gone_through(
    organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_DUE", 3)
    made = [settle(key, NOON - number * DAY) for number in range(8)]
    assert everything(organization, Wanted(api_key_id=key.pk))[0] == made


def test_a_month_that_was_taken_out_is_not_looked_into(organization: Organization, key: ApiKey) -> None:
    settle(key, NOON)
    rollups.roll_up()
    DetachedMonth.objects.create(month=NOON.date().replace(day=1))
    assert requests.page_of(organization, Wanted(api_key_id=key.pk)) == Found([])


def test_a_filter_reads_by_the_index_alone(organization: Organization, key: ApiKey) -> None:
    """Of any table beside roll-ups: rows of usage are found by organisation and instant, whatever else is asked."""
    settle(key, NOON)
    rollups.roll_up()
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        requests.page_of(organization, Wanted(finish="length", least_ms=1))
    of_rows = [sql for sql in asked if "billing_usageevent" in sql]
    assert of_rows
    assert all("organization_id" in sql and "admitted_at" in sql and "LIMIT" in sql for sql in of_rows)


def test_running_requests_are_told_apart_by_key_and_model(organization: Organization, key: ApiKey) -> None:
    hold(key, "gpt-6-luna")
    assert [one.model for one in requests.running(organization, Wanted())] == ["gpt-6-luna"]
    assert len(requests.running(organization, Wanted(status="running", api_key_id=key.pk))) == 1
    others = (Wanted(model="claude"), Wanted(status="failed"), Wanted(least_ms=1), Wanted(api_key_id=key.pk + 1))
    assert [requests.running(organization, wanted) for wanted in others] == [[]] * 4
    assert requests.running(make_organization("neighbour"), Wanted()) == []


def test_one_request_is_found_while_it_runs_and_afterwards(organization: Organization, key: ApiKey) -> None:
    ended, under_way = settle(key, NOON), hold(key, "m")
    for one in (ended, under_way):
        found = requests.find(organization, one)
        assert found is not None
        assert found.request_id == one
        assert requests.find(make_organization(), one) is None
    assert requests.find(organization, uuid.uuid4()) is None


@pytest.mark.parametrize("junk", ["", "1", "x.y", "-1.00", "1.zz", "9" * 30 + ".0"])
def test_a_place_that_is_none_is_no_place(junk: str) -> None:
    assert Place.read(junk) is None


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(NOON + timedelta(microseconds=123457), uuid.uuid4())
    assert Place.read(str(place)) == place


def hold(key: ApiKey, model: str) -> uuid.UUID:
    """A request of `key` that is under way."""
    from gateway import request_ids

    request_id = request_ids.new()
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_lock(ARRAY[%s::bigint])", [key.organization_id])
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, amount_nano, model_requested, model,"
            " stream) VALUES (%s, %s, %s, 0, %s, %s, true)",
            [key.organization_id, request_id, key.pk, model, model],
        )
    return request_id
