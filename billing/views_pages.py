"""The pages about an organisation's money, for its members. Looking is all that is done here."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import May, MemberRequest, member_page
from billing import overview, statements, wallets
from billing.models import Statement
from billing.money import MOST_NANO


@require_safe
@member_page(May.SEE_BILLING)
def organization(request: MemberRequest) -> HttpResponse:
    found = request.membership.organization
    now = timezone.now()
    before = _cursor(request)
    page = {
        "wallet": wallets.of(found),
        "spent_nano": overview.spent_this_month(found, now),
        "budgets": overview.budgets(found, now),
        "entries": overview.entries(found, before),
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


def _cursor(request: HttpRequest) -> int | None:
    """The entry that the page ends before; whatever is no number means the newest page."""
    given = request.GET.get("before", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    return number if 0 < number <= MOST_NANO else None
