"""Roll-ups say what the events say: however often, however late, and however many build them at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.db.models import Sum

from accounts.models import ApiKey, Organization
from billing import rollups
from billing.models import DetachedMonth, RollupDue, UsageDay, UsageEvent, UsageHour
from tests.billing.events import send, settle
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def audit() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(rollups.ROLLUP_AUDIT)
        assert [column.name for column in cursor.description] == ["organization_id", "detail"]
        return list(cursor.fetchall())


def test_an_hour_and_its_day_hold_what_their_events_sum_up_to(key: ApiKey) -> None:
    settle(key, NOON, charged=700, cost_nano=600, input_tokens=5, cache_read_tokens=2, output_tokens=3, stream=True)
    settle(key, NOON, charged=40, status=499, first_token_ms=30, reasoning_tokens=9)
    settle(key, NOON, status=503, first_token_ms=50)
    settle(key, NOON + HOUR, charged=2, input_tokens=1)
    assert rollups.roll_up() == 1
    hour = UsageHour.objects.of(key.organization).get(hour=NOON.replace(minute=0))
    assert (hour.requests, hour.errors, hour.hung_up, hour.streams) == (3, 1, 1, 1)
    assert (hour.input_tokens, hour.cache_read_tokens, hour.output_tokens, hour.reasoning_tokens) == (5, 2, 3, 9)
    assert (hour.cost_nano, hour.charged_nano, hour.absorbed_nano) == (600, 740, 0)
    assert (hour.duration_ms_sum, hour.first_token_ms_sum, hour.first_token_count) == (300, 80, 2)
    day = UsageDay.objects.of(key.organization).get()
    assert (day.day, day.requests, day.charged_nano, day.input_tokens) == (NOON.date(), 4, 742, 6)
    assert (day.project_id, day.api_key_id, day.member_id) == (key.project_id, key.pk, key.owner_id)
    assert audit() == []
    assert not RollupDue.objects.exists()


def test_what_is_absent_is_zero_or_empty(organization: Organization) -> None:
    key, _ = make_key(organization)
    settle(key, NOON, model="", provider="")
    rollups.roll_up()
    assert UsageDay.objects.values_list("member_id", "model", "provider").get() == (0, "", "")


def test_rows_of_different_keys_models_and_organisations_stay_apart(key: ApiKey) -> None:
    other, stranger = make_key(key.organization)[0], make_key(make_organization())[0]
    for one in (key, other, stranger):
        settle(one, NOON)
    settle(key, NOON, model="claude-6")
    rollups.roll_up()
    assert UsageHour.objects.of(key.organization).count() == 3
    assert UsageDay.objects.of(stranger.organization).get().requests == 1


def test_a_day_ends_at_midnight_utc(key: ApiKey) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    settle(key, midnight - timedelta(milliseconds=1))
    settle(key, midnight)
    rollups.roll_up()
    assert list(UsageDay.objects.order_by("day").values_list("day", flat=True)) == [
        date(2026, 11, 20),
        date(2026, 11, 21),
    ]


def test_rolling_up_again_changes_nothing(key: ApiKey) -> None:
    settle(key, NOON, charged=5)
    rollups.roll_up()
    assert rollups.roll_up() == 0
    assert UsageDay.objects.get().charged_nano == 5


def test_a_row_that_comes_late_is_in_the_roll_up_afterwards(key: ApiKey) -> None:
    settle(key, NOON, charged=5)
    rollups.roll_up()
    settle(key, NOON, charged=6)
    assert audit() == []  # the day is due, which is no defect
    rollups.roll_up()
    assert (UsageDay.objects.get().requests, UsageDay.objects.get().charged_nano) == (2, 11)
    assert audit() == []


def test_a_row_that_is_told_late_replaces_what_was_counted_for_it(key: ApiKey) -> None:
    request_id = settle(key, NOON, usage_source="swept", status=500, input_tokens=1)
    rollups.roll_up()
    UsageEvent.objects.get(request_id=request_id)
    item = {
        "organization_id": key.organization_id, "request_id": str(request_id), "api_key_id": key.pk,
        "model": "gpt-6-luna", "provider": "openai", "upstream_model": "", "stream": False, "status": 200,
        "usage_source": "provider", "charged_nano": 0, "cost_nano": 0, "started_at": NOON.isoformat(),
        "duration_ms": 1, "cache_read_tokens": 0, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0,
        "audio_input_tokens": 0, "image_input_tokens": 0, "input_tokens": 7, "output_tokens": 8,
        "reasoning_tokens": 0, "audio_output_tokens": 0, "image_output_tokens": 0,
    }  # fmt: skip
    send([item])
    rollups.roll_up()
    day = UsageDay.objects.get()
    assert (day.requests, day.errors, day.input_tokens, day.output_tokens) == (1, 0, 7, 8)


def test_a_mark_that_grew_meanwhile_stays(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(key, NOON)
    build = rollups._build

    def overtaken(*arguments: Any) -> None:
        build(*arguments)
        settle(key, NOON)

    monkeypatch.setattr(rollups, "_build", overtaken)
    rollups.roll_up()
    assert RollupDue.objects.get().marks == 2
    monkeypatch.setattr(rollups, "_build", build)
    rollups.roll_up()
    assert UsageDay.objects.get().requests == 2
    assert not RollupDue.objects.exists()


def test_a_day_that_postgres_gives_up_on_stays_due_and_stops_no_other(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(key, NOON)
    settle(key, NOON + timedelta(days=1))
    build = rollups._build

    def slow(span: rollups.Span, hours: list[datetime]) -> None:
        if span.day == NOON.date():
            raise OperationalError("canceling statement due to statement timeout")
        build(span, hours)

    monkeypatch.setattr(rollups, "_build", slow)
    assert rollups.roll_up() == 1
    assert RollupDue.objects.get().hour.date() == NOON.date()


def test_the_audit_names_a_day_that_was_rolled_up_wrongly(key: ApiKey) -> None:
    settle(key, NOON)
    rollups.roll_up()
    UsageDay.objects.update(charged_nano=1)
    ((organization_id, detail),) = audit()
    assert organization_id == key.organization_id
    assert detail.startswith("2026-11-20: events have 1 requests, 0 charged")


def test_a_mark_of_one_organisation_excuses_no_other(key: ApiKey) -> None:
    settle(key, NOON)
    rollups.roll_up()
    UsageHour.objects.update(requests=2)
    settle(make_key(make_organization())[0], NOON)
    assert len(audit()) == 1


def test_rebuilding_mends_what_is_wrong_in_the_days_that_are_named(key: ApiKey) -> None:
    for days in range(3):
        settle(key, NOON + timedelta(days=days), charged=3)
    rollups.roll_up()
    UsageHour.objects.update(charged_nano=1)
    UsageDay.objects.update(charged_nano=1)
    assert rollups.rebuild(key.organization, NOON.date(), NOON.date() + timedelta(days=1)) == 2
    assert [day.charged_nano for day in UsageDay.objects.order_by("day")] == [3, 3, 1]


def test_rebuilding_takes_away_what_no_event_stands_behind(key: ApiKey) -> None:
    dimensions = {"organization": key.organization, "project_id": 1, "api_key_id": 1, "member_id": 1}
    UsageHour.objects.create(hour=NOON.replace(minute=0), model="", provider="", requests=1, **dimensions)
    UsageDay.objects.create(day=NOON.date(), model="", provider="", requests=1, **dimensions)
    rollups.rebuild(key.organization, NOON.date(), NOON.date())
    assert not UsageHour.objects.exists()
    assert not UsageDay.objects.exists()


def test_a_month_whose_events_were_taken_out_keeps_its_roll_ups(key: ApiKey) -> None:
    settle(key, NOON)
    rollups.roll_up()
    UsageDay.objects.update(requests=9)  # as if the other eight were gone
    DetachedMonth.objects.create(month=date(2026, 11, 1))
    settle(key, NOON)
    assert rollups.roll_up() == 0
    assert rollups.rebuild(key.organization, date.min, date.max) == 0
    assert UsageDay.objects.get().requests == 9
    RollupDue.objects.all().delete()
    assert audit() == []


def test_the_command_rebuilds_one_organisation_or_all(key: ApiKey) -> None:
    settle(key, NOON)
    settle(make_key(make_organization("other"))[0], NOON)
    said = StringIO()
    call_command("rebuild_rollups", "--org", "acme", "--from", "2026-11-20", "--to", "2026-11-20", stdout=said)
    assert said.getvalue() == "acme: 1 day\n"
    assert UsageDay.objects.count() == 1
    call_command("rebuild_rollups", stdout=said)
    assert UsageDay.objects.count() == 2


@pytest.mark.parametrize("arguments", [["--org", "nobody"], ["--from", "2026-11-02", "--to", "2026-11-01"]])
def test_the_command_says_what_it_cannot_do(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("rebuild_rollups", *arguments)


def _deliver(begin: Barrier) -> None:
    try:
        connection.ensure_connection()
        begin.wait(30)
        rollups.roll_up()
    finally:
        connections.close_all()


def _write(key: ApiKey, hour: int) -> None:
    try:
        settle(key, NOON + hour % 4 * HOUR, charged=10)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_fifty_deliveries_at_once_have_one_effect(key: ApiKey) -> None:
    for n in range(40):
        settle(key, NOON + n % 4 * HOUR, charged=10, input_tokens=1)
    with ThreadPoolExecutor(50) as threads:
        list(threads.map(_deliver, [Barrier(50)] * 50))
    assert UsageDay.objects.aggregate(n=Sum("requests"), c=Sum("charged_nano")) == {"n": 40, "c": 400}
    assert UsageHour.objects.aggregate(n=Sum("requests"))["n"] == 40
    assert audit() == []
    assert not RollupDue.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_between_writers_and_roll_ups_that_race(key: ApiKey) -> None:
    settle(key, NOON)
    with ThreadPoolExecutor(10) as threads:
        work = [threads.submit(_write, key, n) for n in range(40)] + [
            threads.submit(_deliver, Barrier(1)) for _ in range(40)
        ]
        for one in work:
            one.result()
    assert audit() == []
    rollups.roll_up()
    assert UsageDay.objects.aggregate(n=Sum("requests"), c=Sum("charged_nano")) == {"n": 41, "c": 400}
    assert audit() == []
    assert not RollupDue.objects.exists()


def test_reading_an_hours_events_opens_the_partitions_of_its_own_months_only(key: ApiKey) -> None:
    hour = datetime(2027, 1, 15, 12, tzinfo=UTC)
    with connection.cursor() as cursor:
        for month in ("2026-12-01", "2027-01-01", "2027-02-01"):
            cursor.execute("SELECT billing_make_partition(%s::date)", [month])
        asked: dict[str, Any] = {
            "organization": key.organization_id,
            "start": hour,
            "end": hour + HOUR,
            "hours": [hour],
        }
        cursor.execute(f"EXPLAIN {rollups._ROLL_HOURS}", asked)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "billing_usageevent_202701" in plan
    assert "billing_usageevent_202612" not in plan
    assert "billing_usageevent_default" not in plan
