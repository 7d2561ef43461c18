"""Months of usage events are there before they are needed, and can be taken out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import StringIO
from uuid import UUID

import psycopg
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import ApiKey
from billing import partitions, rollups
from billing.models import DetachedMonth, RollupDue, UsageDay, UsageEvent
from tests.billing.events import settle
from tests.billing.test_rollups import audit

pytestmark = pytest.mark.django_db

MARCH = datetime(2031, 3, 10, 12, tzinfo=UTC)
LATER = datetime(2031, 6, 10, tzinfo=UTC)


def lies_in(request_id: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM billing_usageevent WHERE request_id = %s", [request_id])
        return str(cursor.fetchall()[0][0])


@time_machine.travel(MARCH, tick=False)
def test_this_month_and_those_ahead_are_made_once() -> None:
    months = [date(2031, month, 1) for month in (3, 4, 5, 6)]
    assert partitions.make_ahead() == months
    assert partitions.make_ahead() == []


@time_machine.travel(datetime(2031, 11, 30, 23, 59, tzinfo=UTC), tick=False)
def test_months_ahead_pass_the_end_of_the_year() -> None:
    assert partitions.make_ahead(2) == [date(2031, 11, 1), date(2031, 12, 1), date(2032, 1, 1)]


@time_machine.travel(MARCH, tick=False)
def test_rows_that_landed_in_the_default_partition_come_along(key: ApiKey) -> None:
    stays, moves = settle(key, datetime(2030, 3, 10, tzinfo=UTC)), settle(key, MARCH, charged=5)
    before = UsageEvent.objects.filter(request_id=moves).values().get()
    assert lies_in(moves) == "billing_usageevent_default"
    assert date(2031, 3, 1) in partitions.make_ahead()
    assert lies_in(moves) == "billing_usageevent_203103"
    assert lies_in(stays) == "billing_usageevent_default"
    assert UsageEvent.objects.filter(request_id=moves).values().get() == before


@time_machine.travel(MARCH, tick=False)
def test_rows_are_final_and_found_as_before_after_they_were_moved(key: ApiKey) -> None:
    stays, moves = settle(key, datetime(2030, 3, 10, tzinfo=UTC)), settle(key, MARCH)
    partitions.make_ahead()
    for request_id in (stays, moves):
        with pytest.raises(Exception, match="a usage event is final"), transaction.atomic():
            UsageEvent.objects.filter(request_id=request_id).update(status=201)
    rollups.roll_up()
    assert audit() == []
    assert lies_in(settle(key, datetime(2030, 3, 11, tzinfo=UTC))) == "billing_usageevent_default"


@time_machine.travel(MARCH, tick=False)
def test_a_month_with_too_many_rows_stays_in_the_default_partition(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(partitions, "MOVED_AT_MOST", 1)
    moves = [settle(key, MARCH) for _ in range(2)]
    assert date(2031, 3, 1) not in partitions.make_ahead()
    assert lies_in(moves[0]) == "billing_usageevent_default"
    assert "2031-03 stays in the default partition" in caplog.text


@contextmanager
def _somebody_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A long query of another connection."""
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "50ms")
    given = connection.get_connection_params()
    parameters = {name: given[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**parameters) as reader:
        reader.execute("LOCK TABLE billing_usageevent IN ACCESS SHARE MODE")
        yield


@time_machine.travel(MARCH, tick=False)
def test_a_table_that_is_busy_is_left_for_another_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with _somebody_reads(monkeypatch):
        assert partitions.make_ahead() == []
    assert "is made another time" in caplog.text
    assert len(partitions.make_ahead()) == 4


def _detachable(key: ApiKey) -> None:
    with time_machine.travel(MARCH, tick=False):
        partitions.make_ahead()
    settle(key, MARCH)
    rollups.roll_up()


def test_a_detached_month_is_a_table_of_its_own_and_stays_rolled_up(key: ApiKey) -> None:
    _detachable(key)
    said = StringIO()
    with time_machine.travel(LATER, tick=False):
        call_command("detach_usage", "2031-03", stdout=said)
    assert "billing_usageevent_203103" in said.getvalue()
    assert not UsageEvent.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_usageevent_203103")
        assert cursor.fetchall() == [(1,)]
    assert UsageDay.objects.get().requests == 1
    assert DetachedMonth.objects.get().month == date(2031, 3, 1)
    assert audit() == []
    with time_machine.travel(MARCH, tick=False):
        assert partitions.make_ahead() == []  # the name is taken, so nothing comes in its place


@time_machine.travel(datetime(2031, 5, 1, tzinfo=UTC), tick=False)
def test_a_month_that_is_hardly_over_is_not_detached() -> None:
    with pytest.raises(CommandError, match="over for 31 days"):
        call_command("detach_usage", "2031-04")


@time_machine.travel(LATER, tick=False)
def test_a_month_is_not_detached_before_it_is_rolled_up(key: ApiKey) -> None:
    _detachable(key)
    RollupDue.objects.create(organization_id=key.organization_id, hour=datetime(2031, 4, 1, 1, tzinfo=UTC))
    with pytest.raises(CommandError, match="not rolled up yet"):
        call_command("detach_usage", "2031-03")


@time_machine.travel(LATER, tick=False)
def test_what_has_no_partition_is_not_detached() -> None:
    with pytest.raises(CommandError, match="nothing to detach"):
        call_command("detach_usage", "2029-03")


def test_a_month_is_written_as_year_and_month() -> None:
    with pytest.raises(CommandError, match="not a month"):
        call_command("detach_usage", "March")


@time_machine.travel(LATER, tick=False)
def test_a_busy_table_is_told_to_the_person_who_detaches(monkeypatch: pytest.MonkeyPatch) -> None:
    with _somebody_reads(monkeypatch), pytest.raises(CommandError, match="nothing was changed"):
        call_command("detach_usage", "2031-03")
