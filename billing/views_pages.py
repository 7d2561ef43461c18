"""The pages about an organisation's money, for its members. Looking is all that is done here."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Organization
from billing import overview, statements, wallets
from billing.models import Statement
from billing.money import MOST_NANO


@never_cache
@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """A choice of organisations, for people who have one."""
    organizations = list(Organization.objects.visible_to(request.user))
    if len(organizations) == 1:
        return redirect("billing:organization", organizations[0].slug)
    return render(request, "billing/home.html", {"organizations": organizations})


@never_cache
@login_required
@require_safe
def organization(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Organization.objects.visible_to(request.user), slug=slug)
    now = timezone.now()
    before = _cursor(request)
    page = {
        "organization": found,
        "wallet": wallets.of(found),
        "spent_nano": overview.spent_this_month(found, now),
        "budgets": overview.budgets(found, now),
        "entries": overview.entries(found, before),
        "statements": overview.statements(found),
        "before": before,
        "audit": overview.newest_audit(found),
        "now": now,
        "several": Organization.objects.visible_to(request.user).count() > 1,
    }
    return render(request, "billing/organization.html", page)


@never_cache
@login_required
@require_safe
def statement(request: HttpRequest, slug: str, month: date) -> HttpResponse:
    """The signed file itself, for whoever wants to check it."""
    found = get_object_or_404(Organization.objects.visible_to(request.user), slug=slug)
    kept = get_object_or_404(Statement.objects.of(found), month=month)
    response = JsonResponse(statements.contents(kept))
    response.headers["Content-Disposition"] = f'attachment; filename="{slug}-{month:%Y-%m}.json"'
    return response


def _cursor(request: HttpRequest) -> int | None:
    """The entry that the page ends before; whatever is no number means the newest page."""
    given = request.GET.get("before", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    return number if 0 < number <= MOST_NANO else None
