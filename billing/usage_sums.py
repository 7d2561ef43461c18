"""Sums of the roll-ups, by bucket and by one dimension, read as days of UTC wherever that is shorter.

A day of UTC that a bound cuts in two is read whole, and the hours of its shorter part are moved to the bucket that they
belong to: a month of days of Berlin is thirty days and thirty hours or sixty, not seven hundred hours. Each query reads
one range of one organisation's rows by the primary key of each table, whose first columns are the organisation and the
time. No event is read here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter

from django.db import connection

from accounts.models import Organization
from billing.zones import HOUR

DAY = timedelta(days=1)
DIMENSIONS = {
    "model": "model",
    "key": "api_key_id",
    "project": "project_id",
    "member": "member_id",
    "provider": "provider",
}
NOWHERE = -1
Name = str | int
Filters = Mapping[str, Name]


@dataclass(frozen=True, slots=True)
class Sums:
    """What requests came to together."""

    requests: int = 0
    errors: int = 0
    charged_nano: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    duration_ms: int = 0
    first_token_ms: int = 0
    first_tokens: int = 0

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in NAMES))

    @property
    def tokens(self) -> int:
        return self.input + self.cached + self.output


NAMES = tuple(field.name for field in fields(Sums))
NOTHING = Sums()
_all = attrgetter(*NAMES)


def add_up(sums: Iterable[Sums]) -> Sums:
    """All of them together: pages add thousands."""
    return Sums(*(sum(column) for column in zip(*map(_all, sums), strict=True)))


# In the order of `Sums`. What is written to a cache is input; what is read from it is told apart.
_MEASURES = """sum(requests)::bigint, sum(errors)::bigint, sum(charged_nano)::bigint,
  sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens + image_input_tokens)::bigint,
  sum(cache_read_tokens)::bigint,
  sum(output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens)::bigint,
  sum(duration_ms_sum)::bigint, sum(first_token_ms_sum)::bigint, sum(first_token_count)::bigint"""
_COLUMNS = ", ".join(NAMES)
_MINUS = ", ".join(f"-{name}" for name in NAMES)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in NAMES)
_TOTALS = ", ".join(f"sum({name})::bigint" for name in NAMES)
_HOURS = (
    "SELECT width_bucket(hour, %(bounds)s::timestamptz[]) - 1, {column}, {measures} FROM billing_usagehour"
    " WHERE organization_id = %(organization)s AND hour >= %(start)s AND hour < %(end)s{filters} GROUP BY 1, 2"
)
_DAYS = (
    "SELECT bucket, {column}, {measures} FROM billing_usageday"
    " JOIN unnest(%(days)s::date[], %(day_buckets)s::int[]) AS plan (day, bucket) USING (day)"
    " WHERE organization_id = %(organization)s AND day >= %(first)s AND day <= %(last)s{filters} GROUP BY 1, 2"
)
_MOVED = (
    "SELECT given, taken, {column}, {measures} FROM billing_usagehour"
    " JOIN unnest(%(hours)s::timestamptz[], %(given)s::int[], %(taken)s::int[]) AS plan (hour, given, taken)"
    " USING (hour) WHERE organization_id = %(organization)s AND hour >= %(start)s AND hour < %(end)s{filters}"
    " GROUP BY 1, 2, 3"
)
_BY_DAY = "SELECT bucket, name, {columns} FROM by_day"
_AND_MOVED = """ UNION ALL SELECT given, name, {columns} FROM moved
  UNION ALL SELECT taken, name, {minus} FROM moved WHERE taken >= 0"""
_RANKED = """
WITH {before}read (bucket, name, {columns}) AS ({source}),
used AS MATERIALIZED (SELECT bucket, name, {sums} FROM read GROUP BY 1, 2),
ranked AS (SELECT name, row_number() OVER (ORDER BY sum({rank}) DESC, sum(requests) DESC, name) AS place
  FROM used GROUP BY name HAVING sum(requests) > 0)
SELECT bucket, least(place, %(most)s + 1), min(CASE WHEN place <= %(most)s THEN name END),
  (SELECT count(*) FROM ranked), {totals}
FROM used JOIN ranked USING (name) GROUP BY 1, 2 ORDER BY 2, 1
"""
_NAMES_USED = """
SELECT model, provider, api_key_id, project_id, member_id,
  grouping(model), grouping(provider), grouping(api_key_id), grouping(project_id), grouping(member_id)
FROM billing_usageday WHERE organization_id = %s AND day >= %s AND day <= %s
GROUP BY GROUPING SETS ((model), (provider), (api_key_id), (project_id), (member_id))
"""


@dataclass(frozen=True, slots=True)
class Group:
    """One name's sums, by the number of the bucket. `name` is None for all that were left over together."""

    name: Name | None
    buckets: Mapping[int, Sums]

    @property
    def total(self) -> Sums:
        return add_up(self.buckets.values())


@dataclass(frozen=True, slots=True)
class Groups:
    """The first of them, by what was asked to rank them; and how many there are in all."""

    groups: Sequence[Group]
    count: int


def by_bucket(organization: Organization, bounds: Sequence[datetime], filters: Filters) -> Group:
    """All of it together."""
    found = _grouped(organization, bounds, "''::text", filters, "requests", 1)
    return found.groups[0] if found.groups else Group("", {})


def by_name(
    organization: Organization, bounds: Sequence[datetime], dimension: str, filters: Filters, *, rank: str, most: int
) -> Groups:
    """By one of `DIMENSIONS`; `rank` is an expression of the columns of `Sums`."""
    return _grouped(organization, bounds, DIMENSIONS[dimension], filters, rank, most)


def names_used(organization: Organization, start: datetime, end: datetime) -> dict[str, set[Name]]:
    """What each dimension has been in these days of UTC."""
    found: dict[str, set[Name]] = {dimension: set() for dimension in DIMENSIONS}
    order = ("model", "provider", "key", "project", "member")
    with connection.cursor() as cursor:
        cursor.execute(_NAMES_USED, [organization.pk, start.date(), (end - HOUR).date()])
        for row in cursor.fetchall():
            values, left_out = row[:5], row[5:]
            dimension, value = next(
                (one, value) for one, value, out in zip(order, values, left_out, strict=True) if not out
            )
            found[dimension].add(value)
    return found


def ever(organization: Organization) -> bool:
    """Whether anything was used at any time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM billing_usageday WHERE organization_id = %s)", [organization.pk])
        found: bool = cursor.fetchall()[0][0]
        return found


def _grouped(
    organization: Organization, bounds: Sequence[datetime], column: str, filters: Filters, rank: str, most: int
) -> Groups:
    start, end = bounds[0], bounds[-1]
    if end <= start:
        return Groups([], 0)
    where = "".join(f" AND {DIMENSIONS[name]} = %(filter_{name})s" for name in filters)
    words = {"column": column, "measures": _MEASURES, "filters": where}
    plan = _plan(bounds)
    before, source = "", _HOURS.format(**words)
    if plan.days:
        before, source = f"by_day (bucket, name, {_COLUMNS}) AS ({_DAYS.format(**words)}),\n", _BY_DAY
    if plan.days and plan.moves:
        before += f"moved (given, taken, name, {_COLUMNS}) AS MATERIALIZED ({_MOVED.format(**words)}),\n"
        source += _AND_MOVED
    given = {
        "organization": organization.pk,
        "bounds": list(bounds[:-1]),
        "start": start,
        "end": end,
        "days": list(plan.days),
        "day_buckets": list(plan.days.values()),
        "first": min(plan.days, default=None),
        "last": max(plan.days, default=None),
        "hours": [move.hour for move in plan.moves],
        "given": [move.given for move in plan.moves],
        "taken": [move.taken for move in plan.moves],
        "most": most,
        **{f"filter_{name}": value for name, value in filters.items()},
    }
    source = source.format(columns=_COLUMNS, minus=_MINUS)
    sql = _RANKED.format(before=before, source=source, rank=rank, columns=_COLUMNS, sums=_SUMS, totals=_TOTALS)
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        rows = cursor.fetchall()
    places: dict[int, tuple[Name | None, dict[int, Sums]]] = {}
    for bucket, place, name, _, *sums in rows:
        places.setdefault(place, (name, {}))[1][bucket] = Sums(*sums)
    return Groups([Group(name, buckets) for name, buckets in places.values()], rows[0][3] if rows else 0)


@dataclass(frozen=True, slots=True)
class _Move:
    """An hour that goes to a bucket, and the one that it is taken from, having come there with its day; or none, -1."""

    hour: datetime
    given: int
    taken: int = NOWHERE


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which days are read as a whole, each for one bucket, and which hours besides."""

    days: Mapping[date, int]
    moves: Sequence[_Move]


def _plan(bounds: Sequence[datetime]) -> _Plan:
    """Days that a bound cuts once within the time are read whole; those at its ends, and those cut often, by the hour.
    No day at all where that is every one of them."""
    start, end = bounds[0], bounds[-1]
    cuts: dict[date, list[datetime]] = {}
    for one in sorted(set(bounds)):
        if one.time() != time():
            cuts.setdefault(one.date(), []).append(one)
    days: dict[date, int] = {}
    moves: list[_Move] = []
    for number in range(((end - HOUR).date() - start.date()).days + 1):
        day = start.date() + number * DAY
        midnight = datetime.combine(day, time(), UTC)
        hours = [midnight + hour * HOUR for hour in range(24)]
        cut = cuts.get(day, [])
        if midnight < start or midnight + DAY > end or len(cut) > 1:
            moves += [_Move(one, _bucket(bounds, one)) for one in hours if start <= one < end]
            continue
        early, late = _bucket(bounds, hours[0]), _bucket(bounds, hours[-1])
        before = cut[0].hour if cut else 0
        if before <= len(hours) // 2:
            days[day] = late
            moves += [_Move(one, early, late) for one in hours[:before]]
        else:
            days[day] = early
            moves += [_Move(one, late, early) for one in hours[before:]]
    return _Plan(days, moves)


def _bucket(bounds: Sequence[datetime], instant: datetime) -> int:
    return bisect_right(bounds, instant, hi=len(bounds) - 1) - 1
