"""Starting a process so that it cannot outlive us, and stopping it so that it has time to tidy up."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.stack.state import ROOT, StackError

LOG_LIMIT = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """One process of the stack: how it is started, how it is known to be well, how it is stopped."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    patience: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    user: Mapping[str, Any] = field(default_factory=dict)  # who it runs as, for subprocess.Popen
    cwd: Path = ROOT
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.old"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                cwd=self.cwd,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                **self.user,
            )

    def wait_until_ready(self) -> None:
        """Raises `StackError` with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + self.patience
        while not self.ready():
            if not self.alive():
                raise StackError(f"{self.name} did not start. The end of {self.log}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready in {self.patience:.0f} s. {self.log} ends:\n{self.tail()}")
            time.sleep(0.05)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask, wait, then insist; its own children too."""
        if self.process is None:
            return
        if self.alive():
            self.process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.stop_seconds)
        kill_group(self.process.pid)
        self.process.wait()

    def tail(self, lines: int = 15) -> str:
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
