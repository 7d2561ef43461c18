"""Outlives the supervisor by a moment, to stop what the supervisor started when it was killed outright.

Standard input is a pipe that only the supervisor holds. On it come lines: `add PID SIGNAL` for each process
group, `forget PID` when one was stopped in good order, `remove FOLDER`. When the pipe ends, what is left is
stopped: politely and in reverse order, Postgres after its clients, and whatever still runs then is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

GRACE_SECONDS = 2.0


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "add":
            pid, number = rest.split()
            groups[int(pid)] = int(number)
        elif word == "forget":
            groups.pop(int(rest), None)
        elif word == "remove":
            folders.append(rest)
    stop(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def stop(groups: dict[int, int]) -> None:
    last_first = list(reversed(groups.items()))
    for number in (signal.SIGTERM, signal.SIGINT):  # only Postgres is stopped by SIGINT
        pids = [pid for pid, wanted in last_first if wanted == number]
        for pid in pids:
            _signal(pid, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(_signal(pid, 0) for pid in pids):
            time.sleep(0.05)
    for pid, _ in last_first:
        _signal(pid, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send it to the group. False when there is nobody left in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
