"""The commands of ./dev, once their packages are installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from config.stack import bench, checks, manage, screenshots, testing, up
from config.stack.state import StackError


def run(arguments: Sequence[str]) -> int:
    command, *rest = arguments
    try:
        return _run(command, rest)
    except StackError as error:
        print(error, file=sys.stderr)
    except PermissionError as error:
        print(f"{error.filename} cannot be used: it belongs to another user. Run ./dev as that user.", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _run(command: str, arguments: list[str]) -> int:
    if command == "up":
        options = _up_options(arguments)
        return up.run(once_only=options.once, with_model=not options.no_model)
    if command == "test":
        return testing.run(arguments)
    if command == "check":
        return checks.run()
    if command == "screenshots":
        return screenshots.run(arguments)
    if command == "bench":
        return bench.run(arguments)
    return manage.run(arguments)


def _up_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev up", description="Start everything and keep it running.")
    parser.add_argument("--once", action="store_true", help="make one streamed and one plain request, then stop")
    parser.add_argument("--no-model", action="store_true", help="leave the local demonstration model out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
