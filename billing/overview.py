"""What a member of an organisation is shown of its money: balance, budgets, and the ledger page by page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from accounts.models import Organization
from billing import coverage, periods
from billing.models import AuditRun, Budget, BudgetPeriod, Statement, Transfer, UsageDay

PAGE = 50
MONTHS = 36


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A budget in the period that runs."""

    budget: Budget
    covers: str
    spent_nano: int
    held_nano: int
    starts_at: datetime
    resets_at: datetime | None

    @property
    def taken_nano(self) -> int:
        """What a new request finds gone of the limit."""
        return self.spent_nano + self.held_nano

    @property
    def left_nano(self) -> int:
        return max(self.budget.limit_nano - self.spent_nano - self.held_nano, 0)

    @property
    def spent_share(self) -> float:
        """Of 100, for the bar."""
        return self._share(self.spent_nano)

    @property
    def held_share(self) -> float:
        return min(self._share(self.held_nano), 100 - self.spent_share)

    @property
    def per_cent(self) -> str:
        """Of the limit, rounded down: 99 is not yet all of it."""
        limit = self.budget.limit_nano
        return str(self.spent_nano * 100 // limit) if limit else "100"

    @property
    def state(self) -> str:
        """How the bar is coloured; words beside it say the same."""
        if self.spent_nano >= self.budget.limit_nano:
            return "over"
        return "near" if self.spent_nano * 100 >= self.budget.limit_nano * 80 else "within"

    def _share(self, nano: int) -> float:
        limit = self.budget.limit_nano
        return round(min(nano * 100 / limit, 100), 2) if limit else 100.0 if nano else 0.0


@dataclass(frozen=True, slots=True)
class Entries:
    """A page of the ledger, newest first."""

    rows: list[Transfer]
    older: int | None


@dataclass(frozen=True, slots=True)
class Audit:
    """The newest check that the ledger adds up."""

    ended_at: datetime
    differences: int


def budgets(organization: Organization, at: datetime, **narrowed: Any) -> list[BudgetLine]:
    """Those in force, or those of them that `narrowed` chooses, as a query's filter has it."""
    return lines(Budget.objects.of(organization).filter(enabled=True, **narrowed), organization, at)


def lines(budgets: Iterable[Budget], organization: Organization, at: datetime) -> list[BudgetLine]:
    """Each in the period that runs; three queries and one for each kind of target, however many."""
    found = list(budgets)
    starts = {budget.pk: periods.start(budget.period, at) for budget in found}
    running = {
        (period.budget_id, period.starts_at): period
        for period in BudgetPeriod.objects.of(organization).filter(
            budget__in=list(starts), starts_at__in=set(starts.values())
        )
    }
    covers = coverage.names(found)
    return [
        _line(budget, covers[budget.pk], starts[budget.pk], running.get((budget.pk, starts[budget.pk])))
        for budget in found
    ]


def entries(organization: Organization, before: int | None) -> Entries:
    rows = Transfer.objects.of(organization).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    page = list(rows[: PAGE + 1])
    return Entries(page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None)


def statements(organization: Organization) -> list[Statement]:
    """The months that were signed, newest first."""
    return list(Statement.objects.of(organization).defer("document").order_by("-month")[:MONTHS])


def spent_this_month(organization: Organization, at: datetime) -> int:
    since = periods.start(Budget.Period.MONTH, at)
    days = UsageDay.objects.filter(organization_id=organization.pk, day__gte=since.date())
    return days.aggregate(sum=Sum("charged_nano"))["sum"] or 0


def newest_audit(organization: Organization) -> Audit | None:
    """What it found of this organisation; what it found of others is not told. None as long as nobody has checked."""
    run = AuditRun.objects.newest(organization)
    if run is None:
        return None
    found = 0 if run.is_clean_for(organization) else max(1, len(run.violations_of(organization)))
    return Audit(run.ended_at, found)


def _line(budget: Budget, covers: str, starts_at: datetime, period: BudgetPeriod | None) -> BudgetLine:
    return BudgetLine(
        budget=budget,
        covers=covers,
        spent_nano=period.spent_nano if period else 0,
        held_nano=period.held_nano if period else 0,
        starts_at=starts_at,
        resets_at=periods.end(budget.period, starts_at),
    )
