"""A line in the log for each request, written some at a time: the usual way of a record through `logging` takes longer
than many a request's way to its provider. Each is what `config.logs.JsonFormatter` would have written."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache

import orjson

from accounts.redaction import redact

log = logging.getLogger("gateway.edge")

WRITE_SECONDS = 0.1


class AccessLog:
    """One for an event loop."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, str, str, int, str, float]] = []
        self._writing: asyncio.TimerHandle | None = None

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float) -> None:
        """It was answered now, after so many seconds."""
        if not log.isEnabledFor(logging.INFO):
            return
        self._lines.append((time.time(), method, path, status, request_id, seconds))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(WRITE_SECONDS, self.write)

    def write(self) -> None:
        """Write what is there. Whoever stops calls it once more."""
        lines, self._lines, self._writing = self._lines, [], None
        sys.stderr.write("".join([_line(*line) for line in lines]))
        sys.stderr.flush()


def _line(at: float, method: str, path: str, status: int, request_id: str, seconds: float) -> str:
    line = {
        "time": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": log.name,
        "message": f"{method} {_shown(path)} {status}",
        "ms": round(seconds * 1000),
        "request_id": request_id,
    }
    return orjson.dumps(line).decode() + "\n"


@lru_cache(maxsize=256)
def _shown(path: str) -> str:
    """Some put their key into the address."""
    return redact(path)
