"""The pages about keys: the list, a new one, and the end of several at once."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import attempts, key_life, keys
from accounts.addresses import client_address
from accounts.attempts import limited, person
from accounts.key_life import KeyChangedError
from accounts.models import ApiKey, NotIssuedError, Project, User
from accounts.roles import May, MemberRequest, may, member_page, require
from billing import key_budgets, key_usage
from gateway.keys_forms import SERVICE, KeyForm
from gateway.keys_list import KeyList, may_change
from gateway.samples import for_key

page_with_form = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@member_page(May.SEE_KEYS)
def list_keys(request: MemberRequest) -> HttpResponse:
    asked = request.GET.get("q", "")
    if keys.PATTERN.search(asked):  # a secret was pasted: it is to stand in no address for longer than that
        query = request.GET.copy()
        query["q"] = keys.PATTERN.sub(lambda found: keys.hint(keys.first4(found[0]), found[0][-4:]), asked)
        return redirect(f"{request.path}?{query.urlencode()}")
    found = KeyList(request, request.membership)
    page = {"list": found, "sort": found.form.chosen("sort"), "may_make": may(request.membership, May.MAKE_KEYS)}
    return render(request, "gateway/keys.html", page)


@limited(attempts.KEYS, person)
@page_with_form
@member_page(May.MAKE_KEYS)
def new_key(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    initial = {"project": Project.objects.default_of(organization).pk}
    form = KeyForm(request.POST or None, membership=request.membership, initial=initial)
    if form.is_valid():
        try:
            key, secret = _make(request, form)
        except NotIssuedError as error:
            form.add_error(None, str(error))
        except KeyChangedError as error:
            messages.info(request, str(error))
            return redirect("gateway:keys-key", organization.slug, error.key.pk)
        else:
            return show_secret(request, key, secret)
    page = {"form": form, "address": client_address(request), "title": "New key"}
    return render(request, "gateway/keys_new.html", page)


@limited(attempts.KEYS, person)
@page_with_form
@member_page(May.MAKE_KEYS)
def revoke_keys(request: MemberRequest) -> HttpResponse:
    """Asks first, and says what stops; as a page, or as what a dialog of the list holds."""
    organization = request.membership.organization
    chosen = chosen_keys(request)
    if not chosen:
        messages.warning(request, "No key was chosen that can be revoked.")
        return redirect("gateway:keys", organization.slug)
    if request.method == "POST":
        revoked = key_life.revoke(request, [key.pk for key in chosen])
        messages.success(request, _revoked(revoked))
        return redirect("gateway:keys", organization.slug)
    is_part = request.headers.get("HX-Request") and not request.headers.get("HX-Boosted")
    name = "keys_revoke_part" if is_part else "keys_revoke"
    return render(request, f"gateway/{name}.html", {"lines": what_stops(request, chosen), "count": len(chosen)})


def show_secret(request: MemberRequest, key: ApiKey, secret: str, *, earlier: Any = None) -> HttpResponse:
    """The answer to the form itself: nothing remembers the secret, and no address leads here again."""
    page = {"key": key, "secret": secret, "samples": for_key(key, secret), "earlier": earlier}
    return render(request, "gateway/keys_secret.html", page)


def chosen_keys(request: MemberRequest) -> list[ApiKey]:
    """Those that are named in the request and not revoked. Raises `PermissionDenied` for others' keys."""
    given = (request.POST if request.method == "POST" else request.GET).getlist("key")
    numbers = {int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 19}
    found = ApiKey.objects.of(request.membership.organization).ordinary().filter(pk__in=numbers, revoked_at=None)
    chosen = list(found.with_standing().select_related("project", "owner").order_by("name"))
    if not all(may_change(request.membership, key) for key in chosen):
        require(request.membership, May.MANAGE_KEYS)
    return chosen


def what_stops(request: MemberRequest, chosen: list[ApiKey]) -> list[tuple[ApiKey, int]]:
    """Each key with its requests of the last 24 hours."""
    numbers = [key.pk for key in chosen]
    counts = key_usage.requests_of_a_day(request.membership.organization, numbers, timezone.now())
    return [(key, counts.get(key.pk, 0)) for key in chosen]


@transaction.atomic
def _make(request: MemberRequest, form: KeyForm) -> tuple[ApiKey, str]:
    service = form.cleaned_data.get("holder") == SERVICE
    key, secret = key_life.create(
        request,
        request.membership.organization,
        form=form.cleaned_data["form"],
        owner=None if service else cast("User", request.user),
        **form.columns,
    )
    if "budget" in form.fields:
        key_budgets.limit(request, key, form.limit)
    return key, secret


def _revoked(revoked: list[ApiKey]) -> str:
    if len(revoked) == 1:
        return f"The key {revoked[0]} is revoked. Calls with it are refused."
    return f"{len(revoked)} keys are revoked. Calls with them are refused."
