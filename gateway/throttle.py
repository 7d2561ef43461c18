"""The limit of a key, for the management API: the window in Valkey that `gateway.limits` keeps, without asyncio."""

from __future__ import annotations

import logging
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from gateway import errors
from gateway.limits import SCRIPT, WINDOW_MS, LocalLimiter, Verdict, log_of
from gateway.scripts import OPEN_SECONDS, TIMEOUT_SECONDS

if TYPE_CHECKING:  # it imports this module, which the settings name
    from rest_framework.views import APIView

log = logging.getLogger(__name__)


class BlockingLimiter:
    """One for a process; threads may share it. While Valkey is away it keeps its own log, and says so."""

    def __init__(self, valkey: redis.Redis, *, workers: int) -> None:
        self._script = valkey.register_script(SCRIPT)
        self._local = LocalLimiter(workers=workers)
        self._lock = threading.Lock()
        self._closed_until = 0.0

    def take(self, api_key_id: int, limit: int) -> Verdict:
        """Count one request of this key against its `limit`, if there is room."""
        if time.monotonic() < self._closed_until:
            return self._take_locally(api_key_id, limit)
        try:
            allowed, remaining, reset_ms, now_ms = self._script(keys=[log_of(api_key_id)], args=[limit, WINDOW_MS])
        except (RedisError, OSError) as error:
            self._closed_until = time.monotonic() + OPEN_SECONDS
            log.warning("Valkey does not answer; limits are kept by each worker: %s", type(error).__name__)
            return self._take_locally(api_key_id, limit)
        return Verdict(allowed == 1, limit=limit, remaining=remaining, reset_ms=reset_ms, now_ms=now_ms)

    def _take_locally(self, api_key_id: int, limit: int) -> Verdict:
        with self._lock:
            return self._local.take(log_of(api_key_id), limit)


@cache
def limiter() -> BlockingLimiter:
    valkey: redis.Redis = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
    )
    return BlockingLimiter(valkey, workers=settings.GATEWAY_WORKERS)


class KeyThrottle(BaseThrottle):
    """Counts the request, and leaves the verdict with it for the headers of whatever the answer turns out to be."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = request.auth
        verdict = limiter().take(key.pk, key.requests_per_minute or settings.GATEWAY_DEFAULT_RPM)
        request._request.verdict = verdict  # noqa: SLF001 - the only name that it has
        if not verdict.allowed:
            raise errors.rate_limited(verdict.limit, verdict.retry_after)
        return True
