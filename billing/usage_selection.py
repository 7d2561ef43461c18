"""What a page of usage is asked for, read from its address: everything has a default, and what is wrong is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict

from billing import usage_periods, zones
from billing.usage_metrics import METRICS, Metric
from billing.usage_periods import PRESETS, NoPeriodError, Period, Unit
from billing.usage_sums import DIMENSIONS, Name

DEFAULT_RANGE = "30d"
HIGHEST_ID = 2**63 - 1
LONGEST_NAME = 120  # of a model
ABSENT = "none"  # in an address: what is kept as 0 or as an empty text
OF_TEXT = {"model", "provider"}
KIND = "kind"  # of tokens
GROUPS = {
    "model": "model",
    "key": "key",
    "project": "project",
    "member": "member",
    "provider": "provider",
    KIND: "kind of token",
    "none": "",
}
UNITS = {Unit.HOUR: "Hour", Unit.DAY: "Day", Unit.MONTH: "Month"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What to show. `parameters` are those that were given and made sense, for links to the same and to the like."""

    period: Period
    unit: Unit
    metric: Metric
    group: str
    compares: bool
    filters: Mapping[str, Name]
    zone: ZoneInfo
    parameters: Mapping[str, str]
    problems: Mapping[str, str]  # by field

    def address(self, **changes: str | None) -> str:
        """The query of the same page but for some parameters; None leaves one out."""
        merged = {**self.parameters, **changes}
        return urlencode({name: value for name, value in merged.items() if value})

    def beside(self, *names: str) -> list[tuple[str, str]]:
        """What a form sends along that has fields for these names."""
        return [(name, value) for name, value in self.parameters.items() if name not in names]


class _Reader:
    """Takes parameters one by one, and keeps those that are good."""

    def __init__(self, given: QueryDict) -> None:
        self.given = {name: str(value).strip() for name, value in given.items()}
        self.good: dict[str, str] = {}
        self.problems: dict[str, str] = {}

    def one_of(self, name: str, known: Mapping[str, object], default: str) -> str:
        value = self.given.get(name, "")
        if not value:
            return default
        if value not in known:
            self.problems[name] = f"Choose {_or(known)}."
            return default
        self.good[name] = value
        return value

    def period(self, zone: ZoneInfo, now: datetime) -> Period:
        since, until = self.given.get("from", ""), self.given.get("to", "")
        key = self.one_of("range", {**PRESETS, "custom": ""}, "custom" if since or until else DEFAULT_RANGE)
        if key != "custom":
            return usage_periods.preset(key, now, zone)
        try:
            period = usage_periods.chosen(since, until, zone)
        except NoPeriodError as error:
            self.problems[error.field] = str(error)
            self.good.pop("range", None)
            return usage_periods.preset(DEFAULT_RANGE, now, zone)
        self.good |= {"range": "custom", "from": since, "to": until}
        return period

    def unit(self, period: Period) -> Unit:
        value = self.one_of("by", {unit.value: "" for unit in Unit}, "")
        if not value:
            return period.best_unit
        unit = Unit(value)
        if period.allows(unit):
            return unit
        most = usage_periods.MOST[unit].days
        self.problems["by"] = f"By the {unit} at most {most} days can be shown. Choose a shorter time or a wider step."
        del self.good["by"]
        return period.best_unit

    def filters(self) -> dict[str, Name]:
        found: dict[str, Name] = {}
        for name in DIMENSIONS:
            value = self.given.get(name, "")
            if not value:
                continue
            wanted = _name(name, value)
            if wanted is None:
                self.problems[name] = f"There is no {name} like that. Choose one of the list."
            else:
                found[name] = wanted
                self.good[name] = value
        return found


def read(given: QueryDict, zone: ZoneInfo, now: datetime) -> Selection:
    """What the address asks for; `zone` is used unless it names another."""
    reader = _Reader(given)
    named = reader.given.get("zone", "")
    if named:
        found = zones.find(named)
        if found:
            zone = found
            reader.good["zone"] = named
        else:
            reader.problems["zone"] = "There is no such time zone. Choose one of the list, such as Europe/Berlin."
    period = reader.period(zone, now)
    metric = METRICS[reader.one_of("metric", METRICS, "spend")]
    group = reader.one_of("group", GROUPS, "model")
    if group == KIND and metric.key != "tokens":
        if "metric" in reader.good:
            reader.problems["group"] = "Only tokens come in kinds. Choose the metric Tokens, or another split."
        del reader.good["group"]
        group = "model"
    return Selection(
        period=period,
        unit=reader.unit(period),
        metric=metric,
        group=group,
        compares=reader.one_of("compare", {"previous": "", "none": ""}, "previous") == "previous",
        filters=reader.filters(),
        zone=zone,
        parameters=reader.good,
        problems=reader.problems,
    )


def _name(dimension: str, value: str) -> Name | None:
    """As the roll-ups have it. A number that is nobody's finds nothing, which is no mistake."""
    if dimension in OF_TEXT:
        if value == ABSENT:
            return ""
        return value if len(value) <= LONGEST_NAME and "\0" not in value else None
    if value == ABSENT:
        return 0
    is_number = value.isascii() and value.isdecimal() and len(value) < 20
    return int(value) if is_number and 0 < int(value) <= HIGHEST_ID else None


def in_address(name: Name) -> str:
    return str(name) if name else ABSENT


def _or(known: Mapping[str, object]) -> str:
    *rest, last = known
    return f"{', '.join(rest)} or {last}"
