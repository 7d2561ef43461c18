"""Callers without a right key, counted by the address that they come from: who floods or guesses is told to wait.

A right key never pays for the wrong ones of its neighbours. It is not counted here, and one that this process has
seen to be right is asked about again however many wrong ones there were. Only keys that nobody here has seen are
left unanswered, without a look-up, once ten *different* wrong ones came from the same address within a minute: one
program with an old key does not bring that about. A private address may be a proxy that many callers share, so from
there every key is looked up.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict

from django.conf import settings

from gateway import errors
from gateway.limits import Limiter

CAPACITY = 10_000  # full logs that are remembered, so that a flood does not ask Valkey each time


class Strangers:
    """One for an event loop."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._full_until: OrderedDict[str, float] = OrderedDict()

    def check_may_ask(self, network: str) -> None:
        """Raises `ApiError` (429) when so many wrong keys came from there that an unknown one is not looked up."""
        wait = self._wait(_log(network, "new"))
        if wait and _is_public(network):
            raise errors.too_many_strangers(wait)

    async def turn_away(
        self, network: str, error: errors.ApiError, *, guessed: bool = False, new: bool = False
    ) -> errors.ApiError:
        """What to answer: `error`, or 429 when there were too many of these. `guessed` when there was a key, but no
        right one; `new` when it was looked up for the first time."""
        logs = {"all": settings.GATEWAY_STRANGERS_RPM}
        if guessed:
            logs["bad"] = settings.GATEWAY_BAD_KEYS_RPM
        if new:
            logs["new"] = settings.GATEWAY_BAD_KEYS_RPM
        waits = await asyncio.gather(*(self._take(_log(network, name), limit) for name, limit in logs.items()))
        return errors.too_many_strangers(max(waits)) if any(waits) else error

    async def _take(self, name: str, limit: int) -> int:
        """Seconds to wait, or 0 when there was room."""
        wait = self._wait(name)
        if wait:
            return wait
        verdict = await self._limiter.take_from(name, limit)
        if not verdict.remaining:
            self._full_until[name] = time.monotonic() + (verdict.reset_ms - verdict.now_ms) / 1000
            if len(self._full_until) > CAPACITY:
                self._full_until.popitem(last=False)
        return 0 if verdict.allowed else verdict.retry_after

    def _wait(self, name: str) -> int:
        left = self._full_until.get(name, 0.0) - time.monotonic()
        if left <= 0:
            self._full_until.pop(name, None)
            return 0
        return max(1, math.ceil(left))


def _log(network: str, name: str) -> str:
    return f"strangers:{{{network}}}:{name}"


def _is_public(network: str) -> bool:
    try:
        return ipaddress.ip_network(network).is_global
    except ValueError:
        return False  # a socket without an address: a proxy on this machine
