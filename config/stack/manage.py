"""`./dev manage`: manage.py with the stack's settings."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from config.stack import environment
from config.stack.processes import run_in_foreground
from config.stack.state import BusyError, Lock, StackError, State
from config.stack.supervisor import Stopped, Supervisor

PATIENCE_SECONDS = 60.0


def run(arguments: Sequence[str]) -> int:
    """With the servers of the `up` that runs, else with the same servers, started for as long as the command takes."""
    state, deadline = State(), time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with state.locked("./dev manage") as lock:
                return _with_own_servers(state, lock, arguments)
        except BusyError as busy:
            chosen = busy.holder.get("settings")
            if chosen:
                return run_in_foreground(_command(arguments), _beside(state, chosen))
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # it is on its way up, or another `manage` that will not be long


def _with_own_servers(state: State, lock: Lock, arguments: Sequence[str]) -> int:
    given = environment.given()
    with Supervisor(lock) as supervisor:
        try:
            servers = environment.kept(state, given)
            for service in servers.services:
                supervisor.start(service)
        except Stopped as stopped:
            raise StackError("Stopped before manage.py could begin.") from stopped
        return supervisor.run_in_foreground(_command(arguments), environment.settings_of_stack(state, servers, given))


def _beside(state: State, chosen: Mapping[str, str]) -> dict[str, str]:
    given = environment.given()
    return {**environment.settings_of_stack(state, environment.running(state, given), given), **chosen}


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "manage.py", *arguments]
