"""`python -m config.stack COMMAND`: what ./dev runs once the packages are installed."""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack

from config.stack import checks, environment, up
from config.stack.state import ROOT, StackError, State
from config.stack.supervisor import Stopped, Supervisor


def main() -> int:
    command, arguments = sys.argv[1], sys.argv[2:]
    try:
        if command == "up":
            options = _up_options(arguments)
            return up.run(once_only=options.once, with_model=not options.no_model)
        if command == "test":
            return checks.test(arguments)
        if command == "check":
            return checks.check()
        if command == "bench":
            print("The load harness comes with the work on the hot path; there is nothing to run yet.")
            return 0
        return manage(arguments)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


def manage(arguments: list[str]) -> int:
    """manage.py with the stack's settings; its servers are started for the time of the command if need be."""
    state, given = State(), environment.current()
    with ExitStack() as stack:
        if state.running():
            where = environment.running_addresses(state, given)
        else:
            stack.enter_context(state.locked("./dev manage"))
            where = environment.addresses(state, given)
            supervisor = stack.enter_context(Supervisor())
            for service in where.services:
                supervisor.start(service)
            where.prepare()
        env = environment.settings_for(state, where, given)
        try:
            command = [sys.executable, "manage.py", *arguments]
            return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        except Stopped:
            return 130


def _up_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev up", description="Start everything and keep it running.")
    parser.add_argument("--once", action="store_true", help="make one streamed and one plain request, then stop")
    parser.add_argument("--no-model", action="store_true", help="leave the local demonstration model out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
