"""One chart: its question and its answer, the same numbers as a table, and what the browser draws it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

from accounts.models import Organization
from billing import usage_metrics, usage_names, usage_sums
from billing.usage_labels import Label, labels
from billing.usage_metrics import Change, Metric
from billing.usage_selection import KIND, Selection, in_address
from billing.usage_sums import NOTHING, Group, Groups, Name, Sums, add_up
from billing.zones import HOUR, this_hour

MOST_SERIES = 8
NEXT = {"model": "key", "key": "model", "project": "key", "member": "model", "provider": "model"}
KINDS = (("Input", "input"), ("Cached input", "cached"), ("Output", "output"))


@dataclass(frozen=True, slots=True)
class Series:
    """One name's line or stack. Its colour is a number; 0 is that of all that were left over together."""

    label: str
    value: str | None  # in an address, to see this alone
    colour: int
    sums: Sequence[Sums]
    metric: Metric

    @property
    def total(self) -> Sums:
        return add_up(self.sums)

    @property
    def values(self) -> list[int | None]:
        return [self.metric.of(one) for one in self.sums]


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table, and all of it where what is shown is rounded."""

    shown: str
    exact: str


@dataclass(frozen=True, slots=True)
class Part:
    """A line of a ranking: one name in the whole time."""

    label: str
    shown: str
    exact: str
    share: str  # of the total; nothing for averages
    width: float  # of its bar, per cent of the longest
    query: str  # of the page that shows this alone; nothing where there is none
    colour: int | None = None
    is_rest: bool = False  # all that were left over


@dataclass(frozen=True, slots=True)
class Row:
    """A bucket in the table."""

    label: Label
    cells: list[Cell]
    total: Cell
    previous: Cell | None
    running: bool


class Chart:
    """What a selection comes to."""

    def __init__(self, organization: Organization, selection: Selection, now: datetime) -> None:
        self.organization, self.selection, self.now = organization, selection, now
        self.metric = selection.metric
        self.bounds = selection.period.bounds(selection.unit, now)
        self.labels = labels(self.bounds, selection.unit, selection.zone)

    # -- numbers

    @cached_property
    def series(self) -> list[Series]:
        """At most eight, and one for the rest."""
        if self.selection.group == KIND:
            return self._kinds()
        found = self._groups
        names = [group.name for group in found.groups if group.name is not None]
        called = self._called(names)
        series = []
        for place, group in enumerate(found.groups, 1):
            label = f"{found.count - MOST_SERIES} other{'s' if found.count - MOST_SERIES > 1 else ''}"
            value = None
            if group.name is not None:
                label, value = called[group.name], in_address(group.name)
            colour = place if group.name is not None else 0
            series.append(Series(label, value, colour, self._filled(group), self.metric))
        return series

    @cached_property
    def sums(self) -> list[Sums]:
        """Of everything together, by bucket."""
        if self.selection.group == KIND:
            return self._together
        found = self._groups.groups
        return [add_up(group.buckets.get(n, NOTHING) for group in found) for n in range(len(self.labels))]

    @cached_property
    def total(self) -> Sums:
        return add_up(self.sums)

    @cached_property
    def previous(self) -> list[Sums] | None:
        """Bucket by bucket, up to where this period has come; None when nothing is to be compared."""
        if not self.selection.compares:
            return None
        return self._filled(usage_sums.by_bucket(self.organization, self._previous_bounds, self.selection.filters))

    @cached_property
    def previous_values(self) -> list[int | None] | None:
        """None, too, for a bucket that has nothing to be compared with: the hour that is running."""
        if self.previous is None:
            return None
        spans = pairwise(self._previous_bounds)
        return [
            self.metric.of(one) if end > start else None for one, (start, end) in zip(self.previous, spans, strict=True)
        ]

    @cached_property
    def fair_total(self) -> Sums:
        """Without the hour that is running: the period before is not read further either."""
        hour = this_hour(self.now)
        if not self.previous or not self.selection.period.start <= hour < self.selection.period.end:
            return self.total
        running = usage_sums.by_bucket(self.organization, (hour, hour + HOUR), self.selection.filters)
        return self.total - running.total

    def change(self, metric: Metric) -> Change | None:
        if self.previous is None:
            return None
        before = add_up(self.previous)
        period = self.selection.period
        return usage_metrics.change(metric, metric.of(self.fair_total), metric.of(before), period.before)

    @property
    def running(self) -> int | None:
        """The bucket that is not over."""
        last = len(self.labels) - 1
        return last if self.bounds[-2] <= self.now < self.bounds[-1] else None

    @property
    def is_empty(self) -> bool:
        return self.total.requests == 0

    # -- words

    @property
    def question(self) -> str:
        asked = self.metric.asks.format(self.selection.period.words)
        group = {KIND: "kind", "none": ""}.get(self.selection.group, self.selection.group)
        return f"{asked}, by {group}?" if group else f"{asked}?"

    @property
    def answer(self) -> str:
        """In a sentence or two: how much, against before, and what most of it was."""
        value = self.metric.of(self.total)
        if value is None:
            return "Nothing was measured in this time."
        told = [self._amount(value)]
        change = self.change(self.metric)
        if change:
            told.append(f", {change.words}")
        told.append(".")
        first = self.series[0] if len(self.series) > 1 else None
        if first and value and first.colour and not self.metric.is_average:
            part = self.metric.of(first.total) or 0
            if part:
                told.append(f" {usage_metrics.share(part, value)} of it is {first.label}.")
        return "".join(told)

    @property
    def previous_words(self) -> str:
        words = self.selection.period.before
        return words[0].upper() + words[1:]

    def _amount(self, value: int) -> str:
        shown = self.metric.shown(value)
        if self.metric.is_average:
            return f"{shown} on average"
        if self.metric.key == "spend":
            return shown
        noun = self.metric.label.lower()
        return f"{shown} {noun.removesuffix('s') if value == 1 else noun}"

    # -- tables

    @property
    def parts(self) -> list[Part]:
        """The series from the largest on, each with its share."""
        whole = self.metric.of(self.total) or 0
        values = [self.metric.of(one.total) for one in self.series]
        return [
            Part(
                label=one.label,
                shown=self.metric.shown(value),
                exact=self.metric.exact(value),
                share="" if self.metric.is_average else usage_metrics.share(value or 0, whole),
                width=bar(value, values),
                query=self._alone(one),
                colour=one.colour,
                is_rest=one.colour == 0,
            )
            for one, value in zip(self.series, values, strict=True)
        ]

    @property
    def rows(self) -> list[Row]:
        values, before = [one.values for one in self.series], self.previous_values
        return [
            Row(
                label=label,
                cells=[self._cell(column[n]) for column in values],
                total=self._cell(self.metric.of(self.sums[n])),
                previous=self._cell(before[n]) if before is not None else None,
                running=n == self.running,
            )
            for n, label in enumerate(self.labels)
        ]

    @property
    def footer(self) -> list[Cell]:
        """The last line: of each column all of it."""
        sums = [*(one.total for one in self.series), self.total]
        if self.previous is not None:
            sums.append(add_up(self.previous))
        return [self._cell(self.metric.of(one)) for one in sums]

    @property
    def total_word(self) -> str:
        return "Average" if self.metric.is_average else "Total"

    # -- for the browser

    @property
    def data(self) -> dict[str, Any]:
        """Everything that is drawn. Money is in nano-dollars, which a number of JavaScript holds up to nine million
        dollars in a bucket."""
        return {
            "kind": self.metric.kind.value,
            "stacked": not self.metric.is_average,
            "totalWord": self.total_word,
            "series": [{"label": one.label, "colour": one.colour, "values": one.values} for one in self.series],
            "total": [self.metric.of(one) for one in self.sums],
            "previous": self.previous_values,
            "previousWord": self.previous_words,
            "ticks": [label.tick for label in self.labels],
            "names": [label.name for label in self.labels],
            "from": [label.since for label in self.labels],
            "to": [label.until for label in self.labels],
            "unit": self.selection.unit.value,
            "places": [label.place for label in self.labels],
            "running": self.running,
        }

    @property
    def zoom(self) -> str:
        """The address of the same without its time, for what is chosen in the chart to be added to."""
        return self.selection.address(**{"range": "custom", "from": None, "to": None, "by": None})

    # -- reading

    @cached_property
    def _groups(self) -> Groups:
        selection, group = self.selection, self.selection.group
        if group == "none":
            found = usage_sums.by_bucket(self.organization, self.bounds, selection.filters)
            return Groups([found] if found.buckets else [], 1)
        return usage_sums.by_name(
            self.organization, self.bounds, group, selection.filters, rank=self.metric.rank, most=MOST_SERIES
        )

    @cached_property
    def _together(self) -> list[Sums]:
        return self._filled(usage_sums.by_bucket(self.organization, self.bounds, self.selection.filters))

    @cached_property
    def _previous_bounds(self) -> tuple[datetime, ...]:
        return self.selection.period.previous(self.bounds, self.now)

    def _called(self, names: list[Name]) -> dict[Name, str]:
        if self.selection.group == "none":
            return dict.fromkeys(names, "All")
        return usage_names.of(self.organization, self.selection.group, names)

    def _kinds(self) -> list[Series]:
        """Tokens by what they were: each kind as if it were all the tokens there are."""
        found = []
        for colour, (label, name) in enumerate(KINDS, 1):
            sums = [Sums(requests=one.requests, output=getattr(one, name)) for one in self._together]
            if not self.is_empty:
                found.append(Series(label, None, colour, sums, self.metric))
        return found

    def _alone(self, one: Series) -> str:
        """The query for one name: split by what one asks next."""
        group = self.selection.group
        if one.value is None or group not in NEXT:
            return ""
        return self.selection.address(**{group: one.value, "group": NEXT[group]})

    def _filled(self, group: Group) -> list[Sums]:
        return [group.buckets.get(n, NOTHING) for n in range(len(self.labels))]

    def _cell(self, value: int | None) -> Cell:
        return Cell(self.metric.shown(value), self.metric.exact(value))


def bar(value: int | None, among: Sequence[int | None]) -> float:
    """How long it is, per cent of the longest."""
    most = max((one for one in among if one is not None), default=0)
    return round((value or 0) * 100 / most, 2) if most else 0.0


def spark(values: Sequence[int | None], *, width: int = 100, height: int = 24) -> str:
    """The points of a small line, from nothing at the bottom to the highest of these at the top. It goes straight over
    what is missing: it shows a direction, and the chart shows the gaps."""
    known = [value for value in values if value is not None]
    most = max(known, default=0)
    if len(known) < 2 or not most:
        return ""
    step = width / (len(values) - 1)
    return " ".join(
        f"{place * step:.1f},{height - 1 - value * (height - 2) / most:.1f}"
        for place, value in enumerate(values)
        if value is not None
    )
