"""`./dev check`: everything that must be true before a change is accepted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.stack import chromium, testing
from config.stack.state import ROOT
from config.stack.supervisor import Stopped

NO_BROWSER = f"NOT TESTED: the pages in a browser, because there is none. {chromium.HOW_TO_GET_IT} Then check again."
PRODUCTION = {"PUBLIC_URL": "https://gateway.example", "ALLOWED_HOSTS": "gateway.example", "DEBUG": "false"}


@dataclass(frozen=True)
class Step:
    """One program that must end well."""

    name: str
    module: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)

    def passes(self, env: Mapping[str, str]) -> bool:
        """Says how it went, and shows what it printed only when it failed."""
        begun = time.monotonic()
        print(f"  {self.name:12}", end="", flush=True)
        done = subprocess.run(
            [sys.executable, *self.module],
            cwd=ROOT,
            env={**env, **self.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        outcome = "passed" if done.returncode == 0 else "FAILED"
        print(f"{outcome} {time.monotonic() - begun:6.1f} s", flush=True)
        if done.returncode != 0:
            print(f"\n{done.stdout.rstrip()}\n", flush=True)
        return done.returncode == 0


STEPS = (
    Step("format", ("-m", "ruff", "format", "--check", ".", "dev")),
    Step("lint", ("-m", "ruff", "check", ".", "dev")),
    Step("types", ("-m", "mypy", ".")),
    Step("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
    Step("deployment", ("manage.py", "check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
)


def run() -> int:
    """All steps, even when one fails. The tests come last, the slow ones too, so that their summary ends the output."""
    try:
        with testing.bench() as bench:
            failed = [step.name for step in STEPS if not step.passes(bench.env)]
            browser = _browser()
            print("  tests", flush=True)
            if bench.pytest(["-n", "auto"]) != 0:
                failed.append("tests")
    except Stopped:
        return 130
    if browser is None:
        print(f"\n{NO_BROWSER}", file=sys.stderr, flush=True)
    if failed:
        print(f"\nFailed: {', '.join(failed)}.", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _browser() -> str | None:
    """The tests look for it in the same way, and leave themselves out without it."""
    print(f"  {'browser':12}", end="", flush=True)
    found = chromium.find_or_install(os.environ)
    print(found or "MISSING", flush=True)
    return found
