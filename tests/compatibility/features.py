"""What a row of the page is, and what its cells are made from: a request, and what is seen of it on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.compatibility.asking import Seen, ask
from tests.compatibility.families import FAMILIES, Family, serving

YES, PASSED, ADAPTED, LEFT_OUT, REFUSED, NO = "yes", "passed on", "adapted", "left out", "refused", "no"
TRANSPORT = ("stream", "stream_options")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which a vendor can be asked, and by what it is known in the body that is sent."""

    outcome: str
    holds: Callable[[Body], object]
    note: str = ""
    besides: bool = False  # everything else is as it came


def yes(holds: Callable[[Body], object], note: str = "") -> Way:
    return Way(YES, holds, note)


def adapted(note: str, holds: Callable[[Body], object]) -> Way:
    return Way(ADAPTED, holds, note)


@dataclass(frozen=True)
class Feature:
    """One row. The first way that is seen makes the cell; without one it is left out."""

    title: str
    fields: Mapping[str, Any]
    anthropic: tuple[Way, ...] = ()
    gemini: tuple[Way, ...] = ()
    openai: tuple[Way, ...] = ()  # besides being passed on as it came
    word: str = ""  # the capability by which it is more than passed on
    basic: bool = False  # it is more than passed on whatever the model
    back: Callable[[Seen], object] | None = None  # what must then be in the answer
    silent: str = ""  # why it may be missing from the answer all the same
    lost: Mapping[str, str] = field(default_factory=dict)  # why it is left out, by kind
    why: Mapping[str, str] = field(default_factory=dict)  # why it is refused, by kind
    notes: Mapping[str, str] = field(default_factory=dict)  # what else there is to say, by kind
    sandbox: str = "sandbox/echo"
    endpoint: str = "chat"

    def __hash__(self) -> int:
        return hash(self.title)

    def way(self, kind: str, body: Body) -> Way | None:
        translated = {"anthropic": self.anthropic, "gemini": self.gemini}
        ways = translated.get(kind, (*self.openai, Way(YES, lambda _: True, besides=True)))
        found = (way for way in ways if not way.besides or self._as_it_came(body))
        return next((way for way in found if way.holds(body)), None)

    def _as_it_came(self, body: Body) -> bool:
        return all(body.get(name) == value for name, value in self.fields.items() if name not in TRANSPORT)

    def sure(self, kind: str, capabilities: Mapping[str, Any]) -> bool:
        """Whether the model is known to do what it is asked. A translation asks only for what its vendor has."""
        return self.basic or kind in {"anthropic", "gemini"} or bool(self.word and capabilities.get(self.word))


@dataclass(frozen=True, slots=True)
class Cell:
    outcome: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    features: tuple[Feature, ...]
    families: tuple[Family, ...] = FAMILIES


@cache
def seen(feature: Feature, model: str) -> Seen:
    return asyncio.run(ask(serving(model), feature.fields, feature.endpoint))


@cache
def observe(feature: Feature, model: str) -> Cell:
    """What was seen of a request to this model."""
    entry, found = serving(model), seen(feature, model)
    kind = entry.kinds[0]
    if found.refusal is not None:
        error = found.refusal
        reason = f" {feature.why[kind]}" if kind in feature.why else ""
        return Cell(REFUSED, f"{error.status} `{error.code}`, `param` is `{error.param}`.{reason}")
    came_back = feature.back is None or bool(feature.back(found))
    if kind == "sandbox":
        return Cell(YES if feature.back and came_back else LEFT_OUT)
    way = feature.way(kind, found.sent)
    if way is None:
        return Cell(LEFT_OUT, feature.lost.get(kind, ""))
    if not came_back:
        assert feature.silent, f"{feature.title}, {model}: it was sent, and nothing of it came back"
        return Cell(NO, feature.silent)
    if way.outcome == YES and not feature.sure(kind, entry.capabilities):
        return Cell(PASSED, feature.notes.get(kind, way.note))
    return Cell(way.outcome, way.note)
