"""Being signed in, without the form."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from playwright.sync_api import BrowserContext

from accounts.models import User

DOORS = ("/sign-in/?", "/account/confirm/")  # behind which a page would be that nobody has looked at
NO_PAGE = {302, 405}  # what only passes on, or only takes what forms send


def enter(context: BrowserContext, origin: str, user: User | None) -> None:
    """The window is that person's from now on. Nobody in particular is a visitor."""
    if user is not None:
        value = session_of(user, timezone.now())
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": origin}])


def answers_with_a_page(context: BrowserContext, origin: str, url: str, status: int) -> bool:
    """Whether there is anything to look at. Fails when the answer is neither that nor what passes on."""
    cookies = {one["name"]: one["value"] for one in context.cookies() if one["name"] == settings.SESSION_COOKIE_NAME}
    answer = httpx.get(f"{origin}{url}", cookies=cookies)
    assert answer.status_code in {status, *NO_PAGE}, f"{url} answers {answer.status_code}"
    assert not answer.headers.get("location", "").startswith(DOORS), f"{url} is shut: {answer.headers['location']}"
    # What htmx asks for is HTML too, but a piece of a page and not one.
    return answer.status_code == status and answer.text[:20].lstrip().lower().startswith("<!doctype html")


def session_of(user: User, now: datetime) -> str:
    """The key of a new session, in which the password has just been given, and once more for what asks for it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    given = {"method": "password", "at": now.timestamp(), "email": user.email, "reauthenticated": True}
    store["account_authentication_methods"] = [given]
    store["account_authentication_methods_user"] = str(user.pk)
    store.save()
    return str(store.session_key)
