"""What the admin's theme asks of us: its icon, and each page once at its side, in the order staff think of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

GROUPS = {
    "Customers": [
        ("Organisations", "accounts", "organization", "apartment"),
        ("Memberships", "accounts", "membership", "badge"),
        ("Projects", "accounts", "project", "folder"),
        ("API keys", "accounts", "apikey", "key"),
    ],
    "Registry": [
        ("Models", "gateway", "model", "model_training"),
        ("Providers", "gateway", "provider", "dns"),
        ("Routes", "gateway", "route", "alt_route"),
    ],
    "Money and usage": [
        ("Wallets", "billing", "wallet", "account_balance_wallet"),
        ("Ledger", "billing", "transfer", "swap_horiz"),
        ("Payments", "billing", "payment", "credit_card"),
        ("Documents", "billing", "document", "description"),
        ("Stripe's events", "billing", "stripeevent", "notifications"),
        ("Budgets", "billing", "budget", "savings"),
        ("Prices", "billing", "price", "sell"),
        ("Price lists", "billing", "pricelist", "request_quote"),
        ("Usage", "billing", "usageevent", "query_stats"),
        ("Holds", "billing", "hold", "hourglass_top"),
        ("Audits", "billing", "auditrun", "fact_check"),
        ("Sealed blocks", "billing", "block", "link"),
        ("Statements", "billing", "statement", "receipt_long"),
    ],
    "Telling": [
        ("Status notes", "gateway", "statusnote", "campaign"),
        ("Webhooks", "gateway", "webhook", "webhook"),
        ("Outbox", "billing", "outboxmessage", "outbox"),
        ("Kept mail", "accounts", "keptmail", "mail"),
    ],
    "Access": [
        ("People", "accounts", "user", "person"),
        ("Staff groups", "auth", "group", "group"),
    ],
}


def favicon(request: HttpRequest) -> str:
    return static("img/favicon.svg")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Pages that this person may not see are left out."""
    return [
        {"title": title, "separator": True, "items": [_item(*page) for page in pages]}
        for title, pages in GROUPS.items()
    ]


def _item(title: str, app: str, model: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(f"{app}.view_{model}"),
    }


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
