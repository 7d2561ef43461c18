"""The real gateway as a process of its own, and the database and Valkey that a test may give it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import psycopg
from django.db import connection
from psycopg import sql

from config.stack import valkey

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60
Found = TypeVar("Found")


def wait_for(look: Callable[[], Found], *, seconds: float = 5.0, what: str = "it") -> Found:
    """What `look` returns, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Gateway:
    """A running gateway."""

    origin: str
    database: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def lines(self) -> list[dict[str, Any]]:
        """The log so far. A line that is not JSON is the server's own word about starting and stopping."""
        written = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in written if line.startswith("{")]

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        """What was written about one request, its closing line included."""

        def found() -> list[dict[str, Any]]:
            lines = [line for line in self.lines() if line.get("request_id") == request_id]
            return lines if any("ms" in line for line in lines) else []

        return wait_for(found, what=f"a log line of {request_id}")


@contextmanager
def serving(
    *,
    database: str,
    log: Path,
    workers: int = 1,
    port: int = 0,
    **settings: object,
) -> Iterator[Gateway]:
    """The gateway on that port or a free one, with `settings` as its environment variables. A worker that is killed is
    followed by another."""
    port = port or free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": _renamed(os.environ["DATABASE_URL"], database),
        "GATEWAY_WORKERS": str(workers),
        "GATEWAY_SPOOL_DIR": str(log.parent / "spool"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **{name: str(value) for name, value in settings.items()},
    }
    command = [
        *(sys.executable, "-m", "config.serve", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers), "--grace", "10"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    gateway = Gateway(f"http://127.0.0.1:{port}", database, log, process)
    try:
        wait_for(lambda: _answers(gateway), seconds=START_SECONDS, what="the gateway's start")
        yield gateway
    finally:
        _stop(process)


def _answers(gateway: Gateway) -> bool:
    if gateway.process.poll() is not None:
        raise RuntimeError(f"The gateway did not start:\n{gateway.log.read_text(encoding='utf-8')[-4000:]}")
    try:
        return httpx.get(f"{gateway.origin}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its workers are in a session of their own, which nobody else is in
    process.wait(5)


def _renamed(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


@contextmanager
def database(name: str, *, template: str = "template1") -> Iterator[str]:
    """A new database like `template`, to which nobody may be connected at that moment."""
    with psycopg.connect(_renamed(os.environ["DATABASE_URL"], "postgres"), autocommit=True) as admin:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        admin.execute(drop)  # left by a run that was killed
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
        try:
            yield name
        finally:
            admin.execute(drop)


@contextmanager
def connected_to(database: str, **server: object) -> Iterator[None]:
    """Django's own connection leads to `database`: what is written there is committed, for other processes to see.
    `server` says where that is (PORT, PASSWORD), when it is not the tests' own Postgres."""
    changed = {"NAME": database, **server}
    before = {name: connection.settings_dict[name] for name in changed}
    connection.close()
    connection.settings_dict.update(changed)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


@dataclass
class Valkey:
    """A Valkey that a test may stop and start again on the same port."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def start(self) -> None:
        if self.process.poll() is not None:
            self.process = _valkey(self.port)


@contextmanager
def own_valkey() -> Iterator[Valkey]:
    port = free_port()
    server = Valkey(port, _valkey(port))
    try:
        yield server
    finally:
        server.stop()


def _valkey(port: int) -> subprocess.Popen[bytes]:
    command = [str(valkey.binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: _listening(port), seconds=10, what="Valkey's start")
    return process


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
