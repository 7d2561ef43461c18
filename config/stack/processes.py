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
from types import FrameType
from typing import Any

from config.stack.state import ROOT, StackError

LOG_LIMIT = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Service:
    """One process of the stack: how it is started, how it is known to be well, how it is stopped."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[Service], bool]
    patience: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    hurries: bool = True  # may be killed when somebody asks a second time to stop
    essential: bool = True  # the stack cannot go on without it
    foundation: bool = False  # others need it until they have stopped
    user: Mapping[str, Any] = field(default_factory=dict)  # who it runs as, for subprocess.Popen
    cwd: Path = ROOT
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    _log_start: int = 0
    _asked: bool = False

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.old"))
        self._asked = False
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(
                list(self.command),
                cwd=self.cwd,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
                **self.user,
            )

    def wait_until_ready(self) -> None:
        """Raises `StackError` with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + self.patience
        while self.alive() and not self.ready(self):
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready in {self.patience:.0f} s. {self.log} ends:\n{self.tail()}")
            time.sleep(0.05)
        if not self.alive():  # then it was somebody else who answered
            raise StackError(f"{self.name} did not start. {self.log} ends:\n{self.tail()}")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Once: a second request would make some programs drop what they are doing."""
        if self.process is not None and self.alive() and not self._asked:
            self._asked = True
            self.process.send_signal(self.stop_signal)

    def stop(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Ask, wait, then insist; its own children too."""
        if self.process is None:
            return
        self.ask_to_stop()
        deadline = time.monotonic() + self.stop_seconds
        while self.alive() and time.monotonic() < deadline and not (self.hurries and hurried()):
            time.sleep(0.02)
        kill_group(self.process.pid)
        self.process.wait()

    def output(self) -> str:
        """What it has written since it was started."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def tail(self, lines: int = 15) -> str:
        return "\n".join(f"    {line}" for line in self.output().splitlines()[-lines:]) or "    (nothing)"


def run_in_foreground(
    command: Sequence[str], env: Mapping[str, str], *, started: Callable[[int], None] = lambda group: None
) -> int:
    """A program that has the terminal while it runs. Signals for us are passed on to it; it decides.

    Without a terminal it has a process group of its own, of which `started` is told and nothing outlives it.
    """
    grouped = not _at_terminal()
    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        env=dict(env),
        preexec_fn=die_with(os.getpid()),
        process_group=0 if grouped else None,
    )
    if grouped:
        started(process.pid)

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT or grouped:  # Ctrl-C reaches it without us
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if grouped:
        kill_group(process.pid)
    return code if code >= 0 else 128 - code


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def die_with(parent: int) -> Callable[[], None] | None:
    """For a child, before it becomes its program: be asked to stop when `parent` is gone. Only Linux can."""
    libc = _LIBC
    if libc is None:
        return None

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _at_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
