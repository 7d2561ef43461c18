"""The pages about budgets: the list, a new one, one by itself, and the end of one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.roles import May, MemberRequest, may, member_page
from billing import budgets as budget_rules
from billing import money, overview
from billing.budgets import BudgetError
from billing.budgets_forms import BudgetForm, TermsForm
from billing.models import Budget
from billing.overview import BudgetLine

page_with_form = require_http_methods(["GET", "HEAD", "POST"])
PAGE = 50
REMOVED = 20


@require_safe
@member_page(May.SEE_BILLING)
def budgets(request: MemberRequest) -> HttpResponse:
    """Those in force, the oldest first, a page at a time; and the last that were removed."""
    organization, now = request.membership.organization, timezone.now()
    after = number_in(request, "after")
    mine = Budget.objects.of(organization)
    found = list(mine.filter(enabled=True, pk__gt=after).order_by("pk")[: PAGE + 1])
    page = {
        "lines": overview.lines(found[:PAGE], organization, now),
        "next": found[PAGE - 1].pk if len(found) > PAGE else None,
        "after": after,
        "removed": list(mine.filter(enabled=False).order_by("-pk")[:REMOVED]),
        "manages": may(request.membership, May.MANAGE_BILLING),
    }
    return render(request, "billing/budgets.html", page)


@page_with_form
@member_page(May.MANAGE_BILLING)
def new_budget(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    form = BudgetForm(
        request.POST or None, organization=organization, initial={"covers": request.GET.get("covers", "organization:")}
    )
    if form.is_valid():
        scope, target = form.target
        try:
            made = budget_rules.create(request, organization, scope, target, form.cleaned_data["period"], form.terms)
        except BudgetError as error:
            form.add_error("covers", str(error))
        else:
            tell(request, f"The budget {made.name} is in force.", made)
            return redirect("billing:organization-budgets", organization.slug)
    return render(request, "billing/budgets_new.html", {"form": form})


@page_with_form
@member_page(May.SEE_BILLING, May.MANAGE_BILLING)
def budget_page(request: MemberRequest, budget: int) -> HttpResponse:
    found = _budget(request, budget)
    form = TermsForm(request.POST or None, initial=TermsForm.initial_of(found))
    if form.is_valid():
        changed = budget_rules.change(request, found, form.terms)
        tell(request, f"The budget {found.name} is changed." if changed else "Nothing was different.", found)
        return redirect("billing:organization-budgets", found.organization.slug)
    page = {
        "form": form,
        "line": _line(found),
        "manages": may(request.membership, May.MANAGE_BILLING),
    }
    return render(request, "billing/budgets_budget.html", page)


@page_with_form
@member_page(May.MANAGE_BILLING)
def remove_budget(request: MemberRequest, budget: int) -> HttpResponse:
    """Asks first, and says what is limited no longer."""
    found = _budget(request, budget)
    if request.method == "POST":
        budget_rules.remove(request, found)
        messages.success(request, f"The budget {found.name} is removed. It limits nothing any more.")
        return redirect("billing:organization-budgets", found.organization.slug)
    return render(request, "billing/budgets_remove.html", {"line": _line(found)})


@require_POST
@member_page(May.MANAGE_BILLING)
def restore_budget(request: MemberRequest, budget: int) -> HttpResponse:
    found = _budget(request, budget)
    try:
        budget_rules.restore(request, found)
    except BudgetError as error:
        messages.error(request, str(error))
    else:
        tell(request, f"The budget {found.name} is in force again.", found)
    return redirect("billing:organization-budgets", found.organization.slug)


def tell(request: HttpRequest, what: str, budget: Budget) -> None:
    """What was done, and the sum: how much of the limit is gone in the period that runs."""
    line = _line(budget)
    limit, spent = money.grouped(budget.limit_nano), money.grouped(line.spent_nano)
    if line.state != "over":
        left = money.grouped(line.left_nano)
        messages.success(request, f"{what} ${spent} of ${limit} is spent in this period: ${left} is left.")
    elif budget.hard:
        messages.warning(request, f"{what} ${spent} is spent in this period already: what it covers is refused now.")
    else:
        messages.warning(request, f"{what} ${spent} of ${limit} is spent in this period already.")


def number_in(request: HttpRequest, name: str) -> int:
    """A cursor of the address; 0 when it is none."""
    given = request.GET.get(name, "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    return number if number <= money.MOST_NANO else 0


def _budget(request: MemberRequest, pk: int) -> Budget:
    of_here = Budget.objects.of(request.membership.organization).select_related("organization")
    found: Budget = get_object_or_404(of_here, pk=pk)
    return found


def _line(budget: Budget) -> BudgetLine:
    return overview.lines([budget], budget.organization, timezone.now())[0]
