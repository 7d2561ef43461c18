"""Requests a minute, exactly: never more than the limit in *any* 60 seconds, over all workers together.

A log of instants a key in Valkey, read and written by one script, so that two workers cannot both take the last
place. Refused requests are not recorded: a program that hammers recovers as soon as its window moves. When Valkey is
away each worker keeps its own log with its share of the limit, and the answer says so: a broken limiter must not
break the API.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from gateway.scripts import AwayError, Scripts

WINDOW_MS = 60_000
LOCAL_KEYS = 10_000

CLOCK = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""
# Takes a place in the log of KEYS[1] when there is one, and `room` for anything else that is asked of a request.
COUNT = """
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
while true do
  local head = redis.call('LINDEX', KEYS[1], 0)
  if head and tonumber(head) <= now - window then redis.call('LPOP', KEYS[1]) else break end
end
local count, allowed = redis.call('LLEN', KEYS[1]), 0
if count < limit and room then
  redis.call('RPUSH', KEYS[1], now)
  count, allowed = count + 1, 1
  redis.call('PEXPIRE', KEYS[1], window + 1000)
end
local head = tonumber(redis.call('LINDEX', KEYS[1], 0) or now)
local remaining, reset = math.max(limit - count, 0), head + window
"""
# KEYS[1]; ARGV limit, window -> allowed, remaining, reset in ms of unix time, now in ms
SCRIPT = f"{CLOCK}local room = true{COUNT}return {{allowed, remaining, reset, now}}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what the caller is told about it."""

    allowed: bool
    limit: int
    remaining: int
    reset_ms: int  # unix time at which the oldest counted request leaves the window
    now_ms: int
    degraded: bool = False

    @property
    def retry_after(self) -> int:
        """Whole seconds until a place is free, at least 1."""
        return max(1, math.ceil((self.reset_ms - self.now_ms) / 1000))

    def headers(self) -> dict[str, str]:
        """The three headers of the reference, then OpenAI's own names for those who read them."""
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(math.ceil(self.reset_ms / 1000)),
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{max(0, self.reset_ms - self.now_ms) / 1000:.3f}s",
        }
        if self.degraded:
            headers["x-ratelimit-policy"] = "degraded"
        return headers


def log_of(api_key_id: int) -> str:
    """The name under which Valkey has the log of a key."""
    return f"rpm:{{{api_key_id}}}"


class Limiter:
    """One for an event loop."""

    def __init__(self, scripts: Scripts, *, workers: int) -> None:
        self._scripts = scripts
        self._local = LocalLimiter(workers=workers)

    async def take(self, api_key_id: int, limit: int) -> Verdict:
        """Count one request of this key against its `limit`, if there is room."""
        return await self.take_from(log_of(api_key_id), limit)

    async def take_from(self, name: str, limit: int) -> Verdict:
        """Count one of whatever the log of that name is a log of."""
        try:
            row = await self._scripts.run(SCRIPT, [name], [limit, WINDOW_MS])
        except AwayError:
            return self._local.take(name, limit)
        return Verdict(allowed=row[0] == 1, limit=limit, remaining=row[1], reset_ms=row[2], now_ms=row[3])


class LocalLimiter:
    """The same window in this process's memory, at this worker's share of the limit."""

    def __init__(self, *, workers: int) -> None:
        self._workers = max(1, workers)
        self._logs: OrderedDict[str, deque[int]] = OrderedDict()

    def take(self, name: str, limit: int, *, room: bool = True) -> Verdict:
        share = math.ceil(limit / self._workers)
        now = int(time.time() * 1000)
        instants = self._logs.setdefault(name, deque())
        self._logs.move_to_end(name)
        if len(self._logs) > LOCAL_KEYS:
            self._logs.popitem(last=False)
        while instants and instants[0] <= now - WINDOW_MS:
            instants.popleft()
        allowed = room and len(instants) < share
        if allowed:
            instants.append(now)
        return Verdict(
            allowed=allowed,
            limit=limit,
            remaining=max(0, share - len(instants)),
            reset_ms=(instants[0] if instants else now) + WINDOW_MS,
            now_ms=now,
            degraded=True,
        )
