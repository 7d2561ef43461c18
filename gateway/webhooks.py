"""The outbox's channel to programs: calls to addresses that organisations gave, signed as Standard Webhooks says.

Receivers verify `webhook-signature` over the id, the time and the body, and know a second delivery by `webhook-id`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson
from django.utils import timezone

from billing import money
from billing.letters import Threshold
from billing.models import OutboxMessage
from billing.outbox import DeliveryError
from gateway import guarded
from gateway.credentials import CredentialError
from gateway.models import Webhook

# What can be told, in words for people.
EVENTS = {
    "budget.threshold": "A budget has passed one of its thresholds",
    "key.leaked": "A key was reported as leaked",
}


class Webhooks:
    """One call a message and address. What is only staff's business is not told here."""

    name = "webhook"

    def __init__(self) -> None:
        self._topics = {"budget.threshold": _about_threshold, "key.leaked": _about_leak}

    def addresses(self, message: OutboxMessage) -> list[str]:
        if message.topic not in self._topics or message.organization_id is None:
            return []
        told = Webhook.objects.told_of(message.topic).filter(organization_id=message.organization_id)
        return [f"{self.name}-{pk}" for pk in told.order_by("pk").values_list("pk", flat=True)]

    def send(self, message: OutboxMessage) -> None:
        number = int(message.address.removeprefix(f"{self.name}-"))
        enabled = Webhook.objects.enabled().filter(organization_id=message.organization_id)
        webhook = enabled.filter(pk=number).first()
        if webhook is not None:  # otherwise it was switched off meanwhile, and there is nobody to tell
            body = orjson.dumps(
                {"type": message.topic, "timestamp": message.created_at, "data": self._topics[message.topic](message)}
            )
            _call(webhook, message.event, body)


def signature(secret: str, event: str, at: datetime, body: bytes) -> str:
    """What `webhook-signature` says. `secret` is `whsec_` and the key in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b"%s.%d.%s" % (event.encode(), int(at.timestamp()), body)
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _call(webhook: Webhook, event: str, body: bytes) -> None:
    now = timezone.now()
    try:
        headers = {
            "content-type": "application/json",
            "user-agent": "2389-webhooks",
            "webhook-id": event,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature(webhook.open_secret(), event, now, body),
        }
        reply = asyncio.run(guarded.post_guarded(webhook.url, headers=headers, body=body))
    except CredentialError as error:
        raise DeliveryError(f"The secret of webhook {webhook.pk} cannot be used: {error}") from error
    except guarded.UnreachableError as error:
        raise DeliveryError(str(error)) from error
    if not 200 <= reply.status < 300:
        raise DeliveryError(f"It answered {reply.status}: {_readable(reply.body)}")


def _readable(body: bytes) -> str:
    """The beginning of an answer, for staff to read."""
    text = "".join(letter if letter.isprintable() else " " for letter in body[:800].decode(errors="replace"))
    return " ".join(text.split())[:200] or "nothing more."


def _about_threshold(message: OutboxMessage) -> dict[str, Any]:
    """Dollars are text, because a JSON number is a float to many."""
    told = Threshold.of(message)
    return {
        "budget_id": message.payload["budget_id"],
        "name": told.name,
        "threshold_percent": told.passed,
        "spent_usd": money.dollars(told.spent_nano),
        "limit_usd": money.dollars(told.limit_nano),
        "hard": told.hard,
        "period_starts_at": told.starts_at.astimezone(UTC),
        "resets_at": told.resets_at,
    }


def _about_leak(message: OutboxMessage) -> dict[str, Any]:
    told = message.payload
    return {name: told[name] for name in ("api_key_id", "name", "hint", "key_revoked", "source", "url")}
