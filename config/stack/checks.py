"""`./dev test` and `./dev check`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from config.stack import environment
from config.stack.state import ROOT, StackError, State
from config.stack.supervisor import Stopped, Supervisor

PRODUCTION = {
    "PUBLIC_URL": "https://gateway.example",
    "ALLOWED_HOSTS": "gateway.example",
    "DEBUG": "false",
}


def test(arguments: Sequence[str]) -> int:
    """pytest in parallel against throw-away servers; the slow suites only when they are asked for."""
    chosen = list(arguments)
    if not any(argument.startswith("-m") for argument in chosen) and not _names_tests(chosen):
        chosen = ["-m", "not slow", *chosen]
    return _with_servers([chosen])


def check() -> int:
    """Every check, all of them even when one fails; the tests last."""
    return _with_servers([["-m", "slow or not slow"]], before=_static_checks)


def _names_tests(arguments: Sequence[str]) -> bool:
    return any("::" in argument for argument in arguments)


def _with_servers(runs: Sequence[Sequence[str]], before: Callable[[dict[str, str]], list[str]] | None = None) -> int:
    given = dict(os.environ)
    with ExitStack() as stack:
        try:
            where = stack.enter_context(environment.throwaway(given))
            supervisor = stack.enter_context(Supervisor())
            for service in where.services:
                supervisor.start(service)
            where.prepare()
            env = environment.settings_for(State(), where, given)
            failed = before(env) if before else []
            for arguments in runs:
                if _pytest(env, arguments) != 0:
                    failed.append("tests")
        except Stopped:
            return 130
        except StackError as error:
            print(error, file=sys.stderr)
            return 1
    if before:
        print(f"\nfailed: {', '.join(failed)}" if failed else "\nEverything is in order.", flush=True)
    return 1 if failed else 0


def _pytest(env: dict[str, str], arguments: Sequence[str]) -> int:
    parallel = [] if any(a.startswith("-n") or a == "-p" for a in arguments) else ["-n", "auto"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *parallel, *arguments], cwd=ROOT, env=env, check=False
    ).returncode


def _static_checks(env: dict[str, str]) -> list[str]:
    tools = Path(sys.executable).parent
    manage = [sys.executable, "manage.py"]
    steps: list[tuple[str, list[str], dict[str, str]]] = [
        ("format", [str(tools / "ruff"), "format", "--check", "."], {}),
        ("lint", [str(tools / "ruff"), "check", "."], {}),
        ("types", [str(tools / "mypy"), "."], {}),
        ("migrations", [*manage, "makemigrations", "--check", "--dry-run"], {}),
        ("deployment", [*manage, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
    ]
    return [name for name, command, extra in steps if not _step(name, command, {**env, **extra})]


def _step(name: str, command: list[str], env: dict[str, str]) -> bool:
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    outcome = "ok" if done.returncode == 0 else "FAILED"
    print(f"  {name:12}{outcome:8}{time.monotonic() - begun:5.1f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0
