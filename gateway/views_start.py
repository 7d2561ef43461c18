"""The first minute: a key, lines to paste, and the first request seen as it comes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import attempts, key_life, organizations
from accounts.attempts import limited, person
from accounts.key_life import KeyChangedError
from accounts.models import ApiKey, NotIssuedError, User
from accounts.roles import May, MemberRequest, may, member_page
from billing import wallets
from gateway import start
from gateway.first_model import working_model
from gateway.samples import for_key
from gateway.start import Seen

NAME = "First key"
PATIENCE = timedelta(minutes=30)  # how long a page asks whether something has come
STOP_ASKING = 286  # by which htmx knows that it need not ask again
RECEIPT = "gateway:requests-request"


@limited(attempts.KEYS, person)
@require_http_methods(["GET", "HEAD", "POST"])
@member_page(May.LOOK, May.MAKE_KEYS)
def start_page(request: MemberRequest) -> HttpResponse:
    """GET shows how far somebody is. POST makes their key, gives it a new secret, or ends this."""
    if request.method != "POST":
        return _page(request, start.own_key(request.membership))
    if "skip" in request.POST:
        organizations.note_started(request.membership)
        return redirect(organizations.FIRST_PAGE, request.membership.organization.slug)
    try:
        key, secret = _renew(request) if "seen" in request.POST else _make(request)
    except (KeyChangedError, NotIssuedError) as error:
        messages.warning(request, str(error))
        return redirect("gateway:start", request.membership.organization.slug)
    return _page(request, key, secret)


@require_safe
@member_page(May.LOOK)
def seen(request: MemberRequest) -> HttpResponse:
    """The third step alone, when it differs from what the page says already: asked each second."""
    key = start.own_key(request.membership, _number(request.GET.get("key", "")))
    if key is None:  # it was revoked meanwhile
        return HttpResponse(headers={"HX-Refresh": "true"})
    found = start.look(key, timezone.now())
    if found.is_finished:
        organizations.note_started(request.membership)
    tired = timezone.now() > _since(request) + PATIENCE
    if not tired and _state(found) == request.GET.get("state"):
        return HttpResponse(status=204)
    page = {**_third(request, key, found), "tired": tired and not found.is_finished}
    return render(request, "gateway/start_seen.html", page, status=STOP_ASKING if tired else 200)


def _make(request: MemberRequest) -> tuple[ApiKey, str]:
    """Raises `KeyChangedError` when the form was sent before, and `NotIssuedError`."""
    return key_life.create(
        request,
        request.membership.organization,
        form=_form(request),
        owner=cast("User", request.user),
        name=NAME,
        note="Made at the start, to try the gateway with.",
    )


def _renew(request: MemberRequest) -> tuple[ApiKey, str]:
    """Another secret in place of one that somebody has lost. Raises `KeyChangedError`."""
    key = start.own_key(request.membership)
    if key is None:
        return _make(request)
    return key_life.rotate(request, key, seen=_number(request.POST["seen"]), hours=0)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _form(request: HttpRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get("form", ""))
    except ValueError:
        return uuid.uuid4()


def _page(request: MemberRequest, key: ApiKey | None, secret: str = "") -> HttpResponse:
    found = start.look(key, timezone.now()) if key else Seen()
    if found.is_finished:
        organizations.note_started(request.membership)
    wallet = wallets.of(request.membership.organization)
    page = {
        "may_make": may(request.membership, May.MAKE_KEYS),
        "may_pay": may(request.membership, May.MANAGE_BILLING),
        "form_id": uuid.uuid4(),
        "secret": secret,
        "samples": for_key(key, secret or key.hint) if key else [],
        "model": working_model(key) if key else None,
        "is_broke": wallet.available_nano <= 0,
        **_third(request, key, found),
    }
    return render(request, "gateway/start.html", page)


def _third(request: MemberRequest, key: ApiKey | None, found: Seen) -> dict[str, Any]:
    event = found.done or found.failed
    return {
        "key": key,
        "newest": key.secrets.first() if key else None,
        "seen": found,
        "state": _state(found),
        "since": int(_since(request).timestamp()),
        "event": event,
        "way_out": start.way_out(event) if event else "",
        "receipt": _receipt(request, event.pk) if event else "",
        "first_page": reverse(organizations.FIRST_PAGE, args=[request.membership.organization.slug]),
    }


def _receipt(request: MemberRequest, number: uuid.UUID) -> str:
    """The request's own page, for who may see it."""
    if not may(request.membership, May.SEE_REQUESTS):
        return ""
    try:
        return reverse(RECEIPT, args=[request.membership.organization.slug, number])
    except NoReverseMatch:
        return ""


def _state(found: Seen) -> str:
    """Changes when there is something else to say."""
    for name in ("done", "failed", "under_way"):
        row = getattr(found, name)
        if row is not None:
            return f"{name}:{row.pk}"
    return "used" if found.long_ago else "none"


def _since(request: HttpRequest) -> datetime:
    """When the page that asks was made."""
    given = request.GET.get("since", "")
    if given.isascii() and given.isdigit() and len(given) < 12:
        return min(datetime.fromtimestamp(int(given), UTC), timezone.now())
    return timezone.now()
