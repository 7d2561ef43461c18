"""What a checkout keeps between runs: its folder `.dev`, the ports it chose, its secrets, and who is using it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
GATEWAY_PORT = 8000


class StackError(Exception):
    """Something a person can mend; the message says how."""


class State:
    """The folder `.dev` of one checkout."""

    def __init__(self, folder: Path = ROOT / ".dev") -> None:
        self.folder = folder
        self.logs = folder / "logs"
        folder.mkdir(exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    def port(self, name: str, *, preferred: int = 0) -> int:
        """The port chosen for `name`, kept from run to run while it is free."""
        ports = self._read("ports.json")
        wanted = ports.get(name) or preferred
        chosen = wanted if wanted and is_free(wanted) else free_port(wanted)
        if chosen != ports.get(name):
            self._write("ports.json", {**ports, name: chosen})
        return chosen

    def known_port(self, name: str) -> int | None:
        port: int | None = self._read("ports.json").get(name)
        return port

    def secrets(self) -> dict[str, str]:
        """Made once, readable by this user only. Deleting the file makes stored keys and credentials useless."""
        known = self._read("secrets.json")
        if not known:
            known = {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "KEY_PEPPER": f"1:{secrets.token_urlsafe(32)}",
                "CREDENTIAL_KEYS": f"1:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
                "postgres": secrets.token_urlsafe(24),
                "valkey": secrets.token_urlsafe(24),
            }
            self._write("secrets.json", known)
        return known

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Only one process at a time may run the stack of a checkout. The lock dies with its holder."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode().strip()
                raise StackError(f"This checkout is in use already: {holder}. Stop that first.") from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{purpose} (pid {os.getpid()})".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def running(self) -> bool:
        """Whether another process holds the lock."""
        try:
            with self.locked("a look"):
                return False
        except StackError:
            return True

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            return {}
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    def _write(self, name: str, content: dict[str, Any]) -> None:
        draft = self.folder / f"{name}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        draft.replace(self.folder / name)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(after: int = 0) -> int:
    """The next free port above `after`, or any when it is 0."""
    for port in range(after + 1, after + 100) if after else ():
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        return int(port)


def read_env_file(path: Path) -> dict[str, str]:
    """`KEY=VALUE` lines; `#` begins a comment line, quotes around a value are taken off."""
    if not path.exists():
        return {}
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StackError(f"{path.name}, line {number}: expected NAME=VALUE.")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if value:
            values[name.strip()] = value
    return values
