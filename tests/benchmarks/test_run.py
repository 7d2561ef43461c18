"""`./dev bench` end to end, for as short as it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from config.stack import bench
from tests.live import ROOT

ARGUMENTS = ["throughput", "--seconds", "0.5", "--rounds", "1", "--no-peers"]
SECONDS = 300  # against hanging


@pytest.mark.slow
def test_a_scenario_runs_to_its_report() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    program = f"from config.stack import bench; raise SystemExit(bench.run({ARGUMENTS}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    written = json.loads((ROOT / ".dev" / "bench" / "report.json").read_text(encoding="utf-8"))
    (section,) = written["sections"]
    rates = {one["system"]: one for one in section["figures"] if one["what"] == "requests a second"}
    assert set(rates) == {"Directly", "2389", "Bare ASGI"}
    assert all(one["values"][0] > 0 for one in rates.values())


def test_a_measurement_of_its_own_is_found_by_its_name() -> None:
    assert set(bench.MEASUREMENTS) >= {"ledger", "pages"}
