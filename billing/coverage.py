"""What budgets count, in the names that people gave to projects, keys and each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from accounts.models import ApiKey, Organization, Project, User
from billing.models import Budget

EVERYTHING = "everything that the organisation spends"
MOST_KEYS = 500  # that a list offers, the newest; any key's budget is set on its own page


def names(budgets: Iterable[Budget]) -> dict[int, str]:
    """For each budget's id what it covers, as the end of a sentence. A query a kind of target, however many."""
    budgets = list(budgets)
    return {
        **{budget.pk: EVERYTHING for budget in budgets if budget.scope == Budget.Scope.ORGANIZATION},
        **_named(budgets, Budget.Scope.PROJECT, "the project {}", Project.objects.all()),
        **_named(budgets, Budget.Scope.API_KEY, "the key {}", ApiKey.objects.all()),
        **_named(budgets, Budget.Scope.MEMBER, "the keys of {}", User.objects.all()),
    }


def belongs(organization: Organization, scope: str, target_id: int | None) -> bool:
    """Whether the target is one of the organisation's own."""
    if scope == Budget.Scope.ORGANIZATION or target_id is None:
        return scope == Budget.Scope.ORGANIZATION and target_id is None
    if scope == Budget.Scope.MEMBER:
        return organization.memberships.filter(user_id=target_id).exists()
    table = Project if scope == Budget.Scope.PROJECT else ApiKey
    return table.objects.of(organization).filter(pk=target_id).exists()


def choices(organization: Organization) -> list[tuple[str, Any]]:
    """Everything of the organisation's that a budget can cover, for a list to choose from: `scope:id` and its name."""
    projects = Project.objects.of(organization).unarchived().order_by("name")
    people = User.objects.filter(memberships__organization=organization).order_by("email")
    keys = ApiKey.objects.of(organization).active().ordinary().order_by("-pk")[:MOST_KEYS]
    groups = (
        ("A project", Budget.Scope.PROJECT, projects),
        ("A person's keys", Budget.Scope.MEMBER, people),
        ("A key", Budget.Scope.API_KEY, keys),
    )
    named = [(label, [(f"{scope}:{row.pk}", str(row)) for row in rows]) for label, scope, rows in groups]
    return [(f"{Budget.Scope.ORGANIZATION}:", "The whole organisation"), *(group for group in named if group[1])]


def _named(budgets: list[Budget], scope: str, words: str, rows: QuerySet[Any]) -> dict[int, str]:
    targets = {budget.target_id for budget in budgets if budget.scope == scope}
    found = {row.pk: str(row) for row in rows.filter(pk__in=targets)} if targets else {}
    return {
        budget.pk: words.format(found.get(budget.target_id, "that is gone"))
        for budget in budgets
        if budget.scope == scope
    }
