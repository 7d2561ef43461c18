"""The differences between two sets of facts, and the list of those that have an explanation.

The list is `explained.toml`. A difference that nothing there explains is one that somebody has to look at, and so is
an explanation that no longer explains anything.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ABSENT: Final = "absent"
EXPLAINED = Path(__file__).with_name("explained.toml")
SIDES = {"ours", "theirs", "either"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that the two sides do not agree on. The values are JSON, or `absent`."""

    case: str  # dialect/name, or model/name for requests
    path: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.case}: {self.path}\n      ours   {self.ours[:400]}\n      theirs {self.theirs[:400]}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why differences of one kind are there. `*` in a pattern stands for any text."""

    id: str
    right: str  # whose way we hold to be right
    reason: str
    source: str
    paths: tuple[str, ...]
    cases: tuple[str, ...] = ("*",)
    ours: tuple[str, ...] = ("*",)
    theirs: tuple[str, ...] = ("*",)
    recorded: bool = False  # shows in recordings only, so that it cannot be missed where there are none

    def outlived(self, differences: Sequence[Difference], *, each: bool) -> list[str]:
        """What of it explains nothing: all of it, or, of `each` pattern, those that nothing matches."""
        if not differences:
            return [self.id]
        patterns = [("path", pattern, [one.path for one in differences]) for pattern in self.paths]
        patterns += [("case", pattern, [one.case for one in differences]) for pattern in self.cases]
        patterns += [("value of ours", pattern, [one.ours for one in differences]) for pattern in self.ours]
        patterns += [("value of theirs", pattern, [one.theirs for one in differences]) for pattern in self.theirs]
        return [
            f"{self.id}, the {what} {pattern}"
            for what, pattern, texts in patterns
            if each and not any(_any([pattern], text) for text in texts)
        ]

    def explains(self, difference: Difference) -> bool:
        return (
            _any(self.paths, difference.path)
            and _any(self.cases, difference.case)
            and _any(self.ours, difference.ours)
            and _any(self.theirs, difference.theirs)
        )


@dataclass
class Findings:
    """What came of holding the differences against the explanations."""

    unexplained: list[Difference] = field(default_factory=list)
    explained: dict[str, list[Difference]] = field(default_factory=dict)
    outlived: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"  {difference}" for difference in self.unexplained]
        lines += [f"  {name}: explains nothing any more. Take it out." for name in self.outlived]
        return "\n".join(["Differences from LiteLLM that explained.toml does not match:", *lines])


def differences(case: str, ours: Any, theirs: Any, path: str) -> Iterator[Difference]:
    """The smallest parts of the two values that differ. Lists of different lengths differ as a whole."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            yield from differences(case, ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(case, one, other, f"{path}[{place}]")
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(case, path, _text(ours), _text(theirs))


def judge(found: Sequence[Difference], explanations: Sequence[Explanation], *, with_recordings: bool) -> Findings:
    findings = Findings(explained={explanation.id: [] for explanation in explanations})
    for difference in found:
        matching = [explanation for explanation in explanations if explanation.explains(difference)]
        if matching:
            findings.explained[matching[0].id].append(difference)
        else:
            findings.unexplained.append(difference)
    for explanation in explanations:
        if with_recordings or not explanation.recorded:
            findings.outlived += explanation.outlived(findings.explained[explanation.id], each=with_recordings)
    return findings


def explanations(file: Path) -> list[Explanation]:
    """In the order of the file: the first that matches a difference is taken to explain it."""
    listed = tomllib.loads(file.read_text(encoding="utf-8"))
    return [_explanation(name, fields) for name, fields in listed.items()]


def _explanation(name: str, fields: Mapping[str, Any]) -> Explanation:
    assert fields["right"] in SIDES, name
    patterns = {
        key: (value,) if isinstance(value, str) else tuple(value)
        for key, value in fields.items()
        if key in {"paths", "cases", "ours", "theirs"}
    }
    return Explanation(id=name, **{**fields, **patterns})


def _text(value: Any) -> str:
    return ABSENT if value == ABSENT else json.dumps(value, ensure_ascii=False)


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) for pattern in patterns)
