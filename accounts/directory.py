"""Who a key belongs to, for the data plane: no ORM, one query at a time for all that are asked for, remembered for
seconds.

The time a record is remembered is the bound on a revoked key's life, so it does not depend on Valkey; the
revocations heard through Valkey only make it shorter.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from accounts import key_rules
from accounts.batching import Batcher
from accounts.pool import Pool
from accounts.roles import ALLOWED, May

NEGATIVE_SECONDS = 4.0
ASK_SECONDS = 3.0  # how long a caller waits for a Postgres that hangs
CAPACITY = 10_000

_QUERY = """
SELECT s.digest, s.id AS secret_id, k.id AS api_key_id, k.organization_id, k.project_id, k.owner_id AS member_id,
       array_to_string(k.scopes, ',') AS scopes,
       array_to_string(k.models_allowed, E'\\n') AS models_allowed,
       array_to_string(k.address_ranges, E'\\n') AS address_ranges,
       o.slug AS organization, k.requests_per_minute, k.tokens_per_minute, k.parallel_streams,
       least(k.expires_at, s.ends_at) AS expires_at,
       k.revoked_at IS NOT NULL OR o.closed_at IS NOT NULL OR NOT (k.service_account OR EXISTS (
         SELECT FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
         WHERE m.organization_id = k.organization_id AND m.user_id = k.owner_id AND u.is_active
           AND (NOT k.playground OR m.role = ANY(%s) AND EXISTS (
             SELECT FROM accounts_secretsignin i JOIN django_session d ON d.session_key = i.session_key
             WHERE i.secret_id = s.id AND d.expire_date > now()
               AND i.password_digest = sha256(convert_to(u.password, 'UTF8')))))) AS revoked,
       o.suspended_at IS NOT NULL AS suspended, o.sandbox_enabled, o.retired_models,
       o.prompt_retention_days IS NOT NULL AS keeps_prompts
FROM accounts_apikeysecret s
JOIN accounts_apikey k ON k.id = s.api_key_id
JOIN accounts_organization o ON o.id = k.organization_id
WHERE s.digest = ANY(%s::bytea[])
"""
_TRYING = [role.value for role in ALLOWED[May.TRY_MODELS]]  # whose playground works


async def warm(connection: AsyncConnection[Any]) -> None:
    """Have a new connection plan its query on nothing, so that its first caller does not wait for that. Before the
    tables are there, it is left to them."""
    with suppress(psycopg.Error):
        await connection.execute(_QUERY, [_TRYING, []], prepare=True)


@dataclass(frozen=True, slots=True)
class Principal:
    """The key and the organisation behind a request."""

    api_key_id: int
    organization_id: int
    organization: str
    requests_per_minute: int | None
    expires_at: datetime | None  # of the key, or of the secret that it was called with
    revoked: bool  # or its holder is gone; of the playground's also when they signed out or may not use it any more
    suspended: bool
    sandbox_enabled: bool
    retired_models: str  # "follow", "refuse", or empty for the platform's default
    project_id: int | None = None
    member_id: int | None = None  # who holds the key
    scopes: str = "chat,embeddings"
    secret_id: int = 0
    tokens_per_minute: int | None = None  # no limit
    parallel_streams: int | None = None  # the platform's default
    models_allowed: str = ""  # one rule a line; empty for every model
    address_ranges: str = ""  # one a line; empty for everywhere
    keeps_prompts: bool = False  # its organisation has prompts and answers stored

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def may(self, scope: str) -> bool:
        """Whether the key was issued for this."""
        return scope in self.scopes.split(",")

    def may_use(self, model: str) -> bool:
        return not self.models_allowed or key_rules.allows_model(self.models_allowed.split("\n"), model)

    def may_call_from(self, address: str) -> bool:
        return not self.address_ranges or key_rules.allows_address(self.address_ranges.split("\n"), address)


class Directory:
    """Looks digests up. Raises `psycopg` errors when Postgres cannot answer, and `TimeoutError` when it does not:
    not knowing is not a refusal."""

    def __init__(self, pool: Pool, *, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        # Apart, so that somebody who guesses keys cannot push out those that are real.
        self._known: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._unknown: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._queries: Batcher[list[bytes], Principal | None] = Batcher(self._query)

    async def find(self, digests: list[bytes]) -> Principal | None:
        """The principal of the first known digest; `digests` are one secret's under each pepper, newest first."""
        digest = digests[0]
        known = self._known.get(digest) or self._unknown.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._ask(digest, digests))
            task.add_done_callback(lambda done: self._asked(digest, done))
        if not (await asyncio.wait({task}, timeout=ASK_SECONDS))[0]:
            raise TimeoutError("Postgres does not answer")
        return task.result()

    def has_known(self, digest: bytes) -> bool:
        """Whether it was found to be somebody's key before, however long ago."""
        return digest in self._known

    def has_seen(self, digest: bytes) -> bool:
        """Whether it was asked about before, whatever came of it."""
        return digest in self._known or digest in self._unknown

    def forget(self, digest: bytes) -> None:
        self._known.pop(digest, None)
        self._unknown.pop(digest, None)

    def _asked(self, digest: bytes, task: asyncio.Task[Principal | None]) -> None:
        """An error is told to those who wait; when all of them have gone, to nobody."""
        self._asking.pop(digest, None)
        if not task.cancelled():
            task.exception()

    async def _ask(self, digest: bytes, digests: list[bytes]) -> Principal | None:
        asked_at = time.monotonic()  # the answer may be as old as the question
        principal = await self._queries.submit(digests)
        self.forget(digest)
        if principal is not None:
            _remember(self._known, digest, (asked_at + self._seconds, principal))
        else:
            _remember(self._unknown, digest, (asked_at + min(self._seconds, NEGATIVE_SECONDS), None))
        return principal

    async def _query(self, asked: list[list[bytes]]) -> list[Principal | None]:
        """Many that come together are one query: a process that has just started knows nobody."""
        try:
            found = await self._rows(asked)
        except psycopg.OperationalError:
            found = await self._rows(asked)  # the pool held a connection from before Postgres restarted
        return [next((found[digest] for digest in digests if digest in found), None) for digests in asked]

    async def _rows(self, asked: list[list[bytes]]) -> dict[bytes, Principal]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            digests = [digest for of_one in asked for digest in of_one]
            await cursor.execute(_QUERY, [_TRYING, digests], prepare=True)
            return {bytes(row.pop("digest")): Principal(**row) for row in await cursor.fetchall()}


def _remember(
    memory: OrderedDict[bytes, tuple[float, Principal | None]], digest: bytes, record: tuple[float, Principal | None]
) -> None:
    memory[digest] = record
    while len(memory) > CAPACITY:
        memory.popitem(last=False)
