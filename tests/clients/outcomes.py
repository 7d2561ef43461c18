"""What a suite found, case by case, against what `expected.toml` says it finds: no more and no less."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

EXPECTED = Path(__file__).with_name("expected.toml")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One test of somebody else's suite."""

    name: str
    outcome: str
    why: str = ""

    @classmethod
    def read(cls, lines: str) -> list[Self]:
        """A JSON object a line."""
        return [cls(**json.loads(line)) for line in lines.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Expected:
    """How many cases of a suite pass for a model, and why each of the others does not."""

    passed: int
    failed: Mapping[str, str]
    skipped: Mapping[str, str]

    @classmethod
    def of(cls, suite: str, model: str) -> Self:
        """What is said of all models, and of this one."""
        told: dict[str, Any] = expectations()[suite]
        own: dict[str, Any] = told["models"][model]
        return cls(
            passed=own["passed"],
            failed={**told.get(FAILED, {}), **own.get(FAILED, {})},
            skipped={**told.get(SKIPPED, {}), **own.get(SKIPPED, {})},
        )


def expectations() -> dict[str, Any]:
    return tomllib.loads(EXPECTED.read_text(encoding="utf-8"))


def differences(cases: Iterable[Case], expected: Expected) -> list[str]:
    """A line for each case that did not do what was expected of it, and one when cases came or went."""
    found = {case.name: case for case in cases}
    wrong = [_complaint(case, expected) for case in found.values()]
    gone = sorted({*expected.failed, *expected.skipped} - set(found))
    lines = [line for line in wrong if line] + [f"{name}: expected.toml names it, but there is none" for name in gone]
    passed = sum(case.outcome == PASSED for case in found.values())
    if passed != expected.passed:
        lines.append(f"{passed} cases passed, where expected.toml says {expected.passed}")
    return lines


def _complaint(case: Case, expected: Expected) -> str:
    wanted = FAILED if case.name in expected.failed else SKIPPED if case.name in expected.skipped else PASSED
    if case.outcome == wanted:
        return ""
    return f"{case.name}: {case.outcome}, where expected.toml says {wanted}{': ' if case.why else ''}{case.why[-1500:]}"
