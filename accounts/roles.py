"""Who may do what in an organisation: the one table, and the one way in which pages ask it.

A page of an organisation is a view under `member_page`. It gets the membership of whoever looks; strangers get 404, as
if there were no such organisation, and members whose role does not allow it get 403 with the roles that do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.models import Membership, User

Role = Membership.Role
ACTIVE_GRAIN = timedelta(minutes=5)
LAST = "organization"  # what a session remembers the organisation by that was looked at last


class May(StrEnum):
    """What there is to be allowed. The value is how it is printed."""

    LOOK = "See the overview, usage, limits and members"
    SEE_REQUESTS = "See single requests and their receipts"
    TRY_MODELS = "Use the playground"
    SEE_KEYS = "See the list of keys"
    MAKE_KEYS = "Create keys, and change one's own"
    MANAGE_KEYS = "Change, rotate and revoke everybody's keys"
    MANAGE_PROJECTS = "Create and change projects"
    SEE_BILLING = "See the balance, the ledger and statements"
    MANAGE_BILLING = "Top up, set budgets and automatic top-ups"
    MANAGE_WEBHOOKS = "Set where events are sent"
    SEE_AUDIT = "See and export the audit log"
    MANAGE_MEMBERS = "Invite people, change roles, remove people"
    MANAGE_OWNERS = "Make and unmake owners"
    MANAGE_SETTINGS = "Change the organisation's name and settings"
    CLOSE = "Close the organisation"


_ALL = frozenset(Role)
_TECHNICAL = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER})
_LEADING = frozenset({Role.OWNER, Role.ADMIN})
_OWNERS = frozenset({Role.OWNER})

ALLOWED: dict[May, frozenset[Role]] = {
    May.LOOK: _ALL,
    May.SEE_REQUESTS: _TECHNICAL | {Role.VIEWER},
    May.TRY_MODELS: _TECHNICAL,
    May.SEE_KEYS: _ALL,
    May.MAKE_KEYS: _TECHNICAL,
    May.MANAGE_KEYS: _LEADING,
    May.MANAGE_PROJECTS: _LEADING,
    May.SEE_BILLING: _ALL,
    May.MANAGE_BILLING: _LEADING | {Role.BILLING},
    May.MANAGE_WEBHOOKS: _LEADING,
    May.SEE_AUDIT: _LEADING,
    May.MANAGE_MEMBERS: _LEADING,
    May.MANAGE_OWNERS: _OWNERS,
    May.MANAGE_SETTINGS: _LEADING,
    May.CLOSE: _OWNERS,
}

# What each role is for, in a line.
ABOUT: dict[Role, str] = {
    Role.OWNER: "Everything, also making owners and closing the organisation",
    Role.ADMIN: "Members, keys, money and settings: everything but what is the owners' alone",
    Role.DEVELOPER: "Calls models with keys of their own, tries them, and looks into requests",
    Role.BILLING: "Balance, budgets and top-ups; makes no keys and sees no single requests",
    Role.VIEWER: "Looks, and changes nothing",
}

# Every page of an organisation, by the qualified name of its view: what a test goes through role by role.
PAGES: dict[str, Page] = {}


@dataclass(frozen=True, slots=True)
class Page:
    """What a view asks for: to be looked at, and to have its form sent."""

    look: May
    change: May


class MemberRequest(HttpRequest):
    """A request for a page of an organisation, by a member of it."""

    membership: Membership


View = Callable[Concatenate[MemberRequest, ...], HttpResponseBase]


def may(membership: Membership, what: May) -> bool:
    return Role(membership.role) in ALLOWED[what]


def matrix() -> list[tuple[str, list[bool]]]:
    """The table as it is printed: each right, and whether each role has it, in the order of `Role`."""
    return [(what.value, [role in ALLOWED[what] for role in Role]) for what in May]


def require(membership: Membership, what: May) -> None:
    """Raises `PermissionDenied`, in words for the member."""
    if not may(membership, what):
        raise PermissionDenied(_refusal(membership, what))


def member_page(look: May, change: May | None = None) -> Callable[[View], Callable[..., HttpResponseBase]]:
    """For views whose first argument in the address is the organisation's `slug`: GET needs `look`, others `change`."""

    def decorate(view: View) -> Callable[..., HttpResponseBase]:
        page = PAGES[f"{view.__module__}.{view.__name__}"] = Page(look, change or look)

        @never_cache
        @login_required
        @wraps(view)
        def wrapped(request: MemberRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            request.membership = _membership(request, slug)
            wanted = page.look if request.method in {"GET", "HEAD"} else page.change
            if not may(request.membership, wanted):
                return _denied(request, wanted)
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def _membership(request: HttpRequest, slug: str) -> Membership:
    """Raises `Http404` for whoever is no member, whether or not there is such an organisation."""
    own = Membership.objects.filter(
        user=cast("User", request.user), organization__slug=slug, organization__closed_at=None
    )
    membership: Membership | None = own.select_related("organization").first()
    if membership is None:
        raise Http404
    if request.session.get(LAST) != slug:
        request.session[LAST] = slug
    _note_activity(membership)
    return membership


def _note_activity(membership: Membership) -> None:
    """A page costs no more than one write in five minutes."""
    now = timezone.now()
    if membership.last_active_at is None or now - membership.last_active_at > ACTIVE_GRAIN:
        Membership.objects.filter(pk=membership.pk).update(last_active_at=now)


def _denied(request: MemberRequest, what: May) -> HttpResponse:
    reason = _refusal(request.membership, what)
    return render(request, "accounts/denied.html", {"reason": reason}, status=403)


def _refusal(membership: Membership, what: May) -> str:
    *others, last = [role.label.lower() for role in Role if role in ALLOWED[what]]
    roles = f"{', '.join(others)} or {last}" if others else last
    action = f"{what.value[0].lower()}{what.value[1:]}"
    return (
        f"Your role in {membership.organization} is {membership.get_role_display().lower()}. "
        f"To {action}, it must be {roles}. An owner or an admin can change it."
    )
