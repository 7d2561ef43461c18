"""The page of every limit that applies now: how much of it is used, and when it is free again."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import May, MemberRequest, may, member_page
from billing import overview, wallets
from billing.models import Budget
from gateway import limits_now

BUDGETS = 20  # on this page; the rest has one of its own


@require_safe
@member_page(May.LOOK)
def limits(request: MemberRequest) -> HttpResponse:
    organization, now = request.membership.organization, timezone.now()
    every = request.GET.get("keys") == "all"
    if every:
        keys, older = limits_now.newest(organization, _number(request.GET.get("before", "")))
    else:
        keys, older = limits_now.busiest(organization, now), None
    wide = Budget.objects.of(organization).filter(enabled=True).exclude(scope=Budget.Scope.API_KEY)
    page = {
        "look": limits_now.look(organization, keys, now),
        "every": every,
        "older": older,
        "before": request.GET.get("before", ""),
        "now": now,
        "wallet": wallets.of(organization),
        "budgets": overview.lines(wide[:BUDGETS], organization, now),
        "budget_count": wide.count(),
        "sees_billing": may(request.membership, May.SEE_BILLING),
        "of_a_request": _of_a_request(),
    }
    return render(request, "gateway/limits.html", page)


def _of_a_request() -> list[tuple[str, str]]:
    """What every single request is held to; nothing of it is used up."""
    return [
        ("Body", f"{settings.GATEWAY_MAX_BODY_BYTES / 2**20:g} MiB"),
        ("Headers", f"{settings.GATEWAY_MAX_HEADERS}, of {settings.GATEWAY_MAX_HEADER_BYTES / 2**10:g} KiB"),
        ("Images by URL", f"{settings.GATEWAY_IMAGE_MAX_BYTES / 2**20:g} MiB in all"),
        ("Until a model's first byte", f"{settings.GATEWAY_FIRST_BYTE_SECONDS:g} seconds"),
        ("Silence within an answer", f"{settings.GATEWAY_IDLE_SECONDS:g} seconds"),
        ("A whole answer", f"{settings.GATEWAY_TOTAL_SECONDS / 60:g} minutes"),
    ]


def _number(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
