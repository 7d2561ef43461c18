"""What buckets are called: short beneath the axis, whole in the table, and as an address writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from billing.usage_periods import Unit, next_month
from billing.zones import HOUR


@dataclass(frozen=True, slots=True)
class Label:
    """One bucket, in the words of a zone."""

    tick: str
    name: str
    since: str  # as an address has it: a day, or a minute
    until: str
    start: datetime  # with its offset, for files
    end: datetime
    place: int  # in its day, month or year, so that marks on the axis fall on whole ones


def labels(bounds: Sequence[datetime], unit: Unit, zone: ZoneInfo) -> list[Label]:
    make = {Unit.HOUR: _hour, Unit.DAY: _day, Unit.MONTH: _month}[unit]
    local = [one.astimezone(zone) for one in bounds]
    changes = unit == Unit.HOUR and len({one.utcoffset() for one in local}) > 1
    return [make(start, end, changes) for start, end in pairwise(local)]


def _hour(start: datetime, end: datetime, changes: bool) -> Label:
    """Where the clocks change in the time shown, each hour says by which of the two it is meant."""
    suffix = f" {start:%Z}" if changes else ""
    is_first = start.hour == 0
    return Label(
        tick=f"{start:%-d %b}" if is_first else f"{start:%H:%M}",
        name=f"{start:%a %-d %B %Y, %H:%M} to {end:%H:%M}{suffix}",
        since=f"{start:%Y-%m-%dT%H:%M}",
        until=f"{end:%Y-%m-%dT%H:%M}",
        start=start,
        end=end,
        place=start.hour,
    )


def _day(start: datetime, end: datetime, changes: bool) -> Label:
    day = f"{start:%Y-%m-%d}"
    return Label(f"{start:%-d %b}", f"{start:%a %-d %B %Y}", day, day, start, end, start.day - 1)


def _month(start: datetime, end: datetime, changes: bool) -> Label:
    last = end - HOUR
    whole = start.day == 1 and next_month(start.date()) == end.date()
    name = f"{start:%B %Y}" if whole else f"{start:%-d} to {last:%-d %B %Y}"
    if not whole and start.day == last.day:
        name = f"{start:%-d %B %Y}"
    tick = f"{start:%b %Y}" if start.month == 1 else f"{start:%b}"
    return Label(tick, name, f"{start:%Y-%m-%d}", f"{last:%Y-%m-%d}", start, end, start.month - 1)
