"""`Idempotency-Key`: the same key and body return the same answer for a day, streams too, and are charged once.

A key belongs to the API key that sent it. Whoever comes first runs; the answer is kept encrypted and replayed. A
request with a key goes on when its caller hangs up, so that a retry finds the answer. What was charged is replayed,
whatever it was; what cost nothing may be tried again under the same key. When a process dies, a retry takes the place
of what it was running, and what that had been charged is given back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import orjson
import psycopg

from accounts.pool import Pool
from billing.entries import Entry
from billing.ledger import Ledger
from gateway import credentials, errors
from gateway.dispatch import Request
from gateway.relay import Relay

log = logging.getLogger(__name__)

LEASE_SECONDS = 30  # a run that was not heard of for so long is dead
ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,255}")

_CLAIM = """
INSERT INTO gateway_idempotentanswer
  (organization_id, api_key_id, key_digest, body_digest, request_id, expires_at, alive_until)
VALUES (%s, %s, %s, %s, %s, clock_timestamp() + interval '24 hours', clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (organization_id, api_key_id, key_digest) DO NOTHING RETURNING request_id
"""
_LOOK = """
SELECT body_digest, request_id, answer, expires_at < clock_timestamp(), alive_until < clock_timestamp()
FROM gateway_idempotentanswer WHERE organization_id = %s AND api_key_id = %s AND key_digest = %s FOR UPDATE
"""
_TAKE = """
UPDATE gateway_idempotentanswer SET body_digest = %s, request_id = %s, answer = NULL,
  expires_at = clock_timestamp() + interval '24 hours', alive_until = clock_timestamp() + make_interval(secs => %s)
WHERE organization_id = %s AND api_key_id = %s AND key_digest = %s
"""
_KEEP = """
UPDATE gateway_idempotentanswer SET answer = %s
WHERE organization_id = %s AND api_key_id = %s AND key_digest = %s AND request_id = %s
"""
_DROP = """
DELETE FROM gateway_idempotentanswer
WHERE organization_id = %s AND api_key_id = %s AND key_digest = %s AND request_id = %s AND answer IS NULL
"""
_RENEW = """
UPDATE gateway_idempotentanswer SET alive_until = clock_timestamp() + make_interval(secs => %s)
WHERE request_id = ANY (%s) AND answer IS NULL
"""
_FORGET = "DELETE FROM gateway_idempotentanswer WHERE expires_at < clock_timestamp()"

Place = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given."""

    request_id: uuid.UUID
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Claim:
    """The right to run a request under its key. End it with `keep` or `drop`."""

    place: Place
    request_id: uuid.UUID
    store: Idempotency
    ended: bool = field(default=False)

    async def keep(self, headers: Mapping[str, str], body: bytes) -> None:
        """This is the answer from now on."""
        if not self.ended:
            self.ended = True
            await self.store.keep(self, headers, body)

    async def drop(self) -> None:
        """It cost nothing: the key may be used again."""
        if not self.ended:
            self.ended = True
            await self.store.drop(self)


class Idempotency:
    """One for an event loop."""

    def __init__(self, pool: Pool, ledger: Ledger) -> None:
        self._pool = pool
        self._ledger = ledger
        self._running: dict[uuid.UUID, Claim] = {}

    async def claim(self, key: str, request: Request, content: bytes) -> Claim | Kept:
        """Raises `ApiError`: 400 for a key that is none, 409 while the first request runs, 422 for another body."""
        if not ACCEPTABLE.fullmatch(key):
            raise errors.invalid("'Idempotency-Key' must have 1 to 255 visible ASCII characters.", param=None)
        principal, entry = request.principal, request.entry
        place = (principal.organization_id, principal.api_key_id, hashlib.sha256(key.encode()).digest())
        body = await _digest(request.operation.path, content)
        try:
            found, superseded = await self._claim(place, body, entry.request_id)
            if superseded is not None:
                await self._ledger.supersede(entry.organization_id, entry.api_key_id, superseded)
        except (psycopg.Error, OSError) as error:
            raise errors.unavailable(
                "Your Idempotency-Key cannot be looked up right now. Try again in a few seconds.",
                hint=f"idempotency: {type(error).__name__}",
            ) from error
        if isinstance(found, Claim):
            self._running[found.request_id] = found
        return found

    async def keep(self, claim: Claim, headers: Mapping[str, str], body: bytes) -> None:
        self._running.pop(claim.request_id, None)
        sealed = await asyncio.to_thread(_seal, claim.place, headers, body)
        await self._write(_KEEP, [sealed, *claim.place, claim.request_id])

    async def drop(self, claim: Claim) -> None:
        self._running.pop(claim.request_id, None)
        await self._write(_DROP, [*claim.place, claim.request_id])

    async def renew(self) -> None:
        """Say that what runs here still runs."""
        if self._running:
            async with self._pool.connection() as connection:
                await connection.execute(_RENEW, [LEASE_SECONDS, list(self._running)])

    async def _write(self, statement: str, parameters: list[object]) -> None:
        try:
            async with self._pool.connection() as connection:
                await connection.execute(statement, parameters)
        except (psycopg.Error, OSError) as error:  # its lease will end, and a retry will run again
            log.error("an answer could not be kept for its Idempotency-Key: %s", type(error).__name__)

    async def _claim(self, place: Place, body: bytes, request_id: uuid.UUID) -> tuple[Claim | Kept, uuid.UUID | None]:
        async with self._pool.connection() as connection, connection.transaction():
            made = await connection.execute(_CLAIM, [*place, body, request_id, LEASE_SECONDS])
            if await made.fetchone():
                return Claim(place, request_id, self), None
            row = await (await connection.execute(_LOOK, list(place))).fetchone()
            if row is None:  # it was given up at this very moment
                raise _in_progress()
            known_body, known_request, answer, expired, dead = row
            if not expired and bytes(known_body) != body:
                raise _reused()
            if not expired and answer is not None:
                return await asyncio.to_thread(_open, place, known_request, bytes(answer)), None
            if not expired and not dead:
                raise _in_progress()
            await connection.execute(_TAKE, [body, request_id, LEASE_SECONDS, *place])
            return Claim(place, request_id, self), None if expired else known_request


class Recording:
    """A stream that is kept as it passes."""

    def __init__(self, stream: Relay, claim: Claim, entry: Entry) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._claim = claim
        self._entry = entry
        self._parts: list[bytes] = []

    async def events(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._stream.events()) as events:
            async for event in events:
                self._parts.append(event)
                yield event
        await _end(self._claim, self._entry, self.headers, b"".join(self._parts))

    async def aclose(self) -> None:
        await self._stream.aclose()
        await self._claim.drop()  # unless it came to its end


class Replay:
    """A stream as it was."""

    def __init__(self, kept: Kept) -> None:
        self.headers = {**kept.headers, **replayed(kept)}
        self._body = kept.body

    async def events(self) -> AsyncGenerator[bytes]:
        yield self._body

    async def aclose(self) -> None:
        """Nothing is held open."""


async def _end(claim: Claim, entry: Entry, headers: Mapping[str, str], body: bytes) -> None:
    if entry.status == 200 or entry.charged_nano:
        await claim.keep(headers, body)
    else:
        await claim.drop()


def replayed(kept: Kept) -> dict[str, str]:
    return {"idempotent-replayed": "true", "x-2389-original-request-id": str(kept.request_id)}


def forget_expired() -> int:
    """Delete what is older than a day. How many there were."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_FORGET)
        return int(cursor.rowcount)


async def _digest(path: str, content: bytes) -> bytes:
    """Of what was asked, and where."""
    digest = hashlib.sha256(path.encode() + b"\n")
    if len(content) > 2**20:
        await asyncio.to_thread(digest.update, content)
    else:
        digest.update(content)
    return digest.digest()


def _purpose(place: Place) -> str:
    return f"idempotency:{place[0]}:{place[1]}:{place[2].hex()}"


def _seal(place: Place, headers: Mapping[str, str], body: bytes) -> bytes:
    return credentials.seal(_purpose(place), orjson.dumps(dict(headers)) + b"\n" + body)


def _open(place: Place, request_id: uuid.UUID, answer: bytes) -> Kept:
    headers, _, body = credentials.unseal(_purpose(place), answer).partition(b"\n")
    return Kept(request_id, orjson.loads(headers), body)


def _in_progress() -> errors.ApiError:
    return errors.ApiError(
        409,
        "A request with this Idempotency-Key is still running. Try again in a moment to get its answer.",
        type=errors.INVALID,
        code="idempotency_in_progress",
        headers={"retry-after": "1"},
    )


def _reused() -> errors.ApiError:
    return errors.ApiError(
        422,
        "This Idempotency-Key was used with another body. Use a new key for a new request.",
        type=errors.INVALID,
        code="idempotency_key_reused",
    )
