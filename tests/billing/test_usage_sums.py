"""Sums of the roll-ups: the same whether they come from days or from hours, and of one organisation alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiKey, Organization
from billing import rollups, usage_sums
from billing.usage_periods import Unit, chosen
from billing.usage_sums import NOTHING, Sums
from billing.zones import known
from tests.billing.events import settle
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 10, 30, tzinfo=UTC)
NOW = datetime(2026, 12, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def used(key: ApiKey) -> ApiKey:
    """Requests of six days, one every seven hours, each of one more token than the last."""
    for number in range(20):
        model = ("a", "b", "c")[number % 3]
        settle(key, FIRST + number * 7 * HOUR, charged=10**number % 997, input_tokens=number + 1, model=model)
    rollups.roll_up()
    return key


def bounds_of(since: str, until: str, zone: str, unit: Unit) -> tuple[datetime, ...]:
    return chosen(since, until, ZoneInfo(zone)).bounds(unit, NOW)


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Pacific/Kiritimati"])
def test_each_bucket_has_what_was_admitted_in_it(used: ApiKey, zone: str, unit: Unit) -> None:
    bounds = bounds_of("2026-10-28", "2026-11-08", zone, unit)
    found = usage_sums.by_bucket(used.organization, bounds, {})
    for number, (start, end) in enumerate(pairwise(bounds)):
        within = [n + 1 for n in range(20) if start <= FIRST + n * 7 * HOUR < end]
        sums = found.buckets.get(number, NOTHING)
        assert (sums.requests, sums.input) == (len(within), sum(within))
    assert found.total.requests == 20


def test_a_month_of_a_zone_reads_hours_only_where_it_begins_and_ends(used: ApiKey) -> None:
    bounds = bounds_of("2026-09-01", "2026-11-30", "Europe/Berlin", Unit.MONTH)
    with CaptureQueriesContext(connection) as queries:
        total = usage_sums.by_bucket(used.organization, bounds, {}).total
    assert total.requests == 20
    sql = queries[0]["sql"]
    assert "billing_usageday" in sql
    assert "billing_usagehour" in sql
    in_utc = bounds_of("2026-09-01", "2026-11-30", "UTC", Unit.MONTH)
    with CaptureQueriesContext(connection) as queries:
        usage_sums.by_bucket(used.organization, in_utc, {})
    assert "billing_usagehour" not in queries[0]["sql"]


def test_tokens_are_of_three_kinds_that_do_not_overlap(key: ApiKey) -> None:
    settle(key, FIRST, input_tokens=1, cache_read_tokens=2, cache_write_5m_tokens=4, cache_write_1h_tokens=8,
           audio_input_tokens=16, image_input_tokens=32, output_tokens=64, reasoning_tokens=128,
           audio_output_tokens=256, image_output_tokens=512, first_token_ms=40, status=500)  # fmt: skip
    rollups.roll_up()
    total = usage_sums.by_bucket(key.organization, (FIRST, FIRST + HOUR), {}).total
    assert total == Sums(
        requests=1, errors=1, input=61, cached=2, output=960, duration_ms=100, first_token_ms=40, first_tokens=1
    )
    assert total.tokens == 1023


def test_the_first_names_are_told_and_the_rest_together(key: ApiKey) -> None:
    for number in range(5):
        for _ in range(number + 1):
            settle(key, FIRST + number * HOUR, charged=1, model=f"model-{number}")
    rollups.roll_up()
    bounds = tuple(FIRST + n * HOUR for n in range(6))
    found = usage_sums.by_name(key.organization, bounds, "model", {}, rank="charged_nano", most=2)
    assert [(group.name, group.total.requests) for group in found.groups] == [("model-4", 5), ("model-3", 4), (None, 6)]
    assert found.count == 5
    assert {n: sums.requests for n, sums in found.groups[2].buckets.items()} == {0: 1, 1: 2, 2: 3}


def test_filters_leave_out_the_rest(used: ApiKey) -> None:
    other, _ = make_key(used.organization)
    settle(other, FIRST, model="a", provider="groq")
    rollups.roll_up()
    bounds = bounds_of("2026-10-28", "2026-11-08", "Europe/Berlin", Unit.DAY)

    def count(**filters: str | int) -> int:
        return usage_sums.by_bucket(used.organization, bounds, filters).total.requests

    assert count(model="a") == 8
    assert count(key=used.pk) == 20
    assert count(key=used.pk, model="a") == 7
    assert count(provider="groq") == 1
    assert count(member=0) == 1
    assert count(project=used.project_id) == 21
    assert count(model="a' OR 1=1 --%s") == 0


def test_another_organisations_usage_is_never_in_it(used: ApiKey) -> None:
    stranger = make_organization("stranger")
    bounds = bounds_of("2026-10-28", "2026-11-08", "UTC", Unit.DAY)
    assert usage_sums.by_bucket(stranger, bounds, {}).buckets == {}
    assert usage_sums.by_bucket(stranger, bounds, {"key": used.pk}).buckets == {}
    assert usage_sums.by_name(stranger, bounds, "key", {}, rank="requests", most=8).groups == []
    assert usage_sums.names_used(stranger, bounds[0], bounds[-1])["model"] == set()
    assert not usage_sums.ever(stranger)
    assert usage_sums.ever(used.organization)


def test_names_are_those_of_the_time(used: ApiKey) -> None:
    settle(used, FIRST + timedelta(days=30), model="later")
    rollups.roll_up()
    found = usage_sums.names_used(used.organization, FIRST, FIRST + timedelta(days=10))
    assert found == {
        "model": {"a", "b", "c"},
        "provider": {"openai"},
        "key": {used.pk},
        "project": {used.project_id},
        "member": {used.owner_id},
    }


def test_nothing_is_asked_of_an_empty_stretch(organization: Organization) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert usage_sums.by_bucket(organization, (FIRST, FIRST), {}).buckets == {}
    assert len(queries) == 0


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_rows_are_found_by_organisation_and_time_and_no_event_is_read(used: ApiKey, zone: str) -> None:
    bounds = bounds_of("2026-10-01", "2026-11-30", zone, Unit.MONTH)
    with CaptureQueriesContext(connection) as queries:
        usage_sums.by_name(used.organization, bounds, "key", {"model": "a"}, rank="requests", most=8)
        usage_sums.names_used(used.organization, bounds[0], bounds[-1])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a table of twenty rows is read whole otherwise
        for query in queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "billing_usageevent" not in plan
            assert "Seq Scan on billing_usage" not in plan
            assert "(organization_id = " in plan
            assert "Index Cond" in plan


def test_every_zone_that_is_offered_can_be_read(used: ApiKey) -> None:
    for zone in known()[::40]:
        bounds = bounds_of("2026-10-25", "2026-11-10", zone, Unit.DAY)
        assert usage_sums.by_bucket(used.organization, bounds, {}).total.requests == 20
