"""`./dev bench`: measurements against servers of their own, which write to the disk as real ones do."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config.stack import environment
from config.stack.postgres import Cluster
from config.stack.state import free_port
from config.stack.supervisor import Stopped, Supervisor
from config.stack.valkey import Server

MEASUREMENTS = {"ledger": "benchmarks.ledger", "bodies": "benchmarks.bodies"}


def run(arguments: Sequence[str]) -> int:
    """The measurement that is named, or all of them."""
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in MEASUREMENTS else ("", arguments)
    chosen = [MEASUREMENTS[name]] if name else list(MEASUREMENTS.values())
    with tempfile.TemporaryDirectory(prefix="2389-bench-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user than root
        try:
            return _measure(Path(folder), chosen, rest)
        except Stopped:
            return 130


def _measure(folder: Path, modules: Sequence[str], arguments: Sequence[str]) -> int:
    password = secrets.token_urlsafe(12)
    postgres = Cluster(folder / "postgres" / "data", free_port(), password)
    valkey = Server(folder / "valkey", free_port(), password)
    services = (postgres.service(folder / "postgres.log"), valkey.service(folder / "valkey.log"))
    servers = environment.Servers(postgres.url(), valkey.url(), services)
    env = environment.settings_of_tests(servers, dict(os.environ))
    with Supervisor() as supervisor:
        supervisor.remove_when_killed(folder)
        for service in services:
            supervisor.start(service)
        codes = [
            supervisor.run_in_foreground([sys.executable, "-m", module, *arguments], env)
            for module in ("benchmarks.database", *modules)
        ]
    return max(codes)
