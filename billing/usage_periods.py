"""Stretches of time that usage is shown for: presets and chosen days, in buckets of a zone's hours, days or months.

Roll-ups are kept by the hour of UTC, so every bound is a whole hour of UTC. In zones whose clocks are half an hour or
a quarter off, hours and days begin that much later than the clock says; each hour still counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.zones import HOUR, midnight, next_hour, this_hour

DAY = timedelta(days=1)
EARLIEST = date(2015, 1, 1)
MOST_YEARS = 10


class Unit(StrEnum):
    """How wide a bucket is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


# How long a stretch may be in each: what is longer is neither read nor drawn well.
MOST = {Unit.HOUR: 14 * DAY, Unit.DAY: 366 * DAY, Unit.MONTH: MOST_YEARS * 366 * DAY}


@dataclass(frozen=True, slots=True)
class Shift:
    """How far back the period before is. Days and months are those of the wall clock, whatever their length."""

    hours: int = 0
    days: int = 0
    months: int = 0

    def of(self, instant: datetime, zone: ZoneInfo) -> datetime:
        if self.hours:
            return instant - self.hours * HOUR
        local = instant.astimezone(zone)
        moved = local.date() - self.days * DAY if self.days else _months_before(local.date(), self.months)
        if moved is None:  # there is no 31st in that month: the period before has ended with it
            first = _months_before(local.date().replace(day=1), self.months - 1) or local.date()
            return midnight(datetime.combine(first, time(), zone))
        return midnight(datetime.combine(moved, local.time(), zone))


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, and what is said of it. `end` may lie ahead: the current bucket is not over."""

    key: str
    words: str  # "the last 30 days"
    before: str  # "the 30 days before"
    start: datetime
    end: datetime
    shift: Shift
    zone: ZoneInfo

    def bounds(self, unit: Unit, now: datetime) -> tuple[datetime, ...]:
        """Where buckets begin, and at last where the last one ends: strictly ascending. None of them is still to
        begin, unless all are."""
        inner = {Unit.HOUR: self._hours, Unit.DAY: self._days, Unit.MONTH: self._months}[unit]
        bounds = (self.start, *(one for one in inner() if self.start < one < self.end), self.end)
        begun = sum(one <= now for one in bounds[:-1])
        return bounds[: begun + 1] if begun else bounds

    def whole_hours_until(self, now: datetime) -> datetime:
        """How far it has come, without the hour that is running: what can be compared fairly."""
        return max(min(self.end, this_hour(now)), self.start)

    def previous(self, bounds: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
        """The bounds of the same buckets of the period before, up to where this one has come. Some may be empty."""
        until = self.shift.of(self.whole_hours_until(now), self.zone)
        return (*(min(self.shift.of(one, self.zone), until) for one in bounds[:-1]), until)

    @property
    def first_day(self) -> date:
        return self.start.astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        return (self.end - HOUR).astimezone(self.zone).date()

    def allows(self, unit: Unit) -> bool:
        return self.end - self.start <= MOST[unit] + DAY

    @property
    def best_unit(self) -> Unit:
        length = self.end - self.start
        if length <= 2 * DAY:
            return Unit.HOUR
        return Unit.DAY if length <= 93 * DAY else Unit.MONTH

    def _hours(self) -> Iterator[datetime]:
        at = self.start
        while (at := at + HOUR) < self.end:
            yield at

    def _days(self) -> Iterator[datetime]:
        known = self.start
        for number in range((self.last_day - self.first_day).days + 1):
            at = day_start(self.first_day + number * DAY, self.zone)
            if at > known:  # a day that the calendar of the zone left out begins with the next
                known = at
                yield at

    def _months(self) -> Iterator[datetime]:
        month = self.first_day.replace(day=1)
        while (month := next_month(month)) <= self.last_day:
            yield day_start(month, self.zone)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    return midnight(datetime.combine(day, time(), zone))


def next_month(month: date) -> date:
    return (month.replace(day=1) + 32 * DAY).replace(day=1)


def _months_before(day: date, months: int) -> date | None:
    """The same day so many months ago, if that month has it."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    try:
        return day.replace(year=year, month=month + 1)
    except ValueError:
        return None


# -- presets ------------------------------------------------------------------------------------------

PRESETS = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "month": "This month",
    "last-month": "Last month",
    "12m": "12 months",
}


def preset(key: str, now: datetime, zone: ZoneInfo) -> Period:
    """One of `PRESETS`."""
    today = now.astimezone(zone).date()
    tomorrow = day_start(today + DAY, zone)
    first = today.replace(day=1)
    if key == "24h":
        end = this_hour(now) + HOUR
        return Period(key, "the last 24 hours", "the 24 hours before", end - DAY, end, Shift(hours=24), zone)
    if key in {"7d", "30d"}:
        days = int(key[:-1])
        start = day_start(today - (days - 1) * DAY, zone)
        return Period(key, f"the last {days} days", f"the {days} days before", start, tomorrow, Shift(days=days), zone)
    if key == "month":
        start = day_start(first, zone)
        return Period(key, f"{first:%B}", "the same time last month", start, tomorrow, Shift(months=1), zone)
    if key == "last-month":
        last = (first - DAY).replace(day=1)
        before = (last - DAY).replace(day=1)
        start, end = day_start(last, zone), day_start(first, zone)
        return Period(key, f"{last:%B %Y}", f"{before:%B}", start, end, Shift(months=1), zone)
    year = _months_before(first, 11) or first
    return Period(
        key, "the last 12 months", "the 12 months before", day_start(year, zone), tomorrow, Shift(months=12), zone
    )


def today(now: datetime, zone: ZoneInfo) -> Period:
    """What has come of the day, beside the same hours of the day before."""
    day = now.astimezone(zone).date()
    start, end = day_start(day, zone), day_start(day + DAY, zone)
    return Period("today", "today", "the same hours yesterday", start, end, Shift(days=1), zone)


# -- chosen days --------------------------------------------------------------------------------------


class NoPeriodError(ValueError):
    """There is no such stretch of time. Says of which field, and what would be right."""

    def __init__(self, field: str, told: str) -> None:
        super().__init__(told)
        self.field = field


def chosen(since: str, until: str, zone: ZoneInfo) -> Period:
    """From a day to a day, both of which count, or from a minute to a minute. Raises `NoPeriodError`."""
    start, by_day = _bound(since, "from", zone, end=False)
    end, ends_by_day = _bound(until, "to", zone, end=True)
    if end <= start:
        raise NoPeriodError("to", "The end is before the beginning. Choose a later one.")
    if end - start > MOST[Unit.MONTH]:
        raise NoPeriodError("from", f"At most {MOST_YEARS} years can be shown. Choose a later beginning.")
    first, last = start.astimezone(zone), (end - HOUR).astimezone(zone)
    if by_day and ends_by_day:
        days = (last.date() - first.date()).days + 1
        before = f"the {days} days before" if days > 1 else "the day before"
        return Period("custom", _from_to(first.date(), last.date()), before, start, end, Shift(days=days), zone)
    hours = int((end - start) / HOUR)
    before = f"the {hours} hours before" if hours > 1 else "the hour before"
    closed = end.astimezone(zone)
    words = f"{first:%-d %B %Y %H:%M} to {closed:{'%H:%M' if closed.date() == first.date() else '%-d %B %Y %H:%M'}}"
    return Period("custom", words, before, start, end, Shift(hours=hours), zone)


def _bound(text: str, field: str, zone: ZoneInfo, *, end: bool) -> tuple[datetime, bool]:
    """An instant, and whether a whole day was given. What comes twice when clocks go back is in, both times."""
    if not text:
        raise NoPeriodError(field, "Choose a day.")
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise NoPeriodError(field, "Write a day as 2026-11-25, or a minute as 2026-11-25T14:00.") from None
    if given.tzinfo is not None:
        raise NoPeriodError(field, "Leave out the offset: times are those of the zone that is chosen.")
    if not EARLIEST.year <= given.year <= 2100:
        raise NoPeriodError(field, f"Choose a day between {EARLIEST.year} and 2100.")
    by_day = len(text) <= len("2026-11-25")
    if by_day:
        return day_start(given.date() + DAY * end, zone), True
    return next_hour(given.replace(tzinfo=zone, fold=int(end)).astimezone(UTC)), False


def _from_to(first: date, last: date) -> str:
    if first == last:
        return f"{first:%-d %B %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%-d} to {last:%-d %B %Y}"
    return f"{first:{'%-d %B' if first.year == last.year else '%-d %B %Y'}} to {last:%-d %B %Y}"
