"""`./dev test`: pytest against servers of its own, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from config.stack import environment
from config.stack.supervisor import Stopped, Supervisor


@dataclass(frozen=True)
class Bench:
    """Servers that run for the tests, and the settings that lead to them."""

    env: dict[str, str]
    supervisor: Supervisor

    def pytest(self, arguments: Sequence[str]) -> int:
        return self.supervisor.run_in_foreground([sys.executable, "-m", "pytest", *arguments], self.env)


def run(arguments: Sequence[str]) -> int:
    """The quick tests, in parallel, unless the arguments say otherwise."""
    try:
        with bench() as ready:
            return ready.pytest(with_defaults(arguments))
    except Stopped:
        return 130


@contextmanager
def bench() -> Iterator[Bench]:
    """DATABASE_URL and REDIS_URL are used when they are set; otherwise nothing is left of the servers afterwards."""
    given = dict(os.environ)
    with environment.throwaway(given) as (servers, folder), Supervisor() as supervisor:
        supervisor.remove_when_killed(folder)
        for service in servers.services:
            supervisor.start(service)
        yield Bench(environment.settings_of_tests(servers, given), supervisor)


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """One worker a core, and nothing marked slow; but a test that is named runs, alone, whatever it is marked."""
    named = any("::" in argument for argument in arguments)
    workers = [] if named or _has(arguments, "-n", "--numprocesses", "--pdb", "no:xdist") else ["-n", "auto"]
    chosen = [] if named or _has(arguments, "-m") else ["-m", "not slow"]
    return [*workers, *chosen, *arguments]


def _has(arguments: Sequence[str], *options: str) -> bool:
    """`-m slow`, `-mslow` and `--option=value` all count."""
    return any(argument.startswith(option) for argument in arguments for option in options)
