"""Sums of the roll-ups, by bucket and by one dimension. Days of UTC are read as days, and only what is left as hours.

Each query reads one range of one organisation's rows by the primary key of the table, whose first columns are the
organisation and the time. No event is read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta

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

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in NAMES))

    @property
    def tokens(self) -> int:
        return self.input + self.cached + self.output


NAMES = tuple(field.name for field in fields(Sums))
NOTHING = Sums()

# In the order of `Sums`. What is written to a cache is input; what is read from it is told apart.
_MEASURES = """sum(requests)::bigint, sum(errors)::bigint, sum(charged_nano)::bigint,
  sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens + image_input_tokens)::bigint,
  sum(cache_read_tokens)::bigint,
  sum(output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens)::bigint,
  sum(duration_ms_sum)::bigint, sum(first_token_ms_sum)::bigint, sum(first_token_count)::bigint"""
_COLUMNS = ", ".join(NAMES)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in NAMES)
_TOTALS = ", ".join(f"sum({name})::bigint" for name in NAMES)
_HOURS = (
    "SELECT width_bucket(hour, %(bounds)s::timestamptz[]), {column}, {measures} FROM billing_usagehour"
    " WHERE organization_id = %(organization)s AND hour >= %(start)s AND hour < %(end)s{odd}{filters} GROUP BY 1, 2"
)
_DAYS = (
    "SELECT width_bucket(day::timestamp AT TIME ZONE 'UTC', %(bounds)s::timestamptz[]), {column}, {measures}"
    " FROM billing_usageday WHERE organization_id = %(organization)s AND day >= %(first)s AND day < %(beyond)s"
    " AND day <> ALL (%(split)s::date[]){filters} GROUP BY 1, 2"
)
_ODD = " AND hour = ANY (%(odd)s)"
_RANKED = """
WITH read (bucket, name, {columns}) AS ({source}),
used AS MATERIALIZED (SELECT bucket, name, {sums} FROM read GROUP BY 1, 2),
ranked AS (SELECT name, row_number() OVER (ORDER BY sum({rank}) DESC, sum(requests) DESC, name) AS place
  FROM used GROUP BY name)
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
        return sum(self.buckets.values(), NOTHING)


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
    split, whole = _split(bounds)
    words = {"column": column, "measures": _MEASURES, "filters": where, "odd": _ODD if whole else ""}
    parts = [_DAYS] * whole + [_HOURS] * (bool(split) or not whole)
    source = " UNION ALL ".join(part.format(**words) for part in parts)
    given = {
        "organization": organization.pk,
        "bounds": list(bounds[:-1]),
        "start": start,
        "end": end,
        "first": start.date(),
        "beyond": (end + DAY - HOUR).date(),
        "split": split,
        "odd": [datetime.combine(day, time(), UTC) + hour * HOUR for day in split for hour in range(24)],
        "most": most,
        **{f"filter_{name}": value for name, value in filters.items()},
    }
    with connection.cursor() as cursor:
        cursor.execute(_RANKED.format(source=source, rank=rank, columns=_COLUMNS, sums=_SUMS, totals=_TOTALS), given)
        rows = cursor.fetchall()
    places: dict[int, tuple[Name | None, dict[int, Sums]]] = {}
    for bucket, place, name, _, *sums in rows:
        places.setdefault(place, (name, {}))[1][bucket - 1] = Sums(*sums)
    return Groups([Group(name, buckets) for name, buckets in places.values()], rows[0][3] if rows else 0)


def _split(bounds: Sequence[datetime]) -> tuple[list[date], bool]:
    """The days of UTC that a bound cuts in two, and whether there are any others."""
    split = sorted({one.date() for one in bounds if one.time() != time()})
    days = (bounds[-1] + DAY - HOUR).date() - bounds[0].date()
    return split, days.days > len(split)
