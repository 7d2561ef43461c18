"""The pages about one key: what it does, its settings, its secrets and its end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import attempts, key_life
from accounts.addresses import client_address
from accounts.attempts import limited, person
from accounts.key_life import KeyChangedError
from accounts.models import ApiKey, AuditEvent
from accounts.roles import May, MemberRequest, may, member_page, require
from billing import key_budgets, key_usage
from gateway.keys_forms import KeyForm, RotateForm
from gateway.keys_list import TONES, WORDS, may_change
from gateway.views_keys import show_secret, what_stops

page_with_form = require_http_methods(["GET", "HEAD", "POST"])
EVENTS = 20


@require_safe
@member_page(May.SEE_KEYS)
def key_page(request: MemberRequest, key: int) -> HttpResponse:
    found, now = _find(request, key), timezone.now()
    organization = request.membership.organization
    page = {
        "key": found,
        "tone": TONES[found.status],
        "words": WORDS[found.status],
        "month": key_usage.month_of(organization, found.pk, now),
        "now": now,
        "usual_requests": settings.GATEWAY_DEFAULT_RPM,
        "usual_streams": settings.GATEWAY_STREAMS_PER_KEY,
        "budgets": key_budgets.by_key(organization, now).get(found.pk, []),
        "secrets": found.secrets.select_related("use"),
        "may_change": may_change(request.membership, found) and found.revoked_at is None,
        "events": _events(request, found) if may(request.membership, May.SEE_AUDIT) else None,
    }
    return render(request, "gateway/keys_key.html", page)


@limited(attempts.KEYS, person)
@page_with_form
@member_page(May.MAKE_KEYS)
def edit_key(request: MemberRequest, key: int) -> HttpResponse:
    found = _find(request, key, change=True)
    if found.revoked_at is not None:
        return _over(request, found)
    form = KeyForm(request.POST or None, membership=request.membership, key=found, initial=_initial(found))
    if form.is_valid():
        try:
            changed = _save(request, found, form)
        except KeyChangedError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The key {changed.name} is as you set it. That holds from its next call on.")
        return redirect("gateway:keys-key", found.organization.slug, found.pk)
    page = {"form": form, "key": found, "address": client_address(request)}
    return render(request, "gateway/keys_edit.html", page)


@limited(attempts.KEYS, person)
@page_with_form
@member_page(May.MAKE_KEYS)
def rotate_key(request: MemberRequest, key: int) -> HttpResponse:
    found = _find(request, key, change=True)
    if found.revoked_at is not None:
        return _over(request, found)
    newest = found.secrets.select_related("use").first()
    form = RotateForm(request.POST or None, initial={"seen": newest.pk if newest else 0})
    if form.is_valid():
        try:
            changed, secret = key_life.rotate(
                request, found, seen=form.cleaned_data["seen"], hours=form.cleaned_data["hours"]
            )
        except KeyChangedError as error:
            messages.warning(request, str(error))
            return redirect("gateway:keys-key", found.organization.slug, found.pk)
        return show_secret(request, changed, secret, earlier=changed.secrets.all()[1])
    return render(request, "gateway/keys_rotate.html", {"form": form, "key": found, "newest": newest})


@limited(attempts.KEYS, person)
@page_with_form
@member_page(May.MAKE_KEYS)
def revoke_key(request: MemberRequest, key: int) -> HttpResponse:
    found = _find(request, key, change=True)
    if request.method == "POST":
        if key_life.revoke(request, [found.pk]):
            messages.success(request, f"The key {found} is revoked. Calls with it are refused.")
        return redirect("gateway:keys-key", found.organization.slug, found.pk)
    if found.revoked_at is not None:
        return _over(request, found)
    page = {"lines": what_stops(request, [found]), "count": 1, "single": found}
    return render(request, "gateway/keys_revoke.html", page)


@limited(attempts.KEYS, person)
@require_POST
@member_page(May.MAKE_KEYS)
def end_secret(request: MemberRequest, key: int, secret: int) -> HttpResponse:
    found = _find(request, key, change=True)
    try:
        key_life.end_secret(request, found, secret)
    except KeyChangedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The earlier secret has ended. Calls with it are refused.")
    return redirect("gateway:keys-key", found.organization.slug, found.pk)


def _find(request: MemberRequest, pk: int, *, change: bool = False) -> ApiKey:
    """The key, when it is the organisation's. Raises `PermissionDenied` for others' keys that are to be changed, and
    `Http404` for the playground's, of which nothing can be."""
    of_organization = ApiKey.objects.of(request.membership.organization)
    if change:
        of_organization = of_organization.ordinary()
    rows = of_organization.with_standing().select_related("organization", "project", "owner")
    found: ApiKey = get_object_or_404(rows, pk=pk)
    if change and not may_change(request.membership, found):
        require(request.membership, May.MANAGE_KEYS)
    return found


def _over(request: MemberRequest, key: ApiKey) -> HttpResponse:
    messages.warning(request, f"The key {key} is revoked: there is nothing left to change.")
    return redirect("gateway:keys-key", key.organization.slug, key.pk)


def _events(request: MemberRequest, key: ApiKey) -> list[AuditEvent]:
    events = AuditEvent.objects.of(request.membership.organization)
    return list(events.filter(target_kind="apikey", target_id=str(key.pk))[:EVENTS])


def _initial(key: ApiKey) -> dict[str, Any]:
    names = (
        "name", "project", "scopes", "expires_at", "models_allowed", "address_ranges", "requests_per_minute",
        "tokens_per_minute", "parallel_streams", "note",
    )  # fmt: skip
    limit = key_budgets.of(key)
    money = {"budget": limit.nano, "period": limit.period, "hard": limit.hard} if limit else {}
    return {name: getattr(key, name) for name in names} | money


@transaction.atomic
def _save(request: MemberRequest, key: ApiKey, form: KeyForm) -> ApiKey:
    columns = form.columns
    if form.cleaned_data.get("hand_over"):
        columns |= {"owner": None, "service_account": True}
    changed = key_life.change(request, key, **columns)
    if "budget" in form.fields:
        key_budgets.limit(request, changed, form.limit)
    return changed
