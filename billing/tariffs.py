"""Prices and terms as the data plane sees them: all of them in memory, read from Postgres every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from accounts.pool import Pool
from billing.pricing import PRICES, Tariff, Terms, tariff
from billing.quotes import Quote

log = logging.getLogger(__name__)

_PRICES = f"""
SELECT id, model, price_list_id, effective_at, tiers, free, {", ".join(PRICES)}
FROM billing_price ORDER BY effective_at DESC, id DESC
"""  # noqa: S608 - names from a table in the code
_TERMS = """
SELECT w.organization_id, w.price_list_id,
       coalesce(nullif(w.markup_basis_points, 0), l.markup_basis_points, 0) AS markup_basis_points
FROM billing_wallet w LEFT JOIN billing_pricelist l ON l.id = w.price_list_id
WHERE w.markup_basis_points <> 0 OR w.price_list_id IS NOT NULL
"""

Versions = Sequence[tuple[datetime, Tariff]]  # newest first, those to come included


@dataclass(frozen=True, slots=True)
class Book:
    """Every price version by model and list, and every customer whose terms are not the usual ones."""

    versions: Mapping[tuple[str, int | None], Versions] = field(default_factory=dict)
    terms: Mapping[int, Terms] = field(default_factory=dict)

    def quote(self, model: str, organization_id: int, now: datetime) -> Quote | None:
        """None when nobody has said what the model costs."""
        asked = self._in_force(model, None, now)
        if asked is None:
            return None
        terms = self.terms.get(organization_id)
        if terms is None:
            return Quote(asked)
        listed = self._in_force(model, terms.price_list_id, now) if terms.price_list_id is not None else None
        return Quote(asked, listed, terms.markup_basis_points)

    def _in_force(self, model: str, price_list: int | None, now: datetime) -> Tariff | None:
        for effective_at, version in self.versions.get((model, price_list), ()):
            if effective_at <= now:
                return version
        return None


class Tariffs:
    """Keeps the book. One for an event loop. A book that cannot be renewed stays in use."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._book: Book | None = None
        self._loading: asyncio.Task[Book] | None = None

    async def quote(self, model: str, organization_id: int) -> Quote | None:
        """Raises `psycopg` errors or `OSError` when there is no book yet and none can be had."""
        book = self._book
        if book is None:
            book = await asyncio.shield(self._begin())
        return book.quote(model, organization_id, datetime.now(UTC))

    async def renew(self) -> None:
        try:
            await asyncio.shield(self._begin())
        except (psycopg.Error, OSError) as error:
            log.warning("the prices could not be read: %s", type(error).__name__)

    def _begin(self) -> asyncio.Task[Book]:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._loading

    async def _load(self) -> Book:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            prices = await (await cursor.execute(_PRICES)).fetchall()
            terms = await (await cursor.execute(_TERMS)).fetchall()
        self._book = build(prices, terms)
        return self._book


def build(prices: list[dict[str, Any]], terms: list[dict[str, Any]]) -> Book:
    """A book from the rows of the two queries above."""
    versions: dict[tuple[str, int | None], list[tuple[datetime, Tariff]]] = {}
    for row in prices:
        version = tariff(version=row["id"], model=row["model"], prices=row, tiers=row["tiers"], free=row["free"])
        versions.setdefault((row["model"], row["price_list_id"]), []).append((row["effective_at"], version))
    return Book(
        versions,
        {row["organization_id"]: Terms(row["markup_basis_points"], row["price_list_id"]) for row in terms},
    )
