"""What an organisation is shown first: what today and this month cost, how the last 24 hours went, and who spent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.urls import reverse

from accounts.models import Organization
from billing import overview, usage_metrics, usage_names, usage_periods, usage_selection, usage_sums
from billing.models import Budget
from billing.overview import BudgetLine
from billing.usage_charts import NEXT, Chart, Part, bar, spark
from billing.usage_metrics import METRICS, Metric
from billing.usage_periods import Period, Unit
from billing.usage_selection import KIND, in_address
from billing.usage_sums import NOTHING, Sums, add_up
from billing.zones import HOUR, this_hour

OF_A_DAY = ("requests", "tokens", "errors", "latency", "first-token")
MOST_LEADERS = 5
MOST_BUDGETS = 3


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, how it compares, and how it came about."""

    id: str
    label: str
    value: str
    exact: str
    change: usage_metrics.Change | None
    note: str
    spark: str
    url: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class _Compared:
    """A period's sums by bucket, and those that can be compared fairly."""

    buckets: Sequence[Sums]
    fair: Sums
    before: Sums

    @property
    def total(self) -> Sums:
        return add_up(self.buckets)


class Overview:
    """All of the page that changes with the minute."""

    def __init__(self, organization: Organization, zone: ZoneInfo, now: datetime) -> None:
        self.organization, self.zone, self.now = organization, zone, now
        self.url = reverse("billing:usage", args=[organization.slug])
        given = QueryDict(mutable=True)
        given["range"] = "30d"
        self.chart = Chart(organization, usage_selection.read(given, zone, now), now)
        self.budgets = overview.budgets(organization, now)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever used."""
        return self.chart.is_empty and not usage_sums.ever(self.organization)

    def tiles(self) -> list[Tile]:
        today = self._compared(usage_periods.today(self.now, self.zone), Unit.HOUR)
        month = self._compared(usage_periods.preset("month", self.now, self.zone), Unit.DAY)
        day = self._compared(usage_periods.preset("24h", self.now, self.zone), Unit.HOUR)
        spend = METRICS["spend"]
        name = f"{self.now.astimezone(self.zone):%B}"
        first = [
            self._tile(
                "today", "Spent today", spend, today, "the same hours yesterday", {"from": self._day, "to": self._day}
            ),
            self._tile("month", f"Spent in {name}", spend, month, "the same time last month", {"range": "month"}),
        ]
        rest = [
            self._tile(
                key, METRICS[key].label, METRICS[key], day, "the 24 hours before", {"metric": key, "range": "24h"},
                note=self._note(key, day.total),
            )
            for key in OF_A_DAY
        ]  # fmt: skip
        return [*first, *rest]

    @property
    def month_budget(self) -> BudgetLine | None:
        """The tightest of the whole organisation's budgets of a month."""
        of_all = [
            line
            for line in self.budgets
            if line.budget.scope == Budget.Scope.ORGANIZATION and line.budget.period == Budget.Period.MONTH
        ]
        return min(of_all, key=lambda line: line.left_nano, default=None)

    @property
    def other_budgets(self) -> list[BudgetLine]:
        """Those that are nearest to their end."""
        rest = [line for line in self.budgets if line is not self.month_budget]
        return sorted(rest, key=lambda line: -(line.spent_share + line.held_share))[:MOST_BUDGETS]

    def leaders(self, dimension: str) -> list[Part]:
        """Who or what cost most in the time of the chart."""
        period = self.chart.selection.period
        found = usage_sums.by_name(
            self.organization, (period.start, period.end), dimension, {}, rank="charged_nano", most=MOST_LEADERS
        )
        names = [group.name for group in found.groups if group.name is not None]
        called = usage_names.of(self.organization, dimension, names)
        spend, whole = METRICS["spend"], self.chart.total.charged_nano
        leaders = []
        for group in found.groups:
            nano = group.total.charged_nano
            asked = {"group": dimension}
            label = f"{found.count - MOST_LEADERS} more"
            if group.name is not None:
                asked = {dimension: in_address(group.name), "group": NEXT[dimension]}
                label = called[group.name]
            leaders.append(
                Part(
                    label=label,
                    shown=spend.shown(nano),
                    exact=spend.exact(nano),
                    share=usage_metrics.share(nano, whole),
                    width=bar(nano, [one.total.charged_nano for one in found.groups]),
                    query=self._query(asked),
                    is_rest=group.name is None,
                )
            )
        return leaders

    def _compared(self, period: Period, unit: Unit) -> _Compared:
        bounds = period.bounds(unit, self.now)
        found = usage_sums.by_bucket(self.organization, bounds, {}).buckets
        buckets = [found.get(n, NOTHING) for n in range(len(bounds) - 1)]
        before = usage_sums.by_bucket(self.organization, period.previous((period.start, period.end), self.now), {})
        return _Compared(buckets, add_up(buckets) - self._running, before.total)

    @cached_property
    def _running(self) -> Sums:
        """What has come of the hour that is not over."""
        hour = this_hour(self.now)
        return usage_sums.by_bucket(self.organization, (hour, hour + HOUR), {}).total

    def _tile(
        self, key: str, label: str, metric: Metric, of: _Compared, before: str, asked: dict[str, str], *, note: str = ""
    ) -> Tile:
        value = metric.of(of.total)
        return Tile(
            id=f"tile-{key}",
            label=label,
            value=metric.shown(value),
            exact=metric.exact(value),
            change=usage_metrics.change(metric, metric.of(of.fair), metric.of(of.before), before),
            note=note,
            spark=spark([metric.of(one) for one in of.buckets]),
            url=f"{self.url}?{self._query(asked)}",
        )

    def _note(self, key: str, total: Sums) -> str:
        if key == "errors" and total.requests:
            return f"{usage_metrics.share(total.errors, total.requests)} of requests"
        if key == "tokens" and total.tokens:
            return f"{usage_metrics.share(total.cached, total.tokens)} from caches"
        return ""

    @property
    def _day(self) -> str:
        return self.now.astimezone(self.zone).date().isoformat()

    def _query(self, asked: dict[str, str]) -> str:
        return urlencode({**asked, "zone": self.zone.key})


def usage_tiles(chart: Chart, url: str) -> list[Tile]:
    """On the page of usage each tile is a number and the way to its chart."""
    found = []
    for key in ("spend", *OF_A_DAY):
        metric = METRICS[key]
        value = metric.of(chart.total)
        group = chart.selection.parameters.get("group")
        asked = chart.selection.address(metric=key, group=None if group == KIND and key != "tokens" else group)
        found.append(
            Tile(
                id=f"tile-{key}",
                label=metric.label,
                value=metric.shown(value),
                exact=metric.exact(value),
                change=chart.change(metric),
                note="",
                spark=spark([metric.of(one) for one in chart.sums]),
                url=f"{url}?{asked}",
                current=chart.metric.key == key,
            )
        )
    return found
