"""The ledger as a test sees it from outside: one connection, plain SQL, and the sums that must always agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from psycopg.rows import class_row

from accounts.models import Organization
from billing.admission import Admission
from gateway import request_ids

Connection = psycopg.Connection[Any]

_RESERVE = """
SELECT * FROM billing_reserve(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::bigint[], %s::integer[])
"""
_PROGRESS = """
SELECT billing_progress(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::bigint[], %s::bigint[])
"""
_UNBALANCED = """
SELECT w.organization_id, w.posted_nano, coalesce(t.sum, 0), w.held_nano, coalesce(h.sum, 0)
FROM billing_wallet w
LEFT JOIN (SELECT organization_id, sum(CASE WHEN credit = 'wallet' THEN amount_nano ELSE -amount_nano END)
           FROM billing_transfer GROUP BY 1) t ON t.organization_id = w.organization_id
LEFT JOIN (SELECT organization_id, sum(amount_nano) FROM billing_hold GROUP BY 1) h
  ON h.organization_id = w.organization_id
WHERE w.posted_nano <> coalesce(t.sum, 0) OR w.held_nano <> coalesce(h.sum, 0)
"""
_UNPAID = """
SELECT u.organization_id, u.request_id, u.charged_nano, coalesce(t.sum, 0)
FROM billing_usageevent u
LEFT JOIN (SELECT organization_id, ref, sum(amount_nano) FROM billing_transfer
           WHERE kind IN ('usage', 'late_usage') GROUP BY 1, 2) t
  ON t.organization_id = u.organization_id AND t.ref = u.request_id::text
WHERE u.charged_nano <> coalesce(t.sum, 0)
"""
_BUDGETS = """
SELECT p.budget_id, p.starts_at, p.held_nano, coalesce(h.sum, 0)
FROM billing_budgetperiod p
LEFT JOIN (SELECT organization_id, u.id, u.starts, sum(amount_nano)
           FROM billing_hold, unnest(budget_ids, budget_starts) AS u (id, starts) GROUP BY 1, 2, 3) h
  ON h.organization_id = p.organization_id AND h.id = p.budget_id AND h.starts = p.starts_at
WHERE p.held_nano <> coalesce(h.sum, 0)
"""


@contextmanager
def connect(**parameters: Any) -> Iterator[Connection]:
    """A connection of its own to Django's database, where everything is committed at once."""
    given = connection.get_connection_params()
    own = {name: given[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**{"autocommit": True, **own, **parameters}) as opened:
        yield opened


@dataclass(frozen=True)
class Wish:
    """One request that wants to hold `wanted` nano-dollars, and nothing less unless `acceptable` says so."""

    organization: int
    wanted: int
    acceptable: int | None = None
    key: int = 1
    project: int | None = None
    member: int | None = None
    request: UUID = field(default_factory=request_ids.new)


def reserve_all(opened: Connection, wishes: Iterable[Wish]) -> list[Admission]:
    columns = [
        (
            wish.request, wish.organization, wish.key, wish.project, wish.member, wish.wanted,
            wish.wanted if wish.acceptable is None else wish.acceptable, "model", "model", False, None, None, 0,
        )
        for wish in wishes
    ]  # fmt: skip
    with opened.cursor(row_factory=class_row(Admission)) as cursor:
        cursor.execute(_RESERVE, [list(column) for column in zip(*columns, strict=True)])
        return cursor.fetchall()


def reserve(opened: Connection, wish: Wish) -> Admission:
    (admission,) = reserve_all(opened, [wish])
    return admission


def event(wish: Wish, charged: int, **fields: Any) -> dict[str, Any]:
    """The usage event of a request that came to `charged`."""
    return {
        "organization_id": wish.organization,
        "request_id": str(wish.request),
        "api_key_id": wish.key,
        "stream": False,
        "status": 200,
        "usage_source": "provider",
        "rule": "complete",
        "cost_nano": charged,
        "charged_nano": charged,
        **{f"{name}_tokens": 0 for name in BUCKETS},
        "provider": "openai",
        "upstream_model": "model",
        "started_at": "2026-01-01T00:00:00+00:00",
        "duration_ms": 1,
        **fields,
    }


BUCKETS = (
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input"),
    *("output", "reasoning", "audio_output", "image_output"),
)


def settle(opened: Connection, *events: dict[str, Any]) -> list[str]:
    """What became of each: new, late or dup."""
    rows = opened.execute("SELECT outcome FROM billing_settle(%s::jsonb)", [orjson.dumps(events).decode()])
    return [outcome for (outcome,) in rows.fetchall()]


def progress(opened: Connection, wish: Wish, charge: int, tokens: int = 0) -> int:
    """Tell what an open request has come to. How many holds took note."""
    counts = orjson.dumps([0] * 6 + [tokens] + [0] * 3).decode()
    columns = [[wish.organization], [wish.request], ["openai"], ["model"], [counts], [charge], [charge]]
    noted: int = opened.execute(_PROGRESS, columns).fetchall()[0][0]
    return noted


def sweep(opened: Connection, *, silence: float = 0, most: int = 1000) -> int:
    swept: int = opened.execute("SELECT billing_sweep(make_interval(secs => %s), %s)", [silence, most]).fetchall()[0][0]
    return swept


def enter(
    opened: Connection, organization: Organization | int, amount: int, *, kind: str = "topup", ref: str = "first"
) -> tuple[int, bool]:
    key = organization if isinstance(organization, int) else organization.pk
    given = [key, kind, ref, amount, "for the test", "somebody"]
    entry, created = opened.execute("SELECT * FROM billing_enter(%s, %s, %s, %s, %s, %s)", given).fetchall()[0]
    return entry, created


def wallet(opened: Connection, organization: int) -> tuple[int, int]:
    """What was posted, and what is held."""
    query = "SELECT posted_nano, held_nano FROM billing_wallet WHERE organization_id = %s"
    posted, held = opened.execute(query, [organization]).fetchall()[0]
    return posted, held


def count(opened: Connection, table: str, where: str = "true") -> int:
    found: int = opened.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchall()[0][0]  # noqa: S608 - a test's words
    return found


def assert_balanced(opened: Connection) -> None:
    """A wallet is the sum of its transfers, it holds what its requests hold, and every charge was paid once."""
    assert opened.execute(_UNBALANCED).fetchall() == []
    assert opened.execute(_UNPAID).fetchall() == []
    assert opened.execute(_BUDGETS).fetchall() == []
