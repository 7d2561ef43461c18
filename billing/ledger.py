"""The ledger as the data plane uses it: reserve before anything is sent, settle when a request has ended.

What moves money is SQL (billing/sql); this carries requests there, many in one statement, and keeps what Postgres
does not take at the moment on disk until it does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import psycopg

from accounts.batching import Batcher
from accounts.pool import Pool
from billing.admission import Admission, RefusedError, Reservation
from billing.entries import LARGEST_AMOUNT, Entry, Rule, within_bounds
from billing.moves import Moves
from billing.quotes import Quote
from billing.spool import Record, Spool
from billing.usage import Usage, counts_of

log = logging.getLogger(__name__)

SETTLE_SECONDS = 3.0  # how long Postgres may take before a settlement goes to disk
REPLAY_SECONDS = 1.0  # between two attempts to settle what is on disk
ADOPT_SECONDS = 30.0  # between two looks for what dead processes left
REPLAY_BATCH = 500
CHECK_SECONDS = 1.0  # how old the knowledge may be that the spool has room

_RELEASE = "SELECT billing_release(%s, %s)"
_SETTLE = "SELECT * FROM billing_settle(%s::jsonb)"
_REFUND = "SELECT billing_enter(%s, 'refund', %s, %s, %s, %s)"
SUPERSEDED = "The same request, with the same Idempotency-Key, was answered by a retry."
_PROGRESS = (
    "SELECT billing_progress(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::bigint[], %s::bigint[])"
)
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)  # failures that say nothing about the record


class Ledger:
    """One for an event loop."""

    def __init__(self, pool: Pool, spool: Spool | None = None) -> None:
        self._pool = pool
        self._spool = spool or Spool(Path("/nonexistent"))
        self._moves = Moves(pool)
        self._spooling: Batcher[Record, None] = Batcher(self._keep, owed=True)
        self._open: dict[uuid.UUID, Entry] = {}
        self._kept: list[Record] = []  # on disk, not yet settled
        self._disk = asyncio.Lock()  # what is on disk and what is in `_kept` change together
        self._late: set[asyncio.Future[None]] = set()  # settlements that are not durable yet
        self._checked_at = float("-inf")

    def open(
        self,
        *,
        request_id: uuid.UUID,
        external_id: str,
        organization_id: int,
        api_key_id: int,
        started: float,
        project_id: int | None = None,
        member_id: int | None = None,
    ) -> Entry:
        """An entry for a request that arrived at `started` (monotonic seconds)."""
        return Entry(
            request_id=request_id,
            external_id=external_id,
            organization_id=organization_id,
            api_key_id=api_key_id,
            project_id=project_id,
            member_id=member_id,
            started=started,
        )

    async def reserve(self, entry: Entry, quote: Quote, *, wanted: int, acceptable: int) -> Admission:
        """Hold money for it. Raises `RefusedError` when there is not enough, `psycopg` errors or `OSError` when that
        cannot be found out, or when a settlement could not be kept if Postgres went away meanwhile."""
        if asyncio.get_running_loop().time() - self._checked_at >= CHECK_SECONDS:
            await self._check_spool()
        self._open[entry.request_id] = entry  # before it is asked: an answer that is lost must not leave a hold behind
        # Its answer is waited for also by who is cancelled, or the hold could be made after its request was closed.
        admission = await self._moves.reserve(Reservation.of(entry, quote, wanted=wanted, acceptable=acceptable))
        if admission.outcome != "ok":
            raise RefusedError(admission, wanted=wanted)
        entry.quote, entry.held_nano = quote, admission.held
        return admission

    async def release(self, entry: Entry) -> None:
        """Give back what is held, for a request that another model will answer."""
        async with self._pool.connection() as connection:
            await connection.execute(_RELEASE, [entry.organization_id, entry.request_id])
        entry.quote, entry.held_nano = None, None

    async def settle(self, entry: Entry) -> None:
        """Close it, once, whatever happens to the caller meanwhile. Returns when that is durable: in Postgres, or on
        disk while Postgres is away or hangs."""
        if entry.settled:
            return
        entry.settled = True
        self._open.pop(entry.request_id, None)
        record = entry.record()
        settling = self._moves.settle(record)
        self._late.add(settling)
        patience = asyncio.get_running_loop().call_later(SETTLE_SECONDS, _give_up, settling)
        try:
            await settling
        except asyncio.CancelledError:
            if (error := settling.exception()) is not None:
                await self._keep_instead(record, error)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the record must not be lost
            await self._keep_instead(record, error)
        finally:
            patience.cancel()
            self._late.discard(settling)

    async def supersede(self, organization_id: int, api_key_id: int, request_id: uuid.UUID) -> None:
        """Another request takes the place of one that died: that one costs nothing. Raises `psycopg.Error`."""
        nothing = Entry(request_id, organization_id, api_key_id, status=500, error_code="superseded", rule=Rule.FAILED)
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(_SETTLE, [orjson.dumps([nothing.record()]).decode()])
            row = await cursor.fetchone()
            if row is not None and row[1] == "dup" and row[2]:
                await connection.execute(_REFUND, [organization_id, str(request_id), row[2], SUPERSEDED, "gateway"])

    async def drain(self) -> None:
        """Wait for everything that is still being written, and let go of the spool."""
        while self._late:
            await asyncio.gather(*self._late, return_exceptions=True)
        await self.replay()
        await asyncio.to_thread(self._spool.close)

    async def be_ready(self) -> None:
        """Find out whether the spool has room before the first caller waits for that. They are told if it has not."""
        with suppress(OSError):
            await self._check_spool()

    async def report_progress(self) -> None:
        """Tell Postgres what open requests have come to: what is billed for them should this process die."""
        held = [entry for entry in self._open.values() if entry.held_nano is not None and entry.quote is not None]
        if not held:
            return
        columns = [list(column) for column in zip(*(_progress(entry) for entry in held), strict=True)]
        async with self._pool.connection() as connection:
            await connection.execute(_PROGRESS, columns, prepare=True)

    async def replay(self) -> None:
        """Settle what is on disk of our own. What Postgres still does not take stays there."""
        while self._kept:
            batch = self._kept[:REPLAY_BATCH]
            try:
                await self._moves.write(batch)
            except AWAY:
                return
            del self._kept[: len(batch)]
            async with self._disk:
                if not self._kept:
                    await asyncio.to_thread(self._spool.clear)
                    log.warning("Postgres has taken what was kept on disk")

    async def adopt(self) -> None:
        """Settle what processes that are gone left on disk."""
        for path in await asyncio.to_thread(self._spool.orphans):
            with self._spool.adopted(path) as records:
                if records is None:
                    continue
                for start in range(0, len(records), REPLAY_BATCH):
                    await self._moves.write(records[start : start + REPLAY_BATCH])
                log.warning("settled %s requests that a process before us left in %s", len(records), path.name)

    async def _check_spool(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.to_thread(self._spool.check)
        self._checked_at = now

    async def _keep_instead(self, record: Record, error: BaseException) -> None:
        """On disk, because Postgres did not take it in time."""
        log.error(
            "a settlement is kept on disk: %s", type(error).__name__, extra={"request_id": str(record["request_id"])}
        )
        keeping = self._spooling.put(record)
        self._late.add(keeping)
        keeping.add_done_callback(self._late.discard)
        await keeping

    async def _keep(self, records: list[Record]) -> list[None]:
        async with self._disk:
            try:
                await asyncio.to_thread(self._spool.append, records)
            except OSError as error:  # it stays in memory, and the hold in Postgres says what it had come to
                log.critical("settlements could not be kept on disk: %s", error)
            self._kept += records
        return [None] * len(records)


def _give_up(settling: asyncio.Future[None]) -> None:
    if not settling.done():
        settling.set_exception(TimeoutError())


def _progress(entry: Entry) -> tuple[Any, ...]:
    usage = within_bounds(entry.measure()) if entry.measure else Usage()
    cost, charge = (entry.quote.cost(usage), entry.quote.charge(usage)) if entry.quote and entry.measure else (0, 0)
    tokens = orjson.dumps(counts_of(usage)).decode()
    return (
        entry.organization_id, entry.request_id, entry.provider, entry.upstream_model, tokens,
        min(cost, LARGEST_AMOUNT), min(charge, LARGEST_AMOUNT),
    )  # fmt: skip
