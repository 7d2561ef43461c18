"""The budget of a key, as its own page sets it: one in force at a time, whose period is part of what it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import ApiKey, Organization
from billing import budgets, overview
from billing.budgets import Terms
from billing.models import Budget
from billing.models.budgets import default_thresholds
from billing.overview import BudgetLine


@dataclass(frozen=True, slots=True)
class Limit:
    """What a key may spend in each period; a hard one refuses what does not fit."""

    nano: int
    period: str
    hard: bool


def by_key(organization: Organization, at: datetime) -> dict[int, list[BudgetLine]]:
    """The budgets in force, of every key that has one."""
    found: dict[int, list[BudgetLine]] = {}
    for line in overview.budgets(organization, at):
        if line.budget.scope == Budget.Scope.API_KEY and line.budget.target_id is not None:
            found.setdefault(line.budget.target_id, []).append(line)
    return found


def of(key: ApiKey) -> Limit | None:
    """The one that a page changes: the first in force."""
    budget = _in_force(key).first()
    return None if budget is None else Limit(budget.limit_nano, budget.period, budget.hard)


@transaction.atomic
def limit(who: HttpRequest, key: ApiKey, wanted: Limit | None) -> None:
    """Let that be the key's budget, or none. What a budget has counted stays with it when its period is kept."""
    Organization.objects.locked(key.organization_id)
    current: Budget | None = _in_force(key).first()
    if current is not None and (wanted is None or current.period != wanted.period):
        budgets.remove(who, current)
        current = None
    if wanted is None:
        return
    if current is None:
        terms = Terms(f"Key {key.name}", wanted.nano, wanted.hard, default_thresholds())
        budgets.create(who, key.organization, Budget.Scope.API_KEY, key.pk, wanted.period, terms)
    else:
        budgets.change(who, current, Terms(current.name, wanted.nano, wanted.hard, current.thresholds))


def _in_force(key: ApiKey) -> QuerySet[Budget]:
    mine = Budget.objects.of(key.organization).filter(scope=Budget.Scope.API_KEY, target_id=key.pk, enabled=True)
    return mine.order_by("pk")
