"""Outlives the supervisor by a moment, to stop what the supervisor started when it was killed outright.

Standard input is a pipe that only the supervisor holds: it writes `PID SIGNAL` for each process group it starts.
When the pipe ends, the groups are stopped in reverse order, politely first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 3.0


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: list[tuple[int, int]] = []
    for line in sys.stdin:
        word, pid, number = line.split()
        if word == "add":
            groups.append((int(pid), int(number)))
        else:
            groups = [group for group in groups if group[0] != int(pid)]
    stop(groups)


def stop(groups: list[tuple[int, int]]) -> None:
    for pid, number in reversed(groups):
        _signal(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_signal(pid, 0) for pid, _ in groups):
        time.sleep(0.05)
    for pid, _ in reversed(groups):
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    """Send to the group. False when there is nobody left in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        return True
    return False


if __name__ == "__main__":
    main()
