"""How often somebody may try: counted by network and by account separately, in the shared cache.

By network, so that one machine cannot try many accounts; by account, so that many machines cannot try one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts.addresses import client_network

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one kind of form may be sent, by one network and about one account."""

    name: str
    per_network: str
    per_account: str
    closed: str = "Nobody can sign in while a part of the gateway does not answer. The API is not affected."


SIGN_IN = Limits("sign-in", "20/5m", "10/15m")
SIGN_UP = Limits("sign-up", "20/h", "5/h")
RESET = Limits("reset", "20/h", "5/h")
CODE = Limits("code", "30/5m", "10/15m")  # what a mail, an authenticator app or a list of recovery codes says
CONFIRM = Limits("confirm", "30/5m", "10/15m")  # the password again, before something that matters
PLAYGROUND = Limits("playground", "240/h", "60/h")  # secrets for its pages, each of which works for half an hour
PAY = Limits("pay", "60/h", "20/h")  # each asks Stripe for something
CHANGE = Limits("change", "60/h", "20/h")  # forms of whoever is signed in
KEYS = Limits(  # making, changing, rotating and revoking them
    "keys", "600/h", "200/h", "Keys cannot be changed while a part of the gateway does not answer. They go on working."
)


class AttemptsUnknownError(Exception):
    """The cache does not answer, so nobody knows how many attempts there were."""


def count(request: HttpRequest, limits: Limits, account: str) -> int:
    """Count one attempt. Returns the seconds to wait, 0 when the attempt may go on.

    An attempt that its network may not make is not counted against the account, so that nobody is locked
    out by a machine that is itself locked out. An account that is not named is not counted. Raises
    `AttemptsUnknownError`.
    """
    counted = [("network", client_network(request), limits.per_network)]
    if account.strip():
        counted.append(("account", account.strip().lower(), limits.per_account))
    for group, value, rate in counted:
        seconds = _count(request, group=f"{limits.name}:{group}:", value=value, rate=rate)
        if seconds:
            return seconds
    return 0


def _count(request: HttpRequest, *, group: str, value: str, rate: str) -> int:
    try:
        usage = get_usage(request, group=group, key=lambda _group, _request: value, rate=rate, increment=True)
    except (RedisError, OSError) as error:
        raise AttemptsUnknownError from error
    if usage is None or usage["time_left"] < 0:
        raise AttemptsUnknownError
    return max(1, usage["time_left"]) if usage["should_limit"] else 0


View = Callable[..., HttpResponseBase]


def limited(limits: Limits, account: Callable[[HttpRequest], str]) -> Callable[[View], View]:
    """For views with a form: too many are refused with 429, and all with 503 while nobody can count them."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in {"GET", "HEAD", "OPTIONS"}:
                return view(request, *args, **kwargs)
            try:
                seconds = count(request, limits, account(request))
            except AttemptsUnknownError:
                log.error("%s is closed: Valkey does not answer, so attempts cannot be counted", limits.name)
                return unavailable(request, limits.closed)
            return too_many(request, seconds) if seconds else view(request, *args, **kwargs)

        return wrapped

    return decorate


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    response = render(request, "429.html", {"minutes": math.ceil(seconds / 60)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def unavailable(request: HttpRequest, reason: str) -> HttpResponse:
    response = render(request, "503.html", {"reason": reason}, status=503)
    response.headers["Retry-After"] = "60"
    return response


# -- whose attempt it is ---------------------------------------------------------------------------


def nobody(request: HttpRequest) -> str:
    """Only the network is counted: the form names nobody before it is checked."""
    return ""


def named_as(field: str) -> Callable[[HttpRequest], str]:
    """Whom the form names."""
    return lambda request: request.POST.get(field, "")


def person(request: HttpRequest) -> str:
    """Whoever is signed in."""
    return str(request.user.pk or "")


def on_the_way_in(request: HttpRequest) -> str:
    """Whoever has said their password and not yet their second factor."""
    return _kept(request, "account_login", "user_pk")


def verifying(request: HttpRequest) -> str:
    """Whose address is being verified."""
    return _kept(request, "account_email_verification_code", "email")


def resetting(request: HttpRequest) -> str:
    """Whose password is being replaced."""
    return _kept(request, "account_password_reset_verification", "email")


def _kept(request: HttpRequest, key: str, name: str) -> str:
    """What allauth remembers in the session of a way that was begun."""
    state = request.session.get(key)
    return str(state.get(name) or "") if isinstance(state, dict) else ""
