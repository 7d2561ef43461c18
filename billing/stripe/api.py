"""What is asked of Stripe's API. A connection is opened by whatever BILLING_CALL names: nothing in billing does it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.redaction import redact

log = logging.getLogger(__name__)

VERSION = "2025-09-30.clover"  # of the API: what answers and, by the endpoint's own setting, events look like
SECONDS = 20.0


class AwayError(Exception):
    """Nobody knows whether Stripe did it: ask again with the same key. Says what happened."""


class RefusedError(Exception):
    """Stripe did not do it, and will not if it is asked again. The message is Stripe's, for people."""

    def __init__(self, message: str, *, code: str, intent: str) -> None:
        super().__init__(message)
        self.code = code
        self.intent = intent  # the payment intent that was made for it, if one was


class Call(Protocol):
    """Opens a connection. Raises `AwayError`."""

    def __call__(self, url: str, *, headers: Mapping[str, str], body: bytes, seconds: float) -> tuple[int, bytes]: ...


def post(path: str, fields: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Stripe's answer. The same `key` does it once. Raises `RefusedError` or `AwayError`."""
    call: Call = import_string(settings.BILLING_CALL)
    headers = {
        "authorization": f"Bearer {settings.STRIPE_SECRET_KEY}",
        "content-type": "application/x-www-form-urlencoded",
        "idempotency-key": key,
        "stripe-version": VERSION,
        "user-agent": "2389-billing",
    }
    url = f"{settings.STRIPE_API_URL}/v1/{path}"
    status, body = call(url, headers=headers, body=urlencode(list(_flat(fields))).encode(), seconds=SECONDS)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AwayError(f"Stripe answered {status} with something that is no JSON.")
    if 200 <= status < 300:
        return answer
    raise _refusal(status, answer)


def named(path: str, number: str) -> str:
    """The path of one thing, whatever its number holds."""
    return f"{path}/{quote(number, safe='')}"


def _refusal(status: int, answer: dict[str, Any]) -> Exception:
    told = answer.get("error")
    error: dict[str, Any] = told if isinstance(told, dict) else {}
    message = redact(str(error.get("message", "")))[:300]
    if status in {409, 429} or status >= 500:
        return AwayError(f"Stripe answered {status}: {message}")
    if error.get("type") != "card_error":
        log.error("Stripe refused a request with %s: %s", status, message)
    intent = error.get("payment_intent")
    return RefusedError(
        message or f"Stripe answered {status}.",
        code=str(error.get("decline_code") or error.get("code") or error.get("type") or status),
        intent=str(intent.get("id", "")) if isinstance(intent, dict) else "",
    )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Fields as Stripe has them: `a[b][0]=c`."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, part in enumerate(value):
            yield from _flat(part, f"{name}[{at}]")
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
