"""Keeping prompts and answers, for organisations that turned it on: beside the calls, never in their way.

`around` takes down what passes; a task of its own writes it, encrypted. What waits is bounded in memory, and when the
database is too slow for it, what comes then is dropped and counted in the log. A call never waits and never fails for
it. Whether it is still wanted is asked at the moment of writing, under a lock that whoever turns it off takes too: what
was turned off stays empty.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
from django.http import HttpResponse, HttpResponseBase

from accounts.pool import Pool
from gateway import credentials, errors
from gateway.dispatch import Request
from gateway.transcription import written

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024  # that a process has taken down and not written yet
STREAM_BYTES = 4 * 1024 * 1024  # of one stream, as it came
MOST_WAITING = 1000
AT_ONCE = 16
DRAIN_SECONDS = 5.0  # what a process that stops takes for the rest

_INSERT = """
INSERT INTO gateway_storedexchange (organization_id, request_id, content)
SELECT o.id, x.request_id, x.content
FROM unnest(%s::bigint[], %s::uuid[], %s::bytea[]) AS x (organization_id, request_id, content)
JOIN accounts_organization o ON o.id = x.organization_id
WHERE o.prompt_retention_days IS NOT NULL AND o.closed_at IS NULL
FOR SHARE OF o
ON CONFLICT DO NOTHING
"""


def purpose(organization_id: int, request_id: uuid.UUID) -> str:
    """What a stored exchange is encrypted for: it opens nowhere else."""
    return f"exchange:{organization_id}:{request_id}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, taken down."""

    organization_id: int
    request_id: uuid.UUID
    path: str
    body: Mapping[str, Any]
    answer: bytes
    streamed: bool
    whole: bool
    size: int

    def sealed(self) -> bytes:
        content = written(self.path, self.body, self.answer, streamed=self.streamed, whole=self.whole)
        packed = zlib.compress(orjson.dumps(content), 1)
        return credentials.seal(purpose(self.organization_id, self.request_id), packed)


class Keeping:
    """One for an event loop: its `run` writes what `around` takes down."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: deque[Exchange] = deque()
        self._bell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._bytes = 0  # taken down, and not written or let go yet
        self._dropped = 0

    async def around(self, asked: Request, size: int, answering: Awaitable[HttpResponseBase]) -> HttpResponseBase:
        """What `answering` answers. `size` is the bytes of the request's body."""
        try:
            response = await answering
        except errors.ApiError as error:
            self._put(asked, size, error.body())
            raise
        except BaseException:  # the caller has gone, or something of ours broke: there is no answer
            self._put(asked, size, b"")
            raise
        if isinstance(response, HttpResponse):
            self._put(asked, size, response.content)
        else:
            streamed: Any = response
            streamed.stream = Recorded(streamed.stream, self, asked, size)
        return response

    def room(self, wanted: int) -> bool:
        """Takes so many bytes of what the process may have taken down; or does not, when there is no room."""
        if self._bytes + wanted > MOST_BYTES:
            return False
        self._bytes += wanted
        return True

    def give_back(self, taken: int) -> None:
        self._bytes -= taken

    def _put(self, asked: Request, size: int, answer: bytes) -> None:
        self.put(asked, size, answer, streamed=False, whole=True)

    def put(self, asked: Request, size: int, answer: bytes, *, streamed: bool, whole: bool) -> None:
        """Have it written, when there is room for it."""
        size += len(answer)
        if len(self._waiting) >= MOST_WAITING or not self.room(size):
            self._dropped += 1
        else:
            entry, path = asked.entry, asked.operation.path
            self._waiting.append(
                Exchange(entry.organization_id, entry.request_id, path, asked.body, answer, streamed, whole, size)
            )
        self._idle.clear()
        self._bell.set()

    async def run(self) -> None:
        """Write whatever waits, for as long as the process serves."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting:
                await self._write([self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))])
            if self._dropped:
                log.warning("%d exchanges were not stored: more came than could be written", self._dropped)
                self._dropped = 0
            self._idle.set()

    async def drain(self) -> None:
        """Wait until everything is written, for a moment."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d exchanges were not stored: the process stops", len(self._waiting))

    async def _write(self, exchanges: list[Exchange]) -> None:
        try:
            sealed = await asyncio.to_thread(lambda: [exchange.sealed() for exchange in exchanges])
            columns = [[one.organization_id for one in exchanges], [one.request_id for one in exchanges], sealed]
            async with self._pool.connection() as connection:
                await connection.execute(_INSERT, columns)
        except (psycopg.Error, OSError, credentials.CredentialError) as error:
            log.error("%d exchanges were not stored: %s", len(exchanges), type(error).__name__)
        except Exception:  # whatever is wrong with one of them, the next are to be written
            log.exception("%d exchanges were not stored", len(exchanges))
        finally:
            self.give_back(sum(one.size for one in exchanges))


@dataclass(slots=True)
class Recorded:
    """A stream that is taken down as it passes, and handed over when it is closed, however it ended."""

    stream: Any
    keeping: Keeping
    asked: Request
    size: int
    _parts: list[bytes] = field(default_factory=list)
    _taken: int = 0
    _whole: bool = True
    _closed: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self.stream.headers
        return headers

    async def events(self) -> AsyncGenerator[bytes]:
        async with aclosing(self.stream.events()) as events:
            async for event in events:
                self._take(event)
                yield event

    async def aclose(self) -> None:
        try:
            await self.stream.aclose()
        finally:
            if not self._closed:
                self._closed = True
                self.keeping.give_back(self._taken)
                answer = b"".join(self._parts)
                self.keeping.put(self.asked, self.size, answer, streamed=True, whole=self._whole)

    def _take(self, event: bytes) -> None:
        if not self._whole:
            return
        self._whole = self._taken + len(event) <= STREAM_BYTES and self.keeping.room(len(event))
        if self._whole:
            self._taken += len(event)
            self._parts.append(event)
