"""When a budget's period begins and ends: what billing/sql reckons, for pages and mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing.models import Budget

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start(period: str, at: datetime) -> datetime:
    """The beginning of the period that `at` lies in."""
    if period == Budget.Period.TOTAL:
        return EPOCH
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Budget.Period.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == Budget.Period.MONTH else day


def end(period: str, starts_at: datetime) -> datetime | None:
    """When spending counts from zero again; None for a budget that never resets."""
    if period == Budget.Period.TOTAL:
        return None
    longest = {Budget.Period.DAY.value: 1, Budget.Period.WEEK.value: 7}.get(period, 32)
    return start(period, starts_at + timedelta(days=longest))
