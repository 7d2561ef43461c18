"""What staff do to an organisation's money stands in its audit log too, as done by the operator."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Organization
from billing import wallets
from billing.models import Budget, BudgetPeriod, Transfer, Wallet
from tests.billing.moves import DOLLAR, spend
from tests.factories import make_credit

pytestmark = pytest.mark.django_db


def told(organization: Organization) -> list[tuple[str, dict[str, Any]]]:
    events = AuditEvent.objects.of(organization).order_by("pk")
    assert {event.who for event in events} <= {"The operator"}
    return [(event.action, event.details) for event in events]


def test_credit_is_told_once_and_so_is_its_reversal(staff: Client, organization: Organization) -> None:
    form = {"organization": "acme", "kind": "topup", "amount": "1,250", "ref": "invoice 7", "reason": ""}
    for _ in range(2):
        staff.post("/admin/billing/wallet/enter-credit/", form)
    entry = Transfer.objects.get()
    for _ in range(2):
        staff.post(f"/admin/billing/transfer/{entry.pk}/reverse/", {"reason": "the bank took it back"})
    (entered, first), (reversed_, second) = told(organization)
    assert (entered, first["amount"], first["ref"]) == ("credit.entered", "$1,250.00", "invoice 7")
    assert (reversed_, second["amount"], second["reason"]) == (
        "credit.reversed", "-$1,250.00", "the bank took it back"
    )  # fmt: skip


def test_credit_from_a_terminal_is_told(organization: Organization) -> None:
    for _ in range(2):
        call_command("grant_credit", "acme", "25", ref="welcome", verbosity=0)
    ((action, details),) = told(organization)
    assert (action, details["kind"], details["amount"]) == ("credit.entered", "Granted credit", "$25.00")


def test_overdraft_and_markup_are_told_when_they_change(staff: Client, organization: Organization) -> None:
    wallets.enter(organization, "grant", "a", 5, "", "root")
    page = f"/admin/billing/wallet/{Wallet.objects.get().pk}/change/"
    for _ in range(2):
        staff.post(page, {"overdraft": "20", "markup_basis_points": "1000"})
    assert told(organization) == [
        (
            "credit.terms_changed",
            {"overdraft": {"before": "$0.00", "after": "$20.00"}, "markup": {"before": "0 %", "after": "10 %"}},
        )
    ]


def test_budgets_are_told_and_count_from_the_beginning_of_their_period(
    staff: Client, organization: Organization, key: ApiKey
) -> None:
    make_credit(organization)
    spend(key, DOLLAR)
    form = {"organization": str(organization.pk), "name": "Team", "scope": "organization", "period": "month"}
    form |= {"limit": "50", "thresholds": "80", "hard": "on", "enabled": "on"}
    staff.post("/admin/billing/budget/add/", form)
    budget = Budget.objects.get()
    assert BudgetPeriod.objects.get().spent_nano == DOLLAR
    page = f"/admin/billing/budget/{budget.pk}/change/"
    staff.post(page, {**form, "limit": "75", "enabled": ""})
    budget.refresh_from_db()
    assert (budget.limit_nano, budget.enabled) == (75 * DOLLAR, False)
    spend(key, DOLLAR)
    staff.post(page, {**form, "limit": "75"})
    assert BudgetPeriod.objects.get().spent_nano == 2 * DOLLAR
    assert [action for action, _ in told(organization)] == [
        "budget.created", "budget.changed", "budget.deleted", "budget.restored"
    ]  # fmt: skip
