"""What is written in mail about money. Budgets are told of in plain words, with exact amounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import Organization
from billing import coverage, money, periods
from billing.models import Budget, OutboxMessage


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """What the payload of `budget.threshold` says, and what the budget adds to it."""

    name: str
    passed: int
    spent_nano: int
    limit_nano: int
    hard: bool
    starts_at: datetime
    budget: Budget | None

    @classmethod
    def of(cls, message: OutboxMessage) -> Threshold:
        told: dict[str, Any] = message.payload
        budget = Budget.objects.filter(organization_id=message.organization_id or 0, pk=told["budget_id"]).first()
        return cls(
            name=" ".join(str(told["name"]).split()),
            passed=told["threshold"],
            spent_nano=told["spent_nano"],
            limit_nano=told["limit_nano"],
            hard=told["hard"],
            starts_at=datetime.fromisoformat(told["starts_at"]),
            budget=budget,
        )

    @property
    def per_cent(self) -> str:
        """To one decimal, never rounded up: 99.9 is not yet all of it."""
        tenths = self.spent_nano * 1000 // self.limit_nano if self.limit_nano else 0
        return f"{tenths // 10}.{tenths % 10}".removesuffix(".0")

    @property
    def resets_at(self) -> datetime | None:
        return periods.end(self.budget.period, self.starts_at) if self.budget else None

    @property
    def used_up(self) -> bool:
        return self.spent_nano >= self.limit_nano


def about_threshold(message: OutboxMessage, organization: Organization) -> Letter:
    told = Threshold.of(message)
    spent, limit = money.dollars(told.spent_nano), money.dollars(told.limit_nano)
    state = "is used up" if told.used_up else f"has passed {told.passed} %"
    page = _page("billing:organization", organization)
    share = f" ({told.per_cent} %)" if told.limit_nano else ""
    text = (
        f"Hello,\n\nthe budget “{told.name}” of {organization.name} {state}: ${spent} of ${limit} is spent{share}"
        f"{_span(told.budget)}.\nIt covers {_covered(told)}.\n\n{_consequence(told)}\n{_reset(told)}\n\n"
        f"All budgets of {organization.name}: {page}\n\n{_why_you(organization)}"
    )
    return Letter(f"{_name(organization)}: budget {told.name} {state}", text)


def about_violation(message: OutboxMessage) -> Letter:
    text = (
        "A check of the ledger found something that must never be. Look at it before anything else, and enter "
        f"nothing by hand until you know why.\n\n{_evidence(message)}"
    )
    return Letter("The ledger does not add up", text)


def about_payment(message: OutboxMessage, organization: Organization) -> Letter:
    told = message.payload
    amount = money.grouped(told["amount_nano"])
    page = _page("billing:organization-document", organization, told["document"])
    how = "automatically, as the balance fell below what you agreed" if told["kind"] == "automatic" else "by card"
    text = (
        f"Hello,\n\n${amount} was paid for {organization.name} {how}, and is credited.\n\nThe receipt: {page}\n\n"
        f"{_why_you(organization)}"
    )
    return Letter(f"{_name(organization)}: ${amount} is credited", text)


def about_return(message: OutboxMessage, organization: Organization) -> Letter:
    """What was taken back may have been spent already: then that is said first."""
    told = message.payload
    amount, balance = money.grouped(told["returned_nano"]), told["balance_nano"]
    why = "the bank took it back for a dispute" if told["why"] == "Dispute" else "it was refunded"
    owed = (
        f"It had been spent already: the balance is ${money.grouped(balance)}, and requests are refused until it is "
        "above zero again, or within the overdraft that was agreed."
        if balance < 0
        else f"The balance is ${money.grouped(balance)}."
    )
    text = (
        f"Hello,\n\n${amount} of a payment by card for {organization.name} is no longer credited: {why}.\n{owed}\n\n"
        f"All of it: {_page('billing:organization', organization)}\n\n{_why_you(organization)}"
    )
    return Letter(f"{_name(organization)}: ${amount} went back", text)


def about_stopped(message: OutboxMessage, organization: Organization) -> Letter:
    told = message.payload
    amount = money.grouped(told["amount_nano"])
    text = (
        f"Hello,\n\nan automatic top-up of ${amount} for {organization.name} failed: {told['why']}\n"
        "Nothing was credited, and no other will be tried: automatic top-ups are switched off. When the balance is "
        f"used up, requests are refused.\n\nPay by hand: {_page('billing:organization-top-up', organization)}\n"
        f"Switch them on again: {_page('billing:organization-automatic', organization)}\n\n{_why_you(organization)}"
    )
    return Letter(f"{_name(organization)}: automatic top-ups are switched off", text)


def about_capped(message: OutboxMessage, organization: Organization) -> Letter:
    told = message.payload
    charged, cap, amount = (money.grouped(told[name]) for name in ("charged_nano", "cap_nano", "amount_nano"))
    text = (
        f"Hello,\n\nthe balance of {organization.name} is low, and was not topped up: ${charged} was charged "
        f"automatically this month, and another ${amount} would pass your limit of ${cap}.\n\n"
        f"Pay by hand: {_page('billing:organization-top-up', organization)}\n"
        f"Raise the limit: {_page('billing:organization-automatic', organization)}\n\n{_why_you(organization)}"
    )
    return Letter(f"{_name(organization)}: the month's limit of automatic top-ups is reached", text)


def about_mismatch(message: OutboxMessage) -> Letter:
    text = (
        "Stripe told of a payment that is not what was asked for. Nothing was credited or taken for it. Look at it in "
        f"Stripe's dashboard, then refund it there, or enter the credit in the admin.\n\n{_evidence(message)}"
    )
    return Letter("A payment needs somebody to look at it", text)


def _evidence(message: OutboxMessage) -> str:
    """All that is known, for staff."""
    found = json.dumps(message.payload, indent=2, sort_keys=True, ensure_ascii=False)
    return (
        f"{found}\n\nOrganisation: {message.organization_id or 'none'}. "
        f"Written at {message.created_at:%Y-%m-%d %H:%M} UTC.\n"
    )


def _page(name: str, organization: Organization, *more: int) -> str:
    return settings.PUBLIC_URL + reverse(name, args=[organization.slug, *more])


def _name(organization: Organization) -> str:
    return " ".join(organization.name.split())


def _why_you(organization: Organization) -> str:
    return f"You get this because you are an owner, an admin or a billing member of {organization.name}.\n"


def _span(budget: Budget | None) -> str:
    words = {"day": " today", "week": " this week", "month": " this month", "total": " in all"}
    return words[budget.period] if budget else ""


def _covered(told: Threshold) -> str:
    return coverage.names([told.budget])[told.budget.pk] if told.budget else coverage.EVERYTHING


def _consequence(told: Threshold) -> str:
    if not told.hard:
        return "Nothing is refused for it, not even above 100 %: this budget only tells."
    if told.used_up:
        return "Requests that it covers are refused now. Raise the limit, or wait for the reset."
    return "At 100 % requests that it covers are refused; until then, those that do not fit into what is left."


def _reset(told: Threshold) -> str:
    at = told.resets_at
    if at is None:
        return "It never resets."
    return f"It resets on {at.day} {at:%B %Y} at {at:%H:%M} UTC."
