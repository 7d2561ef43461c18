"""What a key may have a minute, for one request: a place among its requests, and tokens.

Whether there are any tokens is asked together with the place. How many a request may use is known only when its body
was read; they are taken while its money is held, so that nobody waits for it, and corrected when it has ended.
"""

from __future__ import annotations

import asyncio

from django.conf import settings

from accounts.directory import Principal
from billing.entries import BILLED, Entry
from gateway import errors
from gateway.buckets import Buckets, Level
from gateway.limits import Limiter, Verdict


class Allowance:
    """What one request has of its key's minute. Settle it when the request has ended."""

    def __init__(self, verdict: Verdict, *, key: int = 0, level: Level | None = None, owner: Allowances) -> None:
        self._verdict = verdict
        self._key = key
        self._level = level
        self._owner = owner
        self._taken = 0
        self._taking: asyncio.Task[tuple[bool, Level]] | None = None

    @property
    def counts_tokens(self) -> bool:
        return self._level is not None

    def headers(self) -> dict[str, str]:
        """Where the key stands, after whatever this request has taken so far."""
        return self._verdict.headers() | (self._level.headers() if self._level else {})

    def check(self) -> None:
        """Raises `ApiError` (429) when there was no place, or there are no tokens."""
        if self._verdict.allowed:
            return
        if self._level is not None and self._verdict.remaining:
            raise errors.out_of_tokens(self._level.limit, 1, self._level.seconds_until(1))
        raise errors.rate_limited(self._verdict.limit, self._verdict.retry_after)

    async def take(self, tokens: int) -> None:
        """So many that the request may use, in place of those that it took before. Raises `ApiError` (429)."""
        if self._level is None:
            return
        self._give_back(used=0)
        if tokens > self._level.limit:
            raise errors.too_many_tokens(self._level.limit, tokens)
        self._taken = tokens
        self._taking = asyncio.create_task(self._owner.buckets.take(self._key, self._level.limit, tokens))
        taken, level = await asyncio.shield(self._taking)
        self._level = level
        if not taken:
            raise errors.out_of_tokens(level.limit, tokens, level.seconds_until(tokens))

    def settle(self, entry: Entry) -> None:
        """Put back what was not used. Valkey is told, but nobody waits for that."""
        if self._taking is None:
            return
        used = entry.counts if entry.rule in BILLED else None
        self._give_back(used=used.prompt_tokens + used.completion_tokens if used else 0)

    def _give_back(self, *, used: int) -> None:
        if self._taking is not None:
            self._owner.correct(self._key, self._taking, taken=self._taken, used=used)
            self._taking = None


class Allowances:
    """One for an event loop."""

    def __init__(self, limiter: Limiter, buckets: Buckets) -> None:
        self.buckets = buckets
        self._limiter = limiter
        self._correcting: set[asyncio.Task[None]] = set()

    async def admit(self, principal: Principal) -> Allowance:
        """Count one request of this key, if there is room. Whether there was, `Allowance.check` says."""
        key, requests = principal.api_key_id, principal.requests_per_minute or settings.GATEWAY_DEFAULT_RPM
        if principal.tokens_per_minute is None:
            return Allowance(await self._limiter.take(key, requests), owner=self)
        verdict, level = await self.buckets.admit(key, requests=requests, limit=principal.tokens_per_minute)
        return Allowance(verdict, key=key, level=level, owner=self)

    def correct(self, key: int, taking: asyncio.Task[tuple[bool, Level]], *, taken: int, used: int) -> None:
        """Put the difference back, in a while."""
        task = asyncio.create_task(self._correct(key, taking, taken=taken, used=used))
        self._correcting.add(task)
        task.add_done_callback(self._correcting.discard)

    async def drain(self) -> None:
        """Wait for what is on its way."""
        if self._correcting:
            await asyncio.wait(self._correcting)

    async def _correct(self, key: int, taking: asyncio.Task[tuple[bool, Level]], *, taken: int, used: int) -> None:
        were_taken, level = await taking
        if were_taken and taken != used:
            await self.buckets.put_back(key, level, taken=taken, used=used)
