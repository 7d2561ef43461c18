"""What ./dev test makes of its arguments."""

from __future__ import annotations

import pytest

from config.stack.testing import with_defaults

PARALLEL, QUICK = ["-n", "auto"], ["-m", "not slow"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [*PARALLEL, *QUICK]),
        (["tests/billing", "-x"], [*PARALLEL, *QUICK, "tests/billing", "-x"]),
        (["-m", "slow"], [*PARALLEL, "-m", "slow"]),
        (["-mslow"], [*PARALLEL, "-mslow"]),
        (["-n0"], [*QUICK, "-n0"]),
        (["--numprocesses=2"], [*QUICK, "--numprocesses=2"]),
        (["--pdb"], [*QUICK, "--pdb"]),
        (["--maxfail=1"], [*PARALLEL, *QUICK, "--maxfail=1"]),
        (["tests/stack/test_up.py::test_one"], ["tests/stack/test_up.py::test_one"]),
    ],
)
def test_the_callers_choice_comes_before_the_defaults(arguments: list[str], expected: list[str]) -> None:
    assert with_defaults(arguments) == expected
