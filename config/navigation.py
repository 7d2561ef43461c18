"""What surrounds every page: where its person can go, and the colours they chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import Membership
from accounts.roles import May, may

THEMES = (("", "As the system", "monitor"), ("light", "Light", "sun"), ("dark", "Dark", "moon"))
# The rail: label, address, icon, and what the role must allow.
ITEMS = (
    ("Overview", "billing:overview", "gauge", May.LOOK),
    ("Keys", "gateway:keys", "key-round", May.SEE_KEYS),
    ("Usage", "billing:usage", "chart-column", May.LOOK),
    ("Requests", "gateway:requests", "list", May.SEE_REQUESTS),
    ("Playground", "gateway:playground", "terminal", May.TRY_MODELS),
    ("Models", "gateway:models", "boxes", May.LOOK),
    ("Billing", "billing:organization", "credit-card", May.SEE_BILLING),
    ("Limits", "gateway:limits", "timer", May.LOOK),
    ("Members", "accounts:members", "users", May.LOOK),
    ("Audit log", "accounts:audit-log", "scroll-text", May.SEE_AUDIT),
    ("Settings", "accounts:settings", "settings", May.LOOK),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the rail."""

    label: str
    url: str
    icon: str
    current: bool


def shell(request: HttpRequest) -> dict[str, Any]:
    """For every template; what a page does not show is not looked up."""
    theme = request.COOKIES.get("theme", "")
    known = {
        "theme": theme if theme in {"light", "dark"} else "",
        "themes": THEMES,
        "status_page": settings.STATUS_PAGE,  # to whom there is any use in a link there
    }
    membership = getattr(request, "membership", None)
    if membership is None:
        return known
    return {
        **known,
        "membership": membership,
        "organization": membership.organization,
        "sees_webhooks": may(membership, May.MANAGE_WEBHOOKS),
        "navigation": _items(request, membership),
        "memberships": Membership.objects.filter(user_id=membership.user_id, organization__closed_at=None)
        .select_related("organization")
        .order_by("organization__name"),
    }


def _items(request: HttpRequest, membership: Membership) -> list[Item]:
    current = request.resolver_match.view_name if request.resolver_match else ""
    return [
        Item(label, reverse(name, args=[membership.organization.slug]), icon, current=_belongs(current, name))
        for label, name, icon, what in ITEMS
        if may(membership, what)
    ]


def _belongs(current: str, name: str) -> bool:
    """Whether a page is that of the item or one beneath it, of whichever app: `gateway:settings-prompts` belongs to
    `accounts:settings`."""
    page, item = current.partition(":")[2], name.partition(":")[2]
    return page == item or page.startswith(f"{item}-")
