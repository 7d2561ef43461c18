"""Admissions and settlements on their way to Postgres: those that come together are one transaction.

Whatever comes while one is under way goes into the next, both kinds together. Apart, they would wait for the same
wallets, and for the same disk, one after the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import orjson
import psycopg
from psycopg import AsyncConnection

from accounts.batching import Batcher
from accounts.pool import Pool
from billing.admission import Admission, Reservation
from billing.spool import Record

log = logging.getLogger(__name__)

DEAD_CONNECTIONS = 2  # how many may be met before Postgres counts as away
TOO_LONG = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)  # asking again would take as long again
REFUSED = (psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError)  # failures of what was asked

_COLUMNS = (
    "uuid", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "text", "text", "boolean", "bigint", "bigint",
    "integer",
)  # fmt: skip
_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in _COLUMNS)
_RESERVE = f"SELECT * FROM billing_reserve({_ARRAYS})"  # noqa: S608
_MOVE = f"SELECT * FROM billing_move(%s::jsonb, {_ARRAYS})"  # noqa: S608
_SETTLE = "SELECT request, absorbed FROM billing_settle(%s::jsonb) WHERE absorbed > 0 AND outcome <> 'dup'"

Row: TypeAlias = tuple[Any, ...]


async def warm(connection: AsyncConnection[Any]) -> None:
    """Have a new connection plan its statements on nothing, which takes ten times as long as they do: else its first
    requests would wait for that. Before the tables are there, it is left to them."""
    nothing = ["{}"] * len(_COLUMNS)
    with suppress(psycopg.Error):
        for statement, parameters in ((_MOVE, ["[]", *nothing]), (_RESERVE, nothing), (_SETTLE, ["[]"])):
            await connection.execute(statement, parameters, prepare=True)


class Moves:
    """One for an event loop. Its answers are owed: who is cancelled hears of it when the answer is there."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[Reservation | Record, Any] = Batcher(self._make, owed=True)

    def reserve(self, reservation: Reservation) -> asyncio.Future[Admission]:
        """What Postgres says to it. Fails with `psycopg` errors."""
        return self._batcher.put(reservation)

    def settle(self, record: Record) -> asyncio.Future[None]:
        """Done when Postgres has it. Fails with `psycopg` errors while it is away."""
        return self._batcher.put(record)

    async def write(self, records: list[Record]) -> None:
        """Settle them together. When Postgres refuses one for what is in it, the others are written all the same."""
        try:
            absorbed = await self._ask(_SETTLE, [_json(records)])
        except REFUSED:
            if len(records) == 1:
                log.critical(
                    "a settlement was refused", exc_info=True, extra={"request_id": str(records[0]["request_id"])}
                )
                return
            for record in records:
                await self.write([record])
        else:
            for request, amount in absorbed:
                _tell_absorbed(str(request), amount)

    async def _make(self, moves: list[Reservation | Record]) -> Sequence[Any]:
        """The result of each, or the error that it alone has."""
        asked = [(place, move) for place, move in enumerate(moves) if isinstance(move, Reservation)]
        asked.sort(key=lambda one: one[1].organization_id)  # as `billing_reserve` takes them
        records = [move for move in moves if not isinstance(move, Reservation)]
        results: list[Any] = [None] * len(moves)
        admissions = await self._together([reservation for _, reservation in asked], records)
        for (place, _), admission in zip(asked, admissions, strict=True):
            results[place] = admission
        return results

    async def _together(self, asked: list[Reservation], records: list[Record]) -> Sequence[Admission | BaseException]:
        """What is said to the reservations. Raises when everything failed."""
        if not asked:
            await self.write(records)
            return []
        if not records:
            return await self._admit(asked)
        try:
            rows = await self._ask(_MOVE, [_json(records), *_columns(asked)])
        except REFUSED:
            return await self._apart(asked, records)
        while len(rows) > len(asked):
            told = Admission(*rows.pop(0))
            _tell_absorbed(str(told.named), told.held)
        return [Admission(*row) for row in rows]

    async def _apart(self, asked: list[Reservation], records: list[Record]) -> Sequence[Admission | BaseException]:
        """After one of them was refused for what is in it: a settlement that is wrong must not refuse a reservation."""
        await self.write(records)
        try:
            return await self._admit(asked)
        except psycopg.Error as error:
            return [error] * len(asked)

    async def _admit(self, reservations: Sequence[Reservation]) -> list[Admission]:
        return [Admission(*row) for row in await self._ask(_RESERVE, _columns(reservations))]

    async def _ask(self, statement: str, parameters: Sequence[str]) -> list[Row]:
        """The pool may hold several connections from before Postgres restarted, and a move made twice is made once."""
        for _ in range(DEAD_CONNECTIONS):
            try:
                return await self._execute(statement, parameters)
            except TOO_LONG:
                raise
            except psycopg.OperationalError:
                continue
        return await self._execute(statement, parameters)

    async def _execute(self, statement: str, parameters: Sequence[str]) -> list[Row]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, parameters, prepare=True)
            return await cursor.fetchall()


def _tell_absorbed(request: str, amount: int) -> None:
    log.error("%s nano-dollars above the hold were absorbed", amount, extra={"request_id": request})


def _json(records: list[Record]) -> str:
    return orjson.dumps(records).decode()


def _columns(reservations: Iterable[Reservation]) -> list[str]:
    return [_array(column) for column in zip(*reservations, strict=True)]


def _array(values: Iterable[object]) -> str:
    """As Postgres reads an array. The driver would look at each of its values anew to find out what it is."""
    return f"{{{','.join([_element(value) for value in values])}}}"


def _element(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else str(value)
