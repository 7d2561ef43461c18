"""How often somebody may try to sign in: counted by network and by account separately, in the shared cache.

By network, so that one machine cannot try many accounts; by account, so that many machines cannot try one.
"""

from __future__ import annotations

from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts.addresses import client_network

PER_NETWORK = "20/5m"
PER_ACCOUNT = "10/15m"


class AttemptsUnknownError(Exception):
    """The cache does not answer, so nobody knows how many attempts there were."""


def count(request: HttpRequest, account: str) -> int:
    """Count one attempt to sign in. Returns the seconds to wait, 0 when the attempt may go on.

    An attempt that its network may not make is not counted against the account, so that nobody is locked
    out by a machine that is itself locked out. Raises `AttemptsUnknownError`.
    """
    limits = [("network", client_network(request), PER_NETWORK), ("account", account.strip().lower(), PER_ACCOUNT)]
    for group, value, rate in limits:
        seconds = _count(request, group=group, value=value, rate=rate)
        if seconds:
            return seconds
    return 0


def _count(request: HttpRequest, *, group: str, value: str, rate: str) -> int:
    try:
        usage = get_usage(
            request, group=f"sign-in:{group}:", key=lambda _group, _request: value, rate=rate, increment=True
        )
    except (RedisError, OSError) as error:
        raise AttemptsUnknownError from error
    if usage is None or usage["time_left"] < 0:
        raise AttemptsUnknownError
    return max(1, usage["time_left"]) if usage["should_limit"] else 0
