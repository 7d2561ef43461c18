"""Runs inside a client's own environment, and writes down what became of each test: a JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ["GATEWAY_URL"]


@pytest.fixture(scope="session")
def key() -> str:
    return os.environ["GATEWAY_KEY"]


@pytest.fixture(scope="session")
def model_id() -> str:
    return os.environ["GATEWAY_MODEL"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test is what its call was, unless it never came to that, or could not be ended."""
    if report.when == "call" or report.outcome != "passed":
        case = {"name": report.nodeid.rpartition("::")[2], "outcome": report.outcome, "why": _why(report)}
        with Path(os.environ["OUTCOMES"]).open("a", encoding="utf-8") as outcomes:
            outcomes.write(json.dumps(case) + "\n")


def _why(report: pytest.TestReport) -> str:
    told: Any = report.longrepr
    if report.outcome == "skipped" and isinstance(told, tuple):
        return str(told[2]).removeprefix("Skipped: ")
    return report.longreprtext if report.outcome == "failed" else ""
