"""One's own page: name, address, password, second factor, passkeys, and where one is signed in."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.internal.flows.logout import logout
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import security_log, sessions
from accounts.forms import NameForm
from accounts.models import User
from accounts.models_security import SecurityChange

Kind = Authenticator.Type
EVERYWHERE, OTHERS = "everywhere", "others"


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    factors = list(Authenticator.objects.filter(user=user).order_by("pk"))
    codes = next((factor for factor in factors if factor.type == Kind.RECOVERY_CODES), None)
    page: dict[str, Any] = {
        "verified": EmailAddress.objects.filter(user=user, email=user.email.lower(), verified=True).exists(),
        "app": next((factor for factor in factors if factor.type == Kind.TOTP), None),
        "passkeys": [_passkey(factor) for factor in factors if factor.type == Kind.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "changes": security_log.newest(user),
        "sessions": len(sessions.listed(user)),
        "social": bool(settings.SOCIALACCOUNT_PROVIDERS),
        "connected": [one.get_provider_account().get_brand()["name"] for one in _connected(user)],
    }
    return render(request, "account/account.html", page)


def _passkey(factor: Authenticator) -> dict[str, Any]:
    """`alone` says whether it is enough to sign in with, or only stands beside the password."""
    key = factor.wrap()
    return {
        "pk": factor.pk,
        "name": key.name,
        "alone": key.is_passwordless is not False,
        "created_at": factor.created_at,
        "last_used_at": factor.last_used_at,
    }


def _connected(user: User) -> list[SocialAccount]:
    return list(SocialAccount.objects.filter(user=user)) if settings.SOCIALACCOUNT_PROVIDERS else []


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest) -> HttpResponse:
    user = User.objects.get(pk=cast("User", request.user).pk)  # not the one that the page greets
    form = NameForm(request.POST if request.method == "POST" else None, instance=user)
    if form.is_valid():
        user.save(update_fields=["name"])
        messages.success(request, "Your name is changed.")
        return redirect("accounts:account")
    return render(request, "account/name.html", {"form": form})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def session_list(request: HttpRequest) -> HttpResponse:
    """Where one is signed in. POST ends one session, all others, or all."""
    user = cast("User", request.user)
    if request.method == "POST":
        return _end(request, user, request.POST.get("session", ""))
    return render(request, "account/sessions.html", {"sessions": sessions.listed(user)})


def _end(request: HttpRequest, user: User, which: str) -> HttpResponse:
    mine = UserSession.objects.filter(user=user)
    if which == EVERYWHERE:
        security_log.note(request, user, SecurityChange.ALL_SESSIONS_ENDED)
        sessions.end(mine)
        logout(request)
        return redirect("accounts:sign-in")
    if which == OTHERS:
        sessions.end(session for session in mine if not session.is_current())
        security_log.note(request, user, SecurityChange.SESSIONS_ENDED)
        messages.success(request, "You are signed out everywhere else.")
        return redirect("usersessions_list")
    session = get_object_or_404(mine, pk=which if which.isdecimal() and len(which) < 19 else 0)
    sessions.end([session])
    security_log.note(request, user, SecurityChange.SESSION_ENDED)
    if session.session_key == request.session.session_key:
        logout(request)
        return redirect("accounts:sign-in")
    messages.success(request, "That session is ended.")
    return redirect("usersessions_list")
