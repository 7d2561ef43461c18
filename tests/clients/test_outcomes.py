"""What a suite finds is held to the letter: nothing may come, go, fail or pass unnoticed."""

from __future__ import annotations

import pytest

from tests.clients.outcomes import FAILED, PASSED, SKIPPED, Case, Expected, differences

EXPECTED = Expected(passed=2, failed={"sings": "it has no voice"}, skipped={"sleeps": "it never rests"})
AS_EXPECTED = (Case("walks", PASSED), Case("talks", PASSED), Case("sings", FAILED), Case("sleeps", SKIPPED))


def changed(**outcomes: str) -> list[Case]:
    return [Case(case.name, outcomes.pop(case.name, case.outcome), "why") for case in AS_EXPECTED]


def test_what_is_expected_is_no_difference() -> None:
    assert differences(AS_EXPECTED, EXPECTED) == []


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (changed(walks=FAILED), "walks: failed, where expected.toml says passed: why"),
        (changed(walks=SKIPPED), "walks: skipped, where expected.toml says passed: why"),
        (changed(sings=PASSED), "sings: passed, where expected.toml says failed: why"),
        (changed(sings=SKIPPED), "sings: skipped, where expected.toml says failed: why"),
        (changed(sleeps=PASSED), "sleeps: passed, where expected.toml says skipped: why"),
        (AS_EXPECTED[:3], "sleeps: expected.toml names it, but there is none"),
        (AS_EXPECTED[1:], "1 cases passed, where expected.toml says 2"),
        ([*AS_EXPECTED, Case("flies", PASSED)], "3 cases passed, where expected.toml says 2"),
        ([], "0 cases passed, where expected.toml says 2"),
    ],
)
def test_any_other_outcome_is_told(cases: list[Case], told: str) -> None:
    assert told in differences(cases, EXPECTED)


def test_a_case_that_failed_once_it_had_passed_has_failed() -> None:
    assert differences([*AS_EXPECTED, Case("walks", FAILED)], EXPECTED)


def test_a_suite_writes_an_object_a_line() -> None:
    written = '{"name": "walks", "outcome": "passed", "why": ""}\n\n{"name": "talks", "outcome": "failed"}\n'
    assert Case.read(written) == [Case("walks", PASSED), Case("talks", FAILED)]
