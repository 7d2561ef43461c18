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
    page = settings.PUBLIC_URL + reverse("billing:organization", args=[organization.slug])
    share = f" ({told.per_cent} %)" if told.limit_nano else ""
    text = (
        f"Hello,\n\nthe budget “{told.name}” of {organization.name} {state}: ${spent} of ${limit} is spent{share}"
        f"{_span(told.budget)}.\nIt covers {_covered(told)}.\n\n{_consequence(told)}\n{_reset(told)}\n\n"
        f"All budgets of {organization.name}: {page}\n\n"
        f"You get this because you are an owner, an admin or a billing member of {organization.name}.\n"
    )
    return Letter(f"{' '.join(organization.name.split())}: budget {told.name} {state}", text)


def about_violation(message: OutboxMessage) -> Letter:
    found = json.dumps(message.payload, indent=2, sort_keys=True, ensure_ascii=False)
    text = (
        "A check of the ledger found something that must never be. Look at it before anything else, and enter "
        f"nothing by hand until you know why.\n\n{found}\n\nOrganisation: {message.organization_id or 'none'}. "
        f"Written at {message.created_at:%Y-%m-%d %H:%M} UTC.\n"
    )
    return Letter("The ledger does not add up", text)


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
