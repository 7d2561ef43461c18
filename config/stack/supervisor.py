"""Keeps the services running: ordered start, restarts, reversed stop, and none left behind."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

from config.stack.processes import Service, run_in_foreground
from config.stack.state import ROOT, Lock, StackError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
QUICK_SECONDS = 20.0  # a death this soon after the start counts towards giving up
QUICK_DEATHS = 5
BACK_OFF_SECONDS = 0.5  # before the second start; twice as long before each further one


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked us to stop
    """SIGTERM or Ctrl-C."""


class Supervisor:
    """Use it as a context: leaving it stops everything that was started in it."""

    def __init__(self, lock: Lock | None = None) -> None:
        self.services: list[Service] = []
        self._deaths: dict[str, int] = {}
        self._watchdog = Watchdog(lock)
        self._leaving = False
        self._hurried = False
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup is respected
                self._handlers[number] = signal.signal(number, self._asked_to_stop)
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving = True
        for service in self.services:
            if not service.foundation:
                service.ask_to_stop()  # all at once; then they are waited for one after the other
        for service in reversed(self.services):
            self._stop(service)
        self._watchdog.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, service: Service, *, wait: bool = True) -> None:
        self.services.append(service)
        self._start(service)
        if wait:
            service.wait_until_ready()

    def give_up(self, service: Service) -> None:
        self._stop(service)
        self.services.remove(service)

    def watch(self) -> None:
        """Return only by `Stopped`, or by `StackError` when a service that is needed keeps dying."""
        while True:
            time.sleep(0.3)
            for service in list(self.services):
                if not service.alive():
                    self._revive(service)

    def run_in_foreground(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        return run_in_foreground(
            command, env, started=lambda group: self._watchdog.tell(f"add {group} {signal.SIGTERM.value}")
        )

    def remove_when_killed(self, folder: Path) -> None:
        """A folder that our own end would remove, if we get that far."""
        self._watchdog.tell(f"remove {folder}")

    def _revive(self, service: Service) -> None:
        quick = time.monotonic() - service.started_at < QUICK_SECONDS
        deaths = self._deaths[service.name] = self._deaths.get(service.name, 0) + 1 if quick else 1
        print(f"{service.name} stopped by itself. {service.log} ends:\n{service.tail(6)}", flush=True)
        if deaths >= QUICK_DEATHS:
            if service.essential:
                raise StackError(f"{service.name} stopped {deaths} times in a row; giving up. See {service.log}.")
            print(f"{service.name} stopped {deaths} times in a row; going on without it.", flush=True)
            self.give_up(service)
            return
        self._stop(service)
        time.sleep(min(BACK_OFF_SECONDS * 2.0 ** (deaths - 1), 5.0))
        self._start(service)
        print(f"{service.name} is started again.", flush=True)

    def _start(self, service: Service) -> None:
        service.start()
        if service.process is not None:
            self._watchdog.tell(f"add {service.process.pid} {service.stop_signal.value}")

    def _stop(self, service: Service) -> None:
        service.stop(lambda: self._hurried)
        if service.process is not None:
            self._watchdog.tell(f"forget {service.process.pid}")

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._leaving:
            self._hurried = True  # asked again: do not wait for open requests
            return
        self._leaving = True
        raise Stopped


class Watchdog:
    """The other end of the pipe that `config.stack.watchdog` reads. When we are killed, the pipe ends.

    It holds the checkout's lock too, so that nobody starts a second stack while it tidies up.
    """

    def __init__(self, lock: Lock | None) -> None:
        self._shared = (lock.descriptor,) if lock else ()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "config.stack.watchdog"],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            pass_fds=self._shared,
            start_new_session=True,
            text=True,
        )

    def tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # somebody killed it; we still stop things ourselves
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
