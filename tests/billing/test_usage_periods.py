"""Stretches of time in a zone: every hour counts once, days are the zone's own, and the time before is as long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from billing import usage_periods, zones
from billing.usage_labels import labels
from billing.usage_periods import PRESETS, NoPeriodError, Unit, chosen, preset

HOUR = timedelta(hours=1)
BERLIN, KOLKATA, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")
NOON = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Pacific/Kiritimati", "America/Havana", "America/St_Johns"]  # fmt: skip
# Around changes of the clocks of most of these, on both halves of the earth, and on days that some months lack.
INSTANTS = [NOON, datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, 59, tzinfo=UTC),
            datetime(2026, 3, 31, 23, 59, tzinfo=UTC), datetime(2026, 4, 5, 15, tzinfo=UTC),
            datetime(2028, 2, 29, 5, tzinfo=UTC), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]  # fmt: skip


def text(instants: tuple[datetime, ...]) -> list[str]:
    return [f"{one:%m-%d %H:%M}" for one in instants]


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("key", list(PRESETS))
@pytest.mark.parametrize("zone", ZONES)
def test_bounds_are_whole_hours_in_order_and_so_are_those_of_the_time_before(zone: str, key: str, unit: Unit) -> None:
    for now in INSTANTS:
        period = preset(key, now, ZoneInfo(zone))
        bounds = period.bounds(unit, now)
        before = period.previous(bounds, now)
        assert all(zones.this_hour(one) == one for one in (*bounds, *before))
        assert all(one < other for one, other in pairwise(bounds))
        assert all(one <= other for one, other in pairwise(before))
        assert len(before) == len(bounds)
        assert before[-1] <= period.start
        assert bounds[-2] <= now
        assert period.key == "last-month" or bounds[-1] > now


def test_a_day_of_the_clocks_change_has_23_or_25_hours() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-25", 24)):
        period = chosen(day, day, BERLIN)
        assert period.end - period.start == hours * HOUR
        assert len(period.bounds(Unit.HOUR, NOON + timedelta(days=999))) == hours + 1


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    period = chosen("2026-10-25", "2026-10-25", BERLIN)
    names = [label.name for label in labels(period.bounds(Unit.HOUR, NOON), Unit.HOUR, BERLIN)]
    assert names[2:4] == ["Sun 25 October 2026, 02:00 to 02:00 CEST", "Sun 25 October 2026, 02:00 to 03:00 CET"]
    ordinary = chosen("2026-11-01", "2026-11-01", BERLIN)
    assert labels(ordinary.bounds(Unit.HOUR, NOON), Unit.HOUR, BERLIN)[2].name == "Sun 1 November 2026, 02:00 to 03:00"


def test_both_of_the_hours_that_come_twice_are_within_what_was_chosen_by_the_clock() -> None:
    period = chosen("2026-10-25T02:00", "2026-10-25T03:00", BERLIN)
    assert text((period.start, period.end)) == ["10-25 00:00", "10-25 02:00"]


def test_where_clocks_are_half_an_hour_off_a_day_begins_with_the_next_hour_of_utc() -> None:
    period = chosen("2026-11-25", "2026-11-25", KOLKATA)
    assert text((period.start, period.end)) == ["11-24 19:00", "11-25 19:00"]
    assert labels(period.bounds(Unit.HOUR, NOON), Unit.HOUR, KOLKATA)[0].name == "Wed 25 November 2026, 00:30 to 01:30"
    next_day = chosen("2026-11-26", "2026-11-26", KOLKATA)
    assert next_day.start == period.end


def test_a_day_that_a_zone_left_out_has_no_bucket() -> None:
    samoa = ZoneInfo("Pacific/Apia")
    period = chosen("2018-01-01", "2018-01-03", samoa)
    assert len(period.bounds(Unit.DAY, NOON)) == 4
    gone = usage_periods.day_start(datetime(2011, 12, 30, tzinfo=UTC).date(), samoa)
    assert gone == usage_periods.day_start(datetime(2011, 12, 31, tzinfo=UTC).date(), samoa)


@pytest.mark.parametrize(
    ("key", "start", "end", "before"),
    [
        ("24h", "11-24 13:00", "11-25 13:00", ["11-23 13:00", "11-24 12:00"]),
        ("7d", "11-19 00:00", "11-26 00:00", ["11-12 00:00", "11-18 12:00"]),
        ("30d", "10-27 00:00", "11-26 00:00", ["09-27 00:00", "10-26 12:00"]),
        ("month", "11-01 00:00", "11-26 00:00", ["10-01 00:00", "10-25 12:00"]),
        ("last-month", "10-01 00:00", "11-01 00:00", ["09-01 00:00", "10-01 00:00"]),
        ("12m", "12-01 00:00", "11-26 00:00", ["12-01 00:00", "11-25 12:00"]),
    ],
)
def test_the_time_before_is_read_as_far_as_this_one_has_come(key: str, start: str, end: str, before: list[str]) -> None:
    period = preset(key, NOON, UTC_ZONE)
    assert text((period.start, period.end)) == [start, end]
    previous = period.previous(period.bounds(period.best_unit, NOON), NOON)
    assert text((previous[0], previous[-1])) == before


def test_the_end_of_march_is_compared_with_all_of_february() -> None:
    now = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
    period = preset("month", now, UTC_ZONE)
    previous = period.previous(period.bounds(Unit.DAY, now), now)
    assert text((previous[0], previous[-1])) == ["02-01 00:00", "03-01 00:00"]
    assert previous[-3:] == (previous[-1],) * 3


def test_a_month_that_begins_with_this_hour_has_nothing_to_be_compared_with() -> None:
    now = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    period = preset("month", now, UTC_ZONE)
    assert text(period.previous(period.bounds(Unit.DAY, now), now)) == ["10-01 00:00", "10-01 00:00"]


def test_days_of_berlin_are_shifted_by_the_clock() -> None:
    now = datetime(2026, 10, 28, 12, 30, tzinfo=UTC)  # 13:30 there, after the change on the 25th
    period = preset("7d", now, BERLIN)
    previous = period.previous(period.bounds(Unit.DAY, now), now)
    assert text((previous[0], previous[-1])) == ["10-14 22:00", "10-21 11:00"]  # 13:00 there, before the change


def test_no_bucket_is_shown_that_is_still_to_begin() -> None:
    period = chosen("2026-11-24", "2026-12-31", UTC_ZONE)
    assert text(period.bounds(Unit.DAY, NOON)) == ["11-24 00:00", "11-25 00:00", "11-26 00:00"]
    ahead = chosen("2026-12-01", "2026-12-02", UTC_ZONE)
    assert len(ahead.bounds(Unit.DAY, NOON)) == 3


def test_months_are_named_for_what_is_shown_of_them() -> None:
    period = chosen("2025-12-10", "2026-02-03", BERLIN)
    made = labels(period.bounds(Unit.MONTH, NOON), Unit.MONTH, BERLIN)
    assert [one.name for one in made] == ["10 to 31 December 2025", "January 2026", "1 to 3 February 2026"]
    assert [one.tick for one in made] == ["Dec", "Jan 2026", "Feb"]
    assert (made[0].since, made[0].until) == ("2025-12-10", "2025-12-31")


@pytest.mark.parametrize(
    ("since", "until", "words", "before"),
    [
        ("2026-11-25", "2026-11-25", "25 November 2026", "the day before"),
        ("2026-11-20", "2026-11-25", "20 to 25 November 2026", "the 6 days before"),
        ("2026-10-30", "2026-11-02", "30 October to 2 November 2026", "the 4 days before"),
        ("2025-12-31", "2026-01-01", "31 December 2025 to 1 January 2026", "the 2 days before"),
        ("2026-11-25T09:00", "2026-11-25T12:00", "25 November 2026 09:00 to 12:00", "the 3 hours before"),
        ("2026-11-25T23:00", "2026-11-26T00:00", "25 November 2026 23:00 to 26 November 2026 00:00", "the hour before"),
    ],
)
def test_chosen_times_are_told_in_words(since: str, until: str, words: str, before: str) -> None:
    period = chosen(since, until, UTC_ZONE)
    assert (period.words, period.before) == (words, before)


@pytest.mark.parametrize(
    ("since", "until", "field", "told"),
    [
        ("", "2026-11-25", "from", "Choose a day"),
        ("2026-11-25", "", "to", "Choose a day"),
        ("yesterday", "2026-11-25", "from", "2026-11-25T14:00"),
        ("2026-11-25", "2026-02-30", "to", "Write a day as"),
        ("2026-11-25", "2026-11-24", "to", "before the beginning"),
        ("2026-11-25T09:00", "2026-11-25T09:00", "to", "before the beginning"),
        ("1999-01-01", "2026-11-25", "from", "between 2015 and 2100"),
        ("2026-11-25", "9999-12-31", "to", "between 2015 and 2100"),
        ("2016-01-01", "2046-01-01", "from", "At most 10 years"),
        ("2026-11-25T09:00+01:00", "2026-11-26", "from", "Leave out the offset"),
    ],
)
def test_a_time_that_is_none_is_told_with_what_would_be_right(since: str, until: str, field: str, told: str) -> None:
    with pytest.raises(NoPeriodError, match=told) as refused:
        chosen(since, until, UTC_ZONE)
    assert refused.value.field == field


def test_a_zone_is_named_with_how_far_it_is_off() -> None:
    assert zones.label(UTC_ZONE, NOON) == "UTC"
    assert zones.label(BERLIN, NOON) == "Europe/Berlin, UTC+1"
    assert zones.label(KOLKATA, NOON) == "Asia/Kolkata, UTC+5:30"
    assert zones.label(ZoneInfo("America/St_Johns"), NOON) == "America/St Johns, UTC\u22123:30"
    assert (zones.minutes_past(KOLKATA, NOON), zones.minutes_past(BERLIN, NOON)) == (30, 0)


def test_only_zones_of_places_are_known() -> None:
    assert zones.find("Europe/Berlin") == BERLIN
    for name in ("", "EST5EDT", "../etc/passwd", "Europe/Atlantis", "/etc/localtime", "posixrules"):
        assert zones.find(name) is None
