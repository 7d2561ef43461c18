"""Reserving: the one decision whether a request may spend, made in Postgres by `billing_reserve`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from accounts.batching import Batcher
from accounts.pool import Pool
from billing.entries import LARGEST_AMOUNT, Entry
from billing.quotes import Quote

_TYPES = {
    "requests": "uuid", "organizations": "bigint", "api_keys": "bigint", "projects": "bigint", "members": "bigint",
    "wanted": "bigint", "acceptable": "bigint", "requested": "text", "models": "text", "streams": "boolean",
    "prices": "bigint", "charge_prices": "bigint", "markups": "integer",
}  # fmt: skip
_RESERVE = f"SELECT * FROM billing_reserve({', '.join(f'%s::{kind}[]' for kind in _TYPES.values())})"  # noqa: S608
_RELEASE = "SELECT billing_release(%s, %s)"


@dataclass(frozen=True, slots=True)
class Admission:
    """What Postgres said. Amounts are nano-dollars; the limit that was nearest, when there was not enough."""

    outcome: str  # ok, insufficient or halted
    held: int
    affordable: int
    scope: str  # wallet, organization, project, api_key or member
    target: int | None  # the budget's id
    named: str | None  # the budget's name
    spent: int | None
    on_hold: int
    ceiling: int
    resets_at: datetime | None


class RefusedError(Exception):
    """A request that may not spend what it could come to."""

    def __init__(self, admission: Admission, *, wanted: int) -> None:
        super().__init__(admission.outcome)
        self.admission = admission
        self.wanted = wanted


Item = tuple[Any, ...]


class Admissions:
    """Reserves for many requests in one statement when many come together."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[Item, Admission] = Batcher(self._reserve)

    def reserve(self, entry: Entry, quote: Quote, *, wanted: int, acceptable: int) -> asyncio.Future[Admission]:
        """Hold between `acceptable` and `wanted` nano-dollars, or say why not. Raises `psycopg` errors."""
        item = (
            entry.request_id, entry.organization_id, entry.api_key_id, entry.project_id, entry.member_id,
            min(wanted, LARGEST_AMOUNT), min(acceptable, LARGEST_AMOUNT), entry.model_requested, entry.model,
            entry.stream, quote.price_id, quote.charge_price_id, quote.markup_basis_points,
        )  # fmt: skip
        return self._batcher.put(item)

    async def release(self, entry: Entry) -> None:
        """Give back what is held, for a request that will be reserved anew."""
        async with self._pool.connection() as connection:
            await connection.execute(_RELEASE, [entry.organization_id, entry.request_id])

    async def _reserve(self, items: list[Item]) -> list[Admission]:
        try:
            return await self._ask(items)
        except psycopg.OperationalError:
            return await self._ask(items)  # a connection from before Postgres restarted; reserving twice is once

    async def _ask(self, items: list[Item]) -> list[Admission]:
        order = sorted(range(len(items)), key=lambda place: items[place][1])
        columns = [_array(column) for column in zip(*(items[place] for place in order), strict=True)]
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Admission)) as cursor:
            await cursor.execute(_RESERVE, columns, prepare=True)
            rows = await cursor.fetchall()
        answers = dict(zip(order, rows, strict=True))
        return [answers[place] for place in range(len(items))]


def _array(values: Iterable[object]) -> str:
    """As Postgres reads an array. The driver would look at each of its values anew to find out what it is."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else str(value)
