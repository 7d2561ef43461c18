"""The ledger as the data plane uses it: reserve before anything is sent, settle when a request has ended.

What moves money is SQL (billing/sql); this carries requests there, many in one statement, and keeps what Postgres
does not take at the moment on disk until it does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from pathlib import Path
from typing import Any

import orjson
import psycopg

from accounts.batching import Batcher
from accounts.pool import Pool
from billing.admission import Admission, Admissions, RefusedError
from billing.entries import LARGEST_AMOUNT, Entry, Rule, within_bounds
from billing.quotes import Quote
from billing.spool import Record, Spool
from billing.usage import Usage, counts_of

log = logging.getLogger(__name__)

SETTLE_SECONDS = 3.0  # how long Postgres may take before a settlement goes to disk
REPLAY_SECONDS = 1.0  # between two attempts to settle what is on disk
ADOPT_SECONDS = 30.0  # between two looks for what dead processes left
REPLAY_BATCH = 500
DEAD_CONNECTIONS = 2  # how many may be met before Postgres counts as away
CHECK_SECONDS = 1.0  # how old the knowledge may be that the spool has room

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
        self._admissions = Admissions(pool)
        self._batcher: Batcher[Record, None] = Batcher(self._write)
        self._spooling: Batcher[Record, None] = Batcher(self._keep)
        self._open: dict[uuid.UUID, Entry] = {}
        self._kept: list[Record] = []  # on disk, not yet settled
        self._disk = asyncio.Lock()  # what is on disk and what is in `_kept` change together
        self._late: set[asyncio.Future[None]] = set()  # settlements that are not durable yet
        self._keeping: set[asyncio.Task[None]] = set()
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
        asking = self._admissions.reserve(entry, quote, wanted=wanted, acceptable=acceptable)
        try:
            admission = await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait({asking})  # or the hold could be made after the request that it is for was closed
            raise
        if admission.outcome != "ok":
            raise RefusedError(admission, wanted=wanted)
        entry.quote, entry.held_nano = quote, admission.held
        return admission

    async def release(self, entry: Entry) -> None:
        """Give back what is held, for a request that another model will answer."""
        await self._admissions.release(entry)
        entry.quote, entry.held_nano = None, None

    async def settle(self, entry: Entry) -> None:
        """Close it, once, whatever happens to the caller meanwhile. Returns when that is durable: in Postgres, or on
        disk while Postgres is away or hangs."""
        if entry.settled:
            return
        entry.settled = True
        self._open.pop(entry.request_id, None)
        await asyncio.shield(self._persist(entry.record()))

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
                await self._write(batch)
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
                    await self._write(records[start : start + REPLAY_BATCH])
                log.warning("settled %s requests that a process before us left in %s", len(records), path.name)

    async def _check_spool(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.to_thread(self._spool.check)
        self._checked_at = now

    def _persist(self, record: Record) -> asyncio.Future[None]:
        """Done when it is durable, whoever waits for that."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._late.add(durable)
        durable.add_done_callback(self._late.discard)
        settling = self._batcher.put(record)
        patience = loop.call_later(SETTLE_SECONDS, _give_up, settling)

        def settled(settling: asyncio.Future[None]) -> None:
            patience.cancel()
            error = settling.exception()
            if error is None:
                _done(durable)
                return
            keeping = asyncio.create_task(self._keep_instead(record, error, durable))
            self._keeping.add(keeping)
            keeping.add_done_callback(self._keeping.discard)

        settling.add_done_callback(settled)
        return durable

    async def _keep_instead(self, record: Record, error: BaseException, durable: asyncio.Future[None]) -> None:
        """On disk, because Postgres did not take it in time."""
        log.error("a settlement is kept on disk: %s", type(error).__name__, extra={"request_id": record["request_id"]})
        await self._spooling.submit(record)
        _done(durable)

    async def _keep(self, records: list[Record]) -> list[None]:
        async with self._disk:
            try:
                await asyncio.to_thread(self._spool.append, records)
            except OSError as error:  # it stays in memory, and the hold in Postgres says what it had come to
                log.critical("settlements could not be kept on disk: %s", error)
            self._kept += records
        return [None] * len(records)

    async def _write(self, records: list[Record]) -> list[None]:
        """Write them together. When Postgres refuses one for what is in it, the others are written all the same."""
        try:
            await self._settle_again(records)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError):
            if len(records) == 1:
                log.critical("a settlement was refused", exc_info=True, extra={"request_id": records[0]["request_id"]})
            else:
                for record in records:
                    await self._write([record])
        return [None] * len(records)

    async def _settle_again(self, records: list[Record]) -> None:
        """The pool may hold several connections from before Postgres restarted, and settling twice is once."""
        for _ in range(DEAD_CONNECTIONS):
            try:
                return await self._settle(records)
            except psycopg.OperationalError:
                continue
        return await self._settle(records)

    async def _settle(self, records: list[Record]) -> None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SETTLE, [orjson.dumps(records).decode()], prepare=True)
            for request_id, outcome, _, absorbed in await cursor.fetchall():
                if absorbed and outcome != "dup":
                    log.error(
                        "%s nano-dollars above the hold were absorbed", absorbed, extra={"request_id": str(request_id)}
                    )


def _done(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_result(None)


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
