"""Tokens a minute, exactly: a bucket that holds a minute's worth of them and fills all the time.

In any stretch of time a key uses at most one bucket, and what flows in meanwhile, over all workers together. What a
request may use is taken before it is sent, and what it did not use is put back when it has ended, less what has
flowed in since: that was its own, and is not given twice. When Valkey is away each worker keeps a bucket with its
share of the limit.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from gateway.limits import CLOCK, COUNT, LOCAL_KEYS, WINDOW_MS, LocalLimiter, Verdict, log_of
from gateway.scripts import AwayError, Scripts

ROUNDING = 1e-6  # of a token: what fractions in flow may be off by

# What is missing in the bucket, and since when: `missing:at` in milliseconds of unix time.
READ = f"""
local function missing(name, limit, now)
  local kept = redis.call('GET', name)
  if not kept then return 0 end
  local amount, at = string.match(kept, '^(.*):(.*)$')
  return math.max(0, tonumber(amount) - math.max(0, now - tonumber(at)) * limit / {WINDOW_MS})
end
local function keep(name, limit, now, amount)
  if amount <= {ROUNDING} then redis.call('DEL', name) return end
  local lasts = math.ceil(amount * {WINDOW_MS} / limit) + 1000
  redis.call('SET', name, string.format('%.17g:%d', amount, now), 'PX', string.format('%d', lasts))
end
{CLOCK}"""
# KEYS the log of requests, the bucket; ARGV limit of requests, window, limit of tokens
# -> a place in the log (0 when it has none, or the bucket is empty), remaining, reset, now in ms, what is missing
ADMIT = f"""{READ}
local tokens = tonumber(ARGV[3])
local lacks = missing(KEYS[2], tokens, now)
local room = lacks + 1 <= tokens + {ROUNDING}
{COUNT}
return {{allowed, remaining, reset, now, string.format('%.17g', lacks)}}
"""
# KEYS the bucket; ARGV limit, tokens -> 1 when they were taken, what is missing now as text, now in ms
TAKE = f"""{READ}
local limit, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])
local lacks, taken = missing(KEYS[1], limit, now), 0
if lacks + tokens <= limit + {ROUNDING} then
  lacks, taken = lacks + tokens, 1
  keep(KEYS[1], limit, now, lacks)
end
return {{taken, string.format('%.17g', lacks), now}}
"""
# KEYS the bucket; ARGV limit, tokens that were taken, tokens that were used, when they were taken
RETURN = f"""{READ}
local limit = tonumber(ARGV[1])
local change = ARGV[3] - ARGV[2]
if change < 0 then change = math.min(0, change + math.max(0, now - ARGV[4]) * limit / {WINDOW_MS}) end
keep(KEYS[1], limit, now, missing(KEYS[1], limit, now) + change)
return 0
"""


@dataclass(frozen=True, slots=True)
class Level:
    """What is in a bucket at one moment."""

    limit: int
    missing: float
    now_ms: int

    @property
    def remaining(self) -> int:
        return max(0, math.floor(self.limit - self.missing + ROUNDING))

    def seconds_until(self, tokens: int) -> float:
        """Until so many are in it."""
        return max(0.0, self.missing + tokens - self.limit) * WINDOW_MS / 1000 / self.limit

    def headers(self) -> dict[str, str]:
        """OpenAI's names; the reset is when the bucket is full again."""
        return {
            "x-ratelimit-limit-tokens": str(self.limit),
            "x-ratelimit-remaining-tokens": str(self.remaining),
            "x-ratelimit-reset-tokens": f"{self.seconds_until(self.limit):.3f}s",
        }


def bucket_of(api_key_id: int) -> str:
    """The name under which Valkey has the bucket of a key, in the same slot as its log of requests."""
    return f"tpm:{{{api_key_id}}}"


class Buckets:
    """One for an event loop."""

    def __init__(self, scripts: Scripts, *, workers: int) -> None:
        self._scripts = scripts
        self._local = LocalBuckets(workers=workers)
        self._local_requests = LocalLimiter(workers=workers)

    async def admit(self, api_key_id: int, *, requests: int, limit: int) -> tuple[Verdict, Level]:
        """Count one request, unless there is no place for it or its bucket is empty: in one round trip for both.

        `requests` and `limit` are what the key may have a minute of requests and of tokens.
        """
        names = [log_of(api_key_id), bucket_of(api_key_id)]
        try:
            *row, missing = await self._scripts.run(ADMIT, names, [requests, WINDOW_MS, limit])
        except AwayError:
            level = self._local.look(names[1], limit)
            return self._local_requests.take(names[0], requests, room=level.remaining > 0), level
        verdict = Verdict(row[0] == 1, limit=requests, remaining=row[1], reset_ms=row[2], now_ms=row[3])
        return verdict, Level(limit, float(missing), row[3])

    async def take(self, api_key_id: int, limit: int, tokens: int) -> tuple[bool, Level]:
        """So many, if they are there; and what is there then."""
        name = bucket_of(api_key_id)
        try:
            taken, missing, now = await self._scripts.run(TAKE, [name], [limit, tokens])
        except AwayError:
            return self._local.take(name, limit, tokens)
        return taken == 1, Level(limit, float(missing), now)

    async def put_back(self, api_key_id: int, level: Level, *, taken: int, used: int) -> None:
        """The difference, to the bucket that `level` was told of when it was taken."""
        name = bucket_of(api_key_id)
        try:
            await self._scripts.run(RETURN, [name], [level.limit, taken, used, level.now_ms])
        except AwayError:
            self._local.put_back(name, level, taken=taken, used=used)


class LocalBuckets:
    """The same in this process's memory, at this worker's share of the limit."""

    def __init__(self, *, workers: int) -> None:
        self._workers = max(1, workers)
        self._missing: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str, limit: int, tokens: int) -> tuple[bool, Level]:
        now, share = _now(), math.ceil(limit / self._workers)
        missing = self._lacks(name, share, now)
        taken = missing + tokens <= share + ROUNDING
        if taken:
            missing += tokens
            self._keep(name, missing, now)
        return taken, Level(limit, missing + limit - share, now)

    def look(self, name: str, limit: int) -> Level:
        now, share = _now(), math.ceil(limit / self._workers)
        return Level(limit, self._lacks(name, share, now) + limit - share, now)

    def put_back(self, name: str, level: Level, *, taken: int, used: int) -> None:
        now, share = _now(), math.ceil(level.limit / self._workers)
        change = float(used - taken)
        if change < 0:
            change = min(0.0, change + max(0, now - level.now_ms) * share / WINDOW_MS)
        self._keep(name, max(0.0, self._lacks(name, share, now) + change), now)

    def _lacks(self, name: str, share: int, now: int) -> float:
        missing, at = self._missing.get(name, (0.0, now))
        return max(0.0, missing - max(0, now - at) * share / WINDOW_MS)

    def _keep(self, name: str, missing: float, now: int) -> None:
        self._missing[name] = (missing, now)
        self._missing.move_to_end(name)
        if len(self._missing) > LOCAL_KEYS:
            self._missing.popitem(last=False)


def _now() -> int:
    return int(time.time() * 1000)
