"""What is measured: our gateway, what it is compared with, and the provider itself."""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast
from urllib.parse import quote, urlsplit, urlunsplit

from benchmarks import machine
from benchmarks.machine import Cores
from benchmarks.plans import Ask
from benchmarks.shapes import Shape
from config.stack import services
from config.stack.processes import Service
from config.stack.state import State, free_port

STREAM_LIMITS = ("GATEWAY_STREAMS_PER_KEY", "GATEWAY_STREAMS_PER_ORGANIZATION", "GATEWAY_STREAMS_PER_PROCESS")


class Absent(Exception):  # noqa: N818 - no error: the measurement goes on without it
    """It cannot be run on this machine. Says why."""


class System(ABC):
    """Something that answers requests on a port of its own, with its processes pinned to cores."""

    name: ClassVar[str]
    accounts: ClassVar[str] = "nothing"  # what it checks and records for each request

    def __init__(self, folder: Path, cores: Cores, provider_port: int) -> None:
        self.folder = folder
        self.cores = cores
        self.provider_port = provider_port
        self.port = free_port()
        self.started_in = 0.0  # seconds
        self._service: Service | None = None

    @abstractmethod
    def service(self) -> Service:
        """How it is started."""

    def asks(self, shape: Shape) -> tuple[Ask, ...]:
        """The requests that lead to this behaviour of the provider."""
        return (Ask(shape.path, shape.body, stream=shape.stream),)

    @property
    def its_cores(self) -> frozenset[int]:
        return self.cores.gateway

    def start(self) -> None:
        """Raises `StackError` with the end of its log when it does not come up, and `Absent`."""
        self._service = self.service()
        began = time.monotonic()
        with machine.on(self.its_cores):
            self._service.start()
        self._service.wait_until_ready()
        self.started_in = time.monotonic() - began

    def stop(self) -> None:
        if self._service is not None:
            self._service.stop()
            self._service = None

    def pids(self) -> list[int]:
        process = self._service.process if self._service else None
        return machine.tree(process.pid) if process else []

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name.lower().replace(' ', '-')}-{self.port}.log"

    def answers(self, path: str = "/healthz") -> bool:
        return services.answers(f"http://127.0.0.1:{self.port}{path}")

    def _python(self, *command: str, ready: str, **settings: str) -> Service:
        return Service(
            name=self.name,
            command=[sys.executable, "-m", *command],
            env={**os.environ, **settings},
            log=self.log,
            ready=lambda _: self.answers(ready),
        )


class Provider(System):
    """The fake provider. What the generator gets from it directly is the most that can be measured."""

    name = "Directly"

    def __init__(self, folder: Path, cores: Cores) -> None:
        super().__init__(folder, cores, 0)
        self.provider_port = self.port

    @property
    def its_cores(self) -> frozenset[int]:
        return self.cores.provider

    def service(self) -> Service:
        return self._python("benchmarks.provider", str(self.port), ready="/stats")


class Reference(System):
    """A bare ASGI callable that makes the same call."""

    name = "Bare ASGI"

    def service(self) -> Service:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--lifespan", "on"]
        options = ["--loop", "uvloop", "--http", "config.protocol:Connection", "--ws", "none"]  # as ours is served
        options += ["--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"]
        upstream = f"http://127.0.0.1:{self.provider_port}"
        return self._python(
            "uvicorn",
            *options,
            *where,
            "benchmarks.reference:application",
            ready="/healthz",
            REFERENCE_UPSTREAM=upstream,
            DJANGO_SETTINGS_MODULE="config.settings",
        )


class Gateway(System):
    """Ours, as ./dev and the container start it, with key check, exact limit, budget and durable ledger on."""

    name = "2389"
    accounts = "keys, exact limit, budget, durable ledger"

    def __init__(
        self,
        folder: Path,
        cores: Cores,
        provider_port: int,
        keys: Sequence[str],
        *,
        database: str = "",
        workers: int = 1,
        second_core: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, cores, provider_port)
        self.keys = keys
        self.workers = workers
        self.second_core = second_core
        self._database = database
        self._settings = dict(settings or {})

    @property
    def its_cores(self) -> frozenset[int]:
        two = self.cores.for_workers(2)
        return two - self.cores.gateway or two if self.second_core else self.cores.for_workers(self.workers)

    def service(self) -> Service:
        environment = {
            **os.environ,
            "GATEWAY_WORKERS": str(self.workers),
            "GATEWAY_SPOOL_DIR": str(self.folder / f"spool-{self.port}"),
            "BENCH_CREDENTIAL": "not-a-secret",
            "TRUSTED_PROXIES": "",
            **dict.fromkeys(STREAM_LIMITS, "10000"),  # counted, but out of the way
            **self._settings,
        }
        if self._database:
            environment["DATABASE_URL"] = renamed(os.environ["DATABASE_URL"], self._database)
        state = cast("State", SimpleNamespace(logs=self.folder))
        return replace(services.gateway(state, environment, self.port), log=self.log)

    def asks(self, shape: Shape) -> tuple[Ask, ...]:
        """One for each key, because a key may not do more than 100,000 requests a minute."""
        return tuple(
            Ask("/v1/chat/completions", shape.body, {"authorization": f"Bearer {key}"}, stream=shape.stream)
            for key in self.keys
        )

    def worker_pids(self) -> list[int]:
        """Without the process that only watches them."""
        return self.pids()[1:]


def renamed(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


class Started:
    """Systems that run for as long as this context is open. Those that cannot are left out, and it is said why."""

    def __init__(self, systems: Sequence[System]) -> None:
        self._systems = systems
        self.running: list[System] = []
        self.absent: dict[str, str] = {}

    @property
    def left_out(self) -> list[str]:
        """A sentence for each that is not there."""
        return [f"{name} is left out: {why}." for name, why in self.absent.items()]

    def __enter__(self) -> Started:
        try:
            for system in self._systems:
                try:
                    system.start()
                    self.running.append(system)
                except Absent as error:
                    self.absent[system.name] = str(error)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for system in self._systems:
            with suppress(ProcessLookupError):
                system.stop()
