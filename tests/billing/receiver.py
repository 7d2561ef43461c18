"""Somebody who is told by webhook, on a real socket, and what the outbox holds for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from accounts.models import Organization
from billing.models import Budget, OutboxMessage


@dataclass
class Receiver:
    """Answers each call with the next of `statuses`, then with the last of them, and keeps what it was sent."""

    statuses: list[int] = field(default_factory=lambda: [200])
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self, headers: dict[str, str], body: bytes) -> int:
        self.calls.append((headers, body))
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.answer({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"busy")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_budget(organization: Organization, **fields: Any) -> Budget:
    return Budget.objects.create(organization=organization, **{"name": "Team", "limit_nano": 50 * 10**9, **fields})


def make_alert(budget: Budget, *, threshold: int = 80, spent_nano: int = 40_120_000_000) -> OutboxMessage:
    """What `billing_alert` writes."""
    return OutboxMessage.objects.create(
        organization_id=budget.organization_id,
        topic="budget.threshold",
        dedupe=f"budget:{budget.pk}:1793491200:{threshold}",
        payload={
            "budget_id": budget.pk, "name": budget.name, "threshold": threshold, "limit_nano": budget.limit_nano,
            "spent_nano": spent_nano, "hard": budget.hard, "starts_at": "2026-11-01T00:00:00+00:00",
        },
    )  # fmt: skip
