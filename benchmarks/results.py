"""What a measurement found: figures with their spread, whether targets were met, curves."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one system, a number for each round. `refused` says why it must not be believed."""

    what: str
    system: str
    unit: str
    values: tuple[float, ...]
    refused: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def told(self) -> str:
        if self.refused:
            return "refused"
        if not self.values:
            return "none"
        spread = f" ({number(min(self.values))}-{number(max(self.values))})" if len(self.values) > 1 else ""
        return f"{number(self.median)}{spread}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, slots=True)
class Target:
    """What was wanted, what came out. `met` is None when nothing can be said: a figure was refused or is absent."""

    wanted: str
    got: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of a plot: pairs of x and y."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing to be made of a section."""

    name: str
    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    logarithmic: bool = False  # of x


@dataclass
class Section:
    """One scenario's part of the report."""

    name: str
    title: str
    how: str
    figures: list[Figure] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def figure(self, what: str, system: str) -> Figure | None:
        """None too when it was refused or has no values."""
        for one in self.figures:
            if (one.what, one.system) == (what, system) and one.values and not one.refused:
                return one
        return None

    def ratio(self, what: str, system: str, to: str) -> float | None:
        first, second = self.figure(what, system), self.figure(what, to)
        return first.median / second.median if first and second and second.median else None

    def want(self, wanted: str, got: float | None, *, least: float | None = None, most: float | None = None) -> None:
        """Note a target, and whether it was met."""
        if got is None:
            self.targets.append(Target(wanted, "no figure", None))
            return
        met = (least is None or got >= least) and (most is None or got <= most)
        self.targets.append(Target(wanted, number(got), met))


@dataclass
class Report:
    """All of a run."""

    machine: dict[str, str]
    settings: dict[str, str]
    sections: list[Section] = field(default_factory=list)

    @property
    def refusals(self) -> list[str]:
        return [
            f"{section.title}: {one.what}, {one.system}: {one.refused}"
            for section in self.sections
            for one in section.figures
            if one.refused
        ]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        return cls(data["machine"], data["settings"], [_section(one) for one in data["sections"]])


def _section(data: dict[str, Any]) -> Section:
    return Section(
        data["name"],
        data["title"],
        data["how"],
        [Figure(**{**one, "values": tuple(one["values"])}) for one in data["figures"]],
        [Target(**one) for one in data["targets"]],
        [Plot(**{**one, "lines": tuple(_line(line) for line in one["lines"])}) for one in data["plots"]],
        data["notes"],
    )


def _line(data: dict[str, Any]) -> Line:
    return Line(data["label"], tuple((x, y) for x, y in data["points"]))


def number(value: float) -> str:
    """Three digits that mean something; whole numbers with separators."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> float:
    """How far the rounds lie apart, as a share of their median."""
    middle = statistics.median(values) if values else 0.0
    return (max(values) - min(values)) / middle if middle else 0.0
