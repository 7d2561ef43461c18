"""Where the link in an invitation leads. It is no page of the organisation: whoever opens it is not a member yet."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import adapter, invitations
from accounts.members import MembershipError
from accounts.models import Invitation, Membership, User


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What the invitation is, and what stands in the way of accepting it, if anything does."""
    found = Invitation.objects.with_token(token)
    if found is None:
        return _page(request, state="unknown", status=404)
    user = request.user if isinstance(request.user, User) else None
    if user and found.status == "accepted" and _is_member(user, found):
        return redirect("accounts:members", found.organization.slug)
    if found.status != "open" or found.organization.closed_at:
        return _page(request, found, state="closed" if found.organization.closed_at else found.status, status=410)
    if user is None:
        adapter.invite(request, found.email)  # the link came by mail: whoever has it reads that address
        return _page(request, found, state="signed out")
    if not found.is_for(user):
        return _page(request, found, state="somebody else", status=403 if request.method == "POST" else 200)
    if request.method == "POST":
        return _accept(request, found, token)
    return _page(request, found, state="open")


def _accept(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    try:
        membership = invitations.accept(request, token)
    except MembershipError:  # it was revoked, or used, since it was looked up
        found.refresh_from_db()
        return _page(request, found, state=found.status, status=410)
    messages.success(request, f"You are a member of {membership.organization} now.")
    return redirect("accounts:members", membership.organization.slug)


def _page(request: HttpRequest, found: Invitation | None = None, *, state: str, status: int = 200) -> HttpResponse:
    may_sign_up = adapter.AccountAdapter(request).is_open_for_signup(request)
    shown = {"invitation": found, "state": state, "may_sign_up": may_sign_up}
    response = render(request, "accounts/invitation.html", shown, status=status)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a secret
    return response


def _is_member(user: User, found: Invitation) -> bool:
    return Membership.objects.visible_to(user).filter(user=user, organization=found.organization).exists()
