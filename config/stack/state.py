"""What a checkout keeps between runs, in its folder `.dev`: the ports it chose, its secrets, and who is using it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
LEFTOVER_SECONDS = 15.0  # how long the watchdog of a killed run may take to stop what that run started


class StackError(Exception):
    """Something a person can mend; the message says how."""


class BusyError(StackError):
    """Another process holds the checkout. `holder` is what it says of itself."""

    def __init__(self, holder: dict[str, Any]) -> None:
        self.holder = holder
        where = f" at {holder['url']}" if holder.get("url") else ""
        what = f"{holder.get('command', 'another command')} is running already{where} (pid {holder.get('pid', '?')})"
        super().__init__(f"{what}. Stop that first: only one can use this checkout at a time.")


@dataclass(frozen=True)
class Lock:
    """The checkout is ours for as long as `descriptor` is open, here or in a child that was given it."""

    descriptor: int
    command: str

    def describe(self, **facts: Any) -> None:
        """What others are told who find the checkout taken."""
        content = json.dumps({"command": self.command, "pid": os.getpid(), **facts}).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, content, 0)


class State:
    """The folder `.dev` of one checkout."""

    def __init__(self, folder: Path = ROOT / ".dev") -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._claims: list[socket.socket] = []
        folder.mkdir(exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    def port(self, name: str) -> int:
        """The port chosen for `name`: once, and again only when somebody else has taken it."""
        ports = self._read("ports.json")
        kept = int(ports.get(name, 0))
        if kept and self._claim(kept):
            return kept
        chosen = free_port()
        self._claim(chosen)
        self._write("ports.json", {**ports, name: chosen})
        if kept:
            print(f"Port {kept} is taken by another program; {name} moves to {chosen}.")
        return chosen

    def first_port(self, wanted: int) -> int:
        """The first free one from `wanted` on."""
        for port in range(wanted, wanted + 100):
            if self._claim(port):
                return port
        raise StackError(f"None of the ports {wanted} to {wanted + 99} is free.")

    def kept_port(self, name: str) -> int:
        """The port that `name` was last served on."""
        return int(self._read("ports.json").get(name, 0))

    def release_ports(self) -> None:
        """Others may choose them again. The end of the process does the same."""
        for claim in self._claims:
            claim.close()
        self._claims.clear()

    def secrets(self) -> dict[str, str]:
        """Made once, readable by this user only. Without the file, stored keys and credentials are useless."""
        known = self._read("secrets.json")
        if not known:
            known = {
                "SECRET_KEY": secrets.token_urlsafe(50),
                "KEY_PEPPER": f"1:{secrets.token_urlsafe(32)}",
                "CREDENTIAL_KEYS": f"1:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
                "postgres": secrets.token_urlsafe(24),
                "valkey": secrets.token_urlsafe(24),
            }
        if "SIGNING_KEYS" not in known:  # checkouts made before there were statements have none
            known = {**known, "SIGNING_KEYS": f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}"}
            self._write("secrets.json", known)
        return known

    @contextmanager
    def locked(self, command: str) -> Iterator[Lock]:
        """Only one process at a time may run the stack of a checkout. The lock cannot outlive its holders."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            lock = Lock(descriptor, command)
            lock.describe()
            yield lock
        finally:
            os.close(descriptor)

    def _claim(self, port: int) -> bool:
        """Whether it is free, also of stacks that have chosen it and do not listen yet.

        Looking is not enough: our servers share their port with whoever asks for it in the same way, so two
        checkouts that start together would serve each other's callers. The claim is a name that ends with us.
        """
        if not is_free(port):
            return False
        if sys.platform != "linux":
            return True
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0port-of-2389-{port}")
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            return {}
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StackError(f"{path} is damaged: {error}. Remove it, or bring back a copy.") from error
        return content

    def _write(self, name: str, content: dict[str, Any]) -> None:
        draft = self.folder / f"{name}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(descriptor)
        draft.replace(self.folder / name)


def _lock(descriptor: int) -> None:
    """Take it, waiting only for the leftovers of a run that was killed: their watchdog holds it until they are gone."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            if _lives(holder.get("pid", 0)) or time.monotonic() > deadline:
                raise BusyError(holder) from None
            time.sleep(0.1)
        else:
            return


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
