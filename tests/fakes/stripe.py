"""Stripe, on a real socket: takes form-encoded requests as its API does, and signs and sends webhooks as it does.

It keeps what it was asked under each idempotency key, answers the same question the same way, and refuses a key that
comes with another one. Cards are declined, and the service is down, as a test says.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

SECRET_KEY = "sk_test_fake"
SIGNING = "whsec_fake"


@dataclass
class Asked:
    """One request that was answered."""

    path: str
    fields: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Stripe:
    """What it was asked, and how it is to answer."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    declines: str = ""  # a card's decline code: every charge is answered with it
    down: int = 0  # so many requests are answered with 500 after they were carried out
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    _answers: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"

    def of(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    # -- the API --------------------------------------------------------------------------------

    def answer(self, path: str, headers: dict[str, str], body: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if headers.get("authorization") != f"Bearer {SECRET_KEY}":
                return 401, _error("invalid_request_error", "Invalid API Key provided")
            if headers.get("content-type") != "application/x-www-form-urlencoded":
                return 415, _error("invalid_request_error", "Forms only")
            key = headers.get("idempotency-key", "")
            if key not in self._answers:
                fields = nested(parse_qsl(body))
                self.asked.append(Asked(path, fields, headers))
                self._answers[key] = (body, *self._carry_out(path, fields))
            known, status, answer = self._answers[key]
            if known != body:
                return 400, _error(
                    "idempotency_error", "Keys for idempotent requests can only be used with the same parameters"
                )
            if self.down:
                self.down -= 1
                return 500, _error("api_error", "Something went wrong")
            return status, answer

    def _carry_out(self, path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/customers":
            return 200, {"id": self.number("cus"), "object": "customer"}
        if path == "/v1/checkout/sessions":
            return 200, self._session(fields)
        if path == "/v1/payment_intents":
            return self._charge(fields)
        if re.fullmatch("/v1/payment_methods/[^/]+/detach", path):
            return 200, {"id": path.split("/")[3], "object": "payment_method"}
        return 404, _error("invalid_request_error", f"Unrecognized request URL {path}")

    def _session(self, fields: dict[str, Any]) -> dict[str, Any]:
        number = self.number("cs_test")
        price = fields["line_items"]["0"]["price_data"]
        self.sessions[number] = {
            "id": number, "object": "checkout.session", "url": f"{self.url}/pay/{number}", "payment_status": "unpaid",
            "amount_total": int(price["unit_amount"]), "currency": price["currency"], "payment_intent": None,
            "metadata": fields["metadata"], "client_reference_id": fields["client_reference_id"],
        }  # fmt: skip
        return self.sessions[number]

    def _charge(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        intent = self.intent(int(fields["amount"]), fields["metadata"], method=fields["payment_method"])
        if not self.declines:
            return 200, intent
        intent |= {"status": "requires_payment_method", "amount_received": 0}
        error = {"type": "card_error", "code": "card_declined", "decline_code": self.declines, "payment_intent": intent}
        return 402, {"error": {**error, "message": "Your card was declined."}}

    def intent(self, cents: int, metadata: dict[str, str], *, method: str = "pm_card") -> dict[str, Any]:
        number = self.number("pi")
        self.intents[number] = {
            "id": number, "object": "payment_intent", "status": "succeeded", "amount": cents, "amount_received": cents,
            "currency": "usd", "metadata": metadata, "payment_method": method,
        }  # fmt: skip
        return self.intents[number]

    # -- somebody pays --------------------------------------------------------------------------

    def pay(self, session: str) -> dict[str, Any]:
        """Somebody goes through the Checkout page. What the event is about."""
        paid = self.sessions[session]
        intent = self.intent(paid["amount_total"], paid["metadata"])
        paid |= {"payment_status": "paid", "payment_intent": intent["id"]}
        return paid

    def refund(self, intent: str, cents: int, *, status: str = "succeeded") -> dict[str, Any]:
        return self._back("re", "refund", intent, cents) | {"status": status}

    def dispute(self, intent: str, cents: int) -> dict[str, Any]:
        return self._back("du", "dispute", intent, cents) | {"status": "needs_response"}

    def event(self, kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
        known = {
            "id": self.number("evt"),
            "object": "event",
            "type": kind,
            "livemode": False,
            "data": {"object": thing},
        }
        return {**known, **more}

    def _back(self, prefix: str, what: str, intent: str, cents: int) -> dict[str, Any]:
        return {"id": self.number(prefix), "object": what, "amount": cents, "currency": "usd", "payment_intent": intent}


def signed(body: bytes, *secrets: str, at: float | None = None) -> str:
    """What `Stripe-Signature` says: a time, and a signature under each secret."""
    moment = int(time.time() if at is None else at)
    parts = [
        f"v1={hmac.digest(secret.encode(), f'{moment}.'.encode() + body, hashlib.sha256).hex()}"
        for secret in secrets or (SIGNING,)
    ]
    return ",".join([f"t={moment}", *parts, "v0=" + "0" * 64])


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0]=c` as dictionaries in dictionaries."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return found


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


@contextmanager
def serving() -> Iterator[Stripe]:
    fake = Stripe()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = fake.answer(self.path, headers, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
