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

# By name only; everything else is of `benchmarks` itself.
MEASUREMENTS = {"ledger": "benchmarks.ledger", "bodies": "benchmarks.bodies", "pages": "benchmarks.pages"}


def run(arguments: Sequence[str]) -> int:
    """The measurement that is named. The gateway under load, when it is none of these."""
    named = bool(arguments) and arguments[0] in MEASUREMENTS
    module, rest = (MEASUREMENTS[arguments[0]], arguments[1:]) if named else ("benchmarks", arguments)
    with tempfile.TemporaryDirectory(prefix="2389-bench-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user than root
        try:
            return _measure(Path(folder), module, rest)
        except Stopped:
            return 130


def _measure(folder: Path, module: str, arguments: Sequence[str]) -> int:
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
        env["BENCH_SERVERS"] = ",".join(str(service.process.pid) for service in services if service.process)
        code = supervisor.run_in_foreground([sys.executable, "-m", "benchmarks.database"], env)
        return code or supervisor.run_in_foreground([sys.executable, "-m", module, *arguments], env)
