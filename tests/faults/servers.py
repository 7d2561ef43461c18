"""A Postgres that a test may crash, and the gateway's workers, one of which it may kill."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.stack.postgres import DATABASE, USER, Cluster
from config.stack.processes import Service
from tests.live import Gateway, free_port


class OwnPostgres:
    """Keeps what was committed through a crash: its data is written as in production."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder / "postgres" / "data", free_port(), secrets.token_urlsafe(12))
        self._service: Service = self.cluster.service(folder / "postgres.log")

    def start(self) -> None:
        self._service.start()
        self._service.wait_until_ready()

    def stop(self) -> None:
        self._service.stop()

    async def crash(self) -> None:
        """At once, without a word to anybody; then it is there again, and reads its log."""
        process = self._service.process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        await asyncio.to_thread(process.wait, 20)
        self._service.start()  # by the thread that lives as long as it shall
        await asyncio.to_thread(self._service.wait_until_ready)

    @property
    def django(self) -> dict[str, object]:
        return {"HOST": "127.0.0.1", "PORT": self.cluster.port, "USER": USER, "PASSWORD": self.cluster.password}

    @property
    def database(self) -> str:
        return DATABASE


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    with tempfile.TemporaryDirectory(prefix="2389-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # it runs as another user than root
        server = OwnPostgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


READY = re.compile(r"worker (\d+) is ready")


def workers(gateway: Gateway) -> list[int]:
    """The processes that serve requests, as they tell of themselves. Those that are still starting are not there."""
    told = READY.findall(gateway.log.read_text(encoding="utf-8", errors="replace"))
    return [worker for worker in map(int, told) if _lives(worker)]


def _lives(worker: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{worker}/status").read_text()
    except OSError:
        return False


def kill_worker(worker: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
