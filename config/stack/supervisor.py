"""Keeps the services running: ordered start, restarts, reversed stop, and none left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Self

from config.stack.processes import Service
from config.stack.state import ROOT, StackError

QUICK_SECONDS = 20.0  # a death this soon after the start counts towards giving up
QUICK_DEATHS = 5


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked us to stop
    """SIGTERM or Ctrl-C."""


class Supervisor:
    """Use it as a context: leaving it stops everything that was started in it."""

    def __init__(self) -> None:
        self.services: list[Service] = []
        self._watchdog: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGHUP, _stop)
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "config.stack.watchdog"],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(asked, signal.SIG_IGN)  # we are stopping; asking again does not make it faster
        for service in reversed(self.services):
            self._stop(service)
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait()

    def start(self, service: Service, *, wait: bool = True) -> None:
        self.services.append(service)
        self._start(service)
        if wait:
            service.wait_until_ready()

    def watch(self) -> None:
        """Return only by `Stopped`, or by `StackError` when a service keeps dying."""
        begun = {service.name: time.monotonic() for service in self.services}
        deaths = {service.name: 0 for service in self.services}
        while True:
            time.sleep(0.3)
            for service in self.services:
                if service.alive():
                    continue
                lived = time.monotonic() - begun[service.name]
                deaths[service.name] = deaths[service.name] + 1 if lived < QUICK_SECONDS else 1
                print(f"{service.name} stopped by itself; its log ends:\n{service.tail(6)}", flush=True)
                if deaths[service.name] >= QUICK_DEATHS:
                    raise StackError(f"{service.name} died {QUICK_DEATHS} times in a row. See {service.log}.")
                time.sleep(min(2.0 ** (deaths[service.name] - 1) * 0.5, 5.0))
                self._stop(service)
                self._start(service)
                begun[service.name] = time.monotonic()
                print(f"{service.name} was started again.", flush=True)

    def _start(self, service: Service) -> None:
        service.start()
        if service.process is not None:
            self._tell(f"add {service.process.pid} {service.stop_signal.value}")

    def _stop(self, service: Service) -> None:
        service.stop()
        if service.process is not None:
            self._tell(f"forget {service.process.pid} 0")

    def _tell(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.write(line + "\n")
            self._watchdog.stdin.flush()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped
