"""Budgets as they are made, changed, removed and brought back: by members on their pages, and by staff.

What a budget counts is part of what it is. It counts from the beginning of its period, also what was spent before it
was made: a budget of a month that is made on the 20th knows of the nineteen days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import Organization
from billing import coverage, money, periods
from billing.models import Budget, BudgetPeriod, RollupDue, UsageDay, UsageEvent, UsageHour

_COLUMNS = {"project": "project_id", "api_key": "api_key_id", "member": "member_id"}


class BudgetError(Exception):
    """It was not done. Says why, in words for whoever wanted it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be changed of a budget that is there."""

    name: str
    limit_nano: int
    hard: bool
    thresholds: list[int]


@transaction.atomic
def create(
    who: HttpRequest | Actor, organization: Organization, scope: str, target_id: int | None, period: str, terms: Terms
) -> Budget:
    """A new one, with what was spent in its period already. Raises `BudgetError`."""
    Organization.objects.locked(organization.pk)
    if not coverage.belongs(organization, scope, target_id):
        raise BudgetError("What it was to cover is not there any more. Choose something else.")
    budget = Budget.objects.create(
        organization=organization, scope=scope, target_id=target_id, period=period, name=terms.name,
        limit_nano=terms.limit_nano, hard=terms.hard, thresholds=terms.thresholds,
    )  # fmt: skip
    count_anew(budget)
    audit.record(who, organization, Action.BUDGET_CREATED, budget, **told(budget))
    return budget


@transaction.atomic
def change(who: HttpRequest | Actor, budget: Budget, terms: Terms) -> bool:
    """Whether anything differs from what it was."""
    Organization.objects.locked(budget.organization_id)
    budget.refresh_from_db()
    before = told(budget)
    budget.name, budget.limit_nano = terms.name, terms.limit_nano
    budget.hard, budget.thresholds = terms.hard, terms.thresholds
    differing = audit.changes(before, told(budget))
    if differing:
        budget.save(update_fields=["name", "limit_nano", "hard", "thresholds"])
        audit.record(who, budget.organization, Action.BUDGET_CHANGED, budget, **differing)
    return bool(differing)


@transaction.atomic
def remove(who: HttpRequest | Actor, budget: Budget) -> None:
    """It limits nothing from now on. What it had counted is kept, and it can be brought back."""
    Organization.objects.locked(budget.organization_id)
    budget.refresh_from_db()
    if budget.enabled:
        budget.enabled = False
        budget.save(update_fields=["enabled"])
        audit.record(who, budget.organization, Action.BUDGET_DELETED, budget)


@transaction.atomic
def restore(who: HttpRequest | Actor, budget: Budget) -> None:
    """In force again, with what was spent meanwhile. Raises `BudgetError`."""
    Organization.objects.locked(budget.organization_id)
    budget.refresh_from_db()
    if budget.enabled:
        return
    if not coverage.belongs(budget.organization, budget.scope, budget.target_id):
        raise BudgetError("What it covered is gone. Make another budget.")
    budget.enabled = True
    budget.save(update_fields=["enabled"])
    count_anew(budget)
    audit.record(who, budget.organization, Action.BUDGET_RESTORED, budget)


def count_anew(budget: Budget) -> None:
    """Let it have spent what was charged in the period that runs. Call it where the budget begins to be in force.

    Requests that were admitted before are not held in it: what they come to is not counted once they end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_lock(ARRAY[%s::bigint])", [budget.organization_id])
    starts_at = periods.start(budget.period, timezone.now())
    spent = spent_since(budget, starts_at)
    BudgetPeriod.objects.filter(organization=budget.organization_id, budget=budget, starts_at=starts_at).update(
        spent_nano=spent, ceiling_nano=None
    ) or BudgetPeriod.objects.create(
        organization_id=budget.organization_id, budget=budget, starts_at=starts_at, spent_nano=spent
    )


def spent_since(budget: Budget, starts_at: datetime) -> int:
    """What was charged of what it covers since a midnight: by roll-ups, and where they are behind by requests."""
    mine: dict[str, int] = {"organization_id": budget.organization_id}
    if budget.scope != Budget.Scope.ORGANIZATION:
        mine[_COLUMNS[budget.scope]] = budget.target_id or 0
    due = RollupDue.objects.filter(organization_id=budget.organization_id, hour__gte=starts_at)
    late = list(due.values_list("hour", flat=True))
    days = {hour.astimezone(UTC).date() for hour in late}
    parts: list[QuerySet[Any]] = [UsageDay.objects.filter(**mine, day__gte=starts_at.date()).exclude(day__in=days)]
    for day in days:
        midnight = datetime.combine(day, time.min, UTC)
        hours = UsageHour.objects.filter(**mine, hour__gte=midnight, hour__lt=midnight + timedelta(days=1))
        parts.append(hours.exclude(hour__in=late))
    for hour in late:
        events = UsageEvent.objects.filter(**mine, admitted_at__gte=hour, admitted_at__lt=hour + timedelta(hours=1))
        parts.append(events)
    return sum(int(rows.aggregate(sum=Sum("charged_nano"))["sum"] or 0) for rows in parts)


def told(budget: Budget) -> dict[str, object]:
    """A budget as the audit log has it."""
    return {
        "name": budget.name,
        "limit": f"${money.grouped(budget.limit_nano)} {budget.get_period_display().lower()}",
        "refuses": budget.hard,
        "tells_at": [f"{threshold} %" for threshold in budget.thresholds],
    }
