"""The durable record of what each request used: one row a request, written exactly once.

This is the seam for money: a request is `open`ed before anything is sent to a provider and `settle`d when it
has ended, however it ended. Reservation and charging belong behind these two calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from accounts.pool import Pool
from billing.batching import Batcher
from billing.usage import Usage, UsageSource

log = logging.getLogger(__name__)

RETRY_SECONDS = (0.2, 0.5, 1, 2, 5, 10, 20)
SETTLE_SECONDS = 3.0  # how long a caller waits for its row when Postgres hangs
LARGEST_COUNT = 2**31 - 1

# One statement however many rows, so that Postgres plans it once: each column arrives as an array.
_COLUMNS = {
    "request_id": "uuid",
    "external_id": "text",
    "organization_id": "bigint",
    "api_key_id": "bigint",
    "model_requested": "text",
    "model": "text",
    "provider": "text",
    "upstream_model": "text",
    "stream": "bool",
    "status": "smallint",
    "error_code": "text",
    "finish_reason": "text",
    "input_tokens": "integer",
    "cache_read_tokens": "integer",
    "cache_write_5m_tokens": "integer",
    "cache_write_1h_tokens": "integer",
    "output_tokens": "integer",
    "reasoning_tokens": "integer",
    "usage_source": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "first_token_ms": "integer",
    "duration_ms": "integer",
}
_INSERT = (
    f"INSERT INTO billing_usageevent ({', '.join(_COLUMNS)}) "  # noqa: S608 - names from the table above
    f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in _COLUMNS.values())}) "
    "ON CONFLICT (request_id) DO NOTHING"
)


@dataclass(slots=True)
class Entry:
    """One request while it is under way. Filled in as things become known; `status` is what the caller got."""

    request_id: uuid.UUID
    organization_id: int
    api_key_id: int
    external_id: str = ""
    model_requested: str = ""
    model: str = ""
    provider: str = ""
    upstream_model: str = ""
    stream: bool = False
    status: int = 0
    error_code: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    usage_source: UsageSource = UsageSource.NONE
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    settled: bool = False

    def mark_first_token(self) -> None:
        if self.first_token is None:
            self.first_token = time.monotonic()

    def _row(self) -> tuple[object, ...]:
        usage, now = self.usage, time.monotonic()
        first_token_ms = None if self.first_token is None else round((self.first_token - self.started) * 1000)
        return (
            self.request_id, _text(self.external_id, 200), self.organization_id, self.api_key_id,
            _text(self.model_requested, 120), self.model, self.provider, self.upstream_model, self.stream, self.status,
            _text(self.error_code, 60), _text(self.finish_reason, 30), _count(usage.input), _count(usage.cache_read),
            _count(usage.cache_write_5m), _count(usage.cache_write_1h), _count(usage.output), _count(usage.reasoning),
            self.usage_source.value, self.started_at, datetime.now(UTC), first_token_ms,
            round((now - self.started) * 1000),
        )  # fmt: skip


def _text(value: object, length: int) -> str:
    """What callers and providers wrote, as Postgres can keep it: one bad row would refuse all that share its batch."""
    return str(value).replace("\0", "")[:length]


def _count(value: float) -> int:
    return min(max(0, int(value)), LARGEST_COUNT)


class Ledger:
    """Writes entries, many in one statement when many end at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[tuple[object, ...], None] = Batcher(self._write)
        self._late: set[asyncio.Task[None]] = set()

    def open(
        self, *, request_id: uuid.UUID, external_id: str, organization_id: int, api_key_id: int, started: float
    ) -> Entry:
        """An entry for a request that was admitted at `started` (monotonic seconds)."""
        return Entry(
            request_id=request_id,
            external_id=external_id,
            organization_id=organization_id,
            api_key_id=api_key_id,
            started=started,
        )

    async def settle(self, entry: Entry) -> None:
        """Write the entry, once, whatever happens to the caller meanwhile. Returns when the row is durable, or
        when Postgres is away or hangs: then it is written in the background."""
        if entry.settled:
            return
        entry.settled = True
        task = asyncio.create_task(self._persist(entry._row()))  # noqa: SLF001 - the two are one module
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        await asyncio.wait({task}, timeout=SETTLE_SECONDS)

    async def drain(self) -> None:
        """Wait for everything that is still being written."""
        while self._late:
            await asyncio.gather(*self._late, return_exceptions=True)

    async def _persist(self, row: tuple[object, ...]) -> None:
        try:
            await self._batcher.submit(row)
        except psycopg.Error as error:
            log.error("a usage row waits for Postgres: %s", type(error).__name__, extra={"request_id": str(row[0])})
            task = asyncio.create_task(self._retry(row))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _retry(self, row: tuple[object, ...]) -> None:
        for delay in RETRY_SECONDS:
            await asyncio.sleep(delay)
            try:
                await self._batcher.submit(row)
            except psycopg.Error:
                continue
            return
        log.critical("a usage row was lost: Postgres stayed away", extra={"request_id": str(row[0])})

    async def _write(self, rows: list[tuple[object, ...]]) -> list[None]:
        """Write them together. When Postgres refuses a row for what is in it, the others are written all the same."""
        try:
            await self._insert(rows)
        except (psycopg.DataError, psycopg.IntegrityError):
            if len(rows) == 1:
                log.critical("a usage row was refused", exc_info=True, extra={"request_id": str(rows[0][0])})
            else:
                for row in rows:
                    await self._write([row])
        return [None] * len(rows)

    async def _insert(self, rows: list[tuple[object, ...]]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)], prepare=True)
