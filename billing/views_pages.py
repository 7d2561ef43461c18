"""The pages about an organisation's money, for its members. Looking is all that is done here."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.roles import May, MemberRequest, may, member_page
from billing import overview, payments, statements, wallets
from billing.models import Budget, Document, Statement
from billing.money import MOST_NANO
from billing.stripe import is_configured

DOCUMENTS = 5
SHOWN = 20  # budgets; the rest has a page of its own


@require_safe
@member_page(May.SEE_BILLING)
def organization(request: MemberRequest) -> HttpResponse:
    found = request.membership.organization
    now = timezone.now()
    before = _cursor(request)
    page = {
        "wallet": wallets.of(found),
        "spent_nano": overview.spent_this_month(found, now),
        **_budgets(found, now),
        "manages": may(request.membership, May.MANAGE_BILLING),
        "entries": overview.entries(found, before),
        "profile": payments.profile_of(found),
        "takes_cards": is_configured(),
        "documents": list(Document.objects.of(found).defer("contents").order_by("-id")[:DOCUMENTS]),
        "keys_url": settings.PUBLIC_URL + reverse("signing-keys"),
        "statements": overview.statements(found),
        "before": before,
        "audit": overview.newest_audit(found),
        "now": now,
    }
    return render(request, "billing/organization.html", page)


@require_safe
@member_page(May.SEE_BILLING)
def statement(request: MemberRequest, month: date) -> HttpResponse:
    """The signed file itself, for whoever wants to check it."""
    found = request.membership.organization
    kept = get_object_or_404(Statement.objects.of(found), month=month)
    response = JsonResponse(statements.contents(kept))
    response.headers["Content-Disposition"] = f'attachment; filename="{found.slug}-{month:%Y-%m}.json"'
    return response


def _budgets(organization: Organization, now: datetime) -> dict[str, Any]:
    """All of them while they are few; otherwise those that cover more than a key, and how many others there are."""
    in_force = Budget.objects.of(organization).filter(enabled=True)
    count = in_force.count()
    shown = in_force if count <= SHOWN else in_force.exclude(scope=Budget.Scope.API_KEY)[:SHOWN]
    lines = overview.lines(shown, organization, now)
    return {"budgets": lines, "more_budgets": count - len(lines)}


def _cursor(request: HttpRequest) -> int | None:
    """The entry that the page ends before; whatever is no number means the newest page."""
    given = request.GET.get("before", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    return number if 0 < number <= MOST_NANO else None
