"""Where a person is signed in. allauth notes each sign-in; here is noted when it was last used, and all is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.addresses import client_address
from accounts.models import User

SECONDS = 300  # the grain of "last seen": a page costs no more than one write in this time


class LastSeenMiddleware:
    """Notes when and from where a session was last used. Forgone while the cache does not answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            settings.SESSION_COOKIE_NAME in request.COOKIES
            and request.user.is_authenticated
            and request.session.session_key
        ):
            _note(request)
        return response


def _note(request: HttpRequest) -> None:
    key = request.session.session_key
    try:
        due = cache.add(f"seen:{key}", 1, SECONDS)
    except (RedisError, OSError):
        return
    if due:
        UserSession.objects.filter(session_key=key).update(last_seen_at=timezone.now(), ip=client_address(request))


def listed(user: User) -> list[UserSession]:
    """The sessions that still hold, the newest first."""
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(found, key=lambda session: session.last_seen_at, reverse=True)


def end(sessions: Iterable[UserSession]) -> None:
    """Whoever holds one of them is signed out at their next request."""
    for session in sessions:
        session.end()
