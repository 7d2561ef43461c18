"""How many streams may be open at once: of a key, of an organisation, in a process.

An open stream has a lease in Valkey, which one script gives when there is room for the key and for its organisation.
The lease is renewed while the stream goes on and given back when it ends, however it ends; that of a worker which
died runs out by itself. When Valkey is away each worker counts its own streams against its share of the limits, and
what was opened then is told to Valkey once it is back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from django.conf import settings

from accounts.directory import Principal
from gateway import errors
from gateway.scripts import AwayError, Scripts

LEASE_SECONDS = 60
RENEW_SECONDS = 20.0

log = logging.getLogger(__name__)

# KEYS the key's streams, the organisation's; ARGV stream, lease in ms, limit of the key, limit of the organisation
# -> 0 for a lease, or which of the two has no room
OPEN = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[2 + i]) then return i end
end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
return 0
"""
# KEYS as above; ARGV lease in ms, streams. They are entered again when Valkey has lost them.
RENEW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, 2 do
  for j = 2, #ARGV do redis.call('ZADD', KEYS[i], now + ARGV[1], ARGV[j]) end
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return 0
"""
CLOSE = "for i = 1, 2 do redis.call('ZREM', KEYS[i], ARGV[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one open stream. Give it back with `Streams.close`."""

    api_key_id: int
    organization_id: int
    of_key: int = 0  # how many its key may have at once
    stream: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def names(self) -> tuple[str, str]:
        """Under which Valkey has the streams of the key and of its organisation, both in one slot of a cluster."""
        organization = f"streams:{{{self.organization_id}}}"
        return f"{organization}:{self.api_key_id}", organization


class Streams:
    """One for an event loop."""

    def __init__(self, scripts: Scripts, *, workers: int) -> None:
        self._scripts = scripts
        self._workers = max(1, workers)
        self._held: dict[str, Lease] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, principal: Principal) -> Lease:
        """Raises `ApiError`: 429 when the key or its organisation has too many streams, 503 when this process has."""
        if len(self._held) >= settings.GATEWAY_STREAMS_PER_PROCESS:
            raise errors.unavailable(
                "As many streams are open here as can be served. Try again in a moment.",
                code="too_many_streams",
                hint="GATEWAY_STREAMS_PER_PROCESS are open: run more workers, or raise it",
                retry_after=1,
            )
        of_key = principal.parallel_streams or settings.GATEWAY_STREAMS_PER_KEY
        lease = Lease(principal.api_key_id, principal.organization_id, of_key)
        self._held[lease.stream] = lease  # while Valkey is asked, too
        try:
            full = await self._place(lease)
        except BaseException:
            self.close(lease)  # it may be entered all the same
            raise
        if full:
            del self._held[lease.stream]
            raise _too_many(full, lease)
        return lease

    def close(self, lease: Lease) -> None:
        """It has ended. Valkey is told, but nobody waits for that."""
        if self._held.pop(lease.stream, None) is not None:
            task = asyncio.create_task(self._give_back(lease))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def renew(self) -> None:
        """Say of all that are open that they still are."""
        together: dict[tuple[str, str], list[str]] = defaultdict(list)
        for lease in self._held.values():
            together[lease.names].append(lease.stream)
        asked = [self._scripts.run(RENEW, names, [LEASE_SECONDS * 1000, *ids]) for names, ids in together.items()]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, AwayError):
                log.info("streams are renewed when Valkey is back")
            elif isinstance(answer, BaseException):
                raise answer

    async def drain(self) -> None:
        """Wait until Valkey knows what has ended."""
        if self._closing:
            await asyncio.wait(self._closing)

    async def _place(self, lease: Lease) -> int:
        """0 when there is room, 1 when the key has too many, 2 when its organisation has."""
        limits = (lease.of_key, settings.GATEWAY_STREAMS_PER_ORGANIZATION)
        try:
            return int(await self._scripts.run(OPEN, lease.names, [lease.stream, LEASE_SECONDS * 1000, *limits]))
        except AwayError:
            return self._place_here(lease, limits)

    def _place_here(self, lease: Lease, limits: tuple[int, int]) -> int:
        for which, (name, limit) in enumerate(zip(lease.names, limits, strict=True)):
            of_name = sum(one.names[which] == name for one in self._held.values())  # this one among them
            if of_name > math.ceil(limit / self._workers):
                return which + 1
        return 0

    async def _give_back(self, lease: Lease) -> None:
        try:
            await self._scripts.run(CLOSE, lease.names, [lease.stream])
        except AwayError:
            log.info("a stream's lease runs out by itself: Valkey is away")


def _too_many(full: int, lease: Lease) -> errors.ApiError:
    if full == 1:
        whose, limit = "This key", lease.of_key
    else:
        whose, limit = "Your organisation", settings.GATEWAY_STREAMS_PER_ORGANIZATION
    return errors.ApiError(
        429,
        f"{whose} has {limit} streams open, as many as it may have at once. Wait until one ends, or close one.",
        type="rate_limit_error",
        code="too_many_streams",
        headers={"retry-after": "1"},
    )
