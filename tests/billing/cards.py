"""Payments by card, as tests need them: rows, and what Stripe's webhook is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Model as Row
from django.http import HttpResponse
from django.test import Client

from accounts.models import Organization
from billing import documents
from billing.invariants import INVARIANTS
from billing.models import BillingProfile, Payment, StripeEvent
from tests.billing.moves import DOLLAR
from tests.fakes.stripe import Stripe, signed

WEBHOOK = "/webhooks/stripe"


def tell(client: Client, event: Any, *, signature: str | None = None) -> HttpResponse:
    """What Stripe sends, signed unless a signature is given."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    header = signed(body) if signature is None else signature
    return client.post(WEBHOOK, body, content_type="application/json", headers={"stripe-signature": header})  # type: ignore[return-value]


def outcome(client: Client, event: Any) -> str:
    response = tell(client, event)
    assert response.status_code == 200, response.content
    return str(json.loads(response.content)["outcome"])


def paid(stripe: Stripe, payment: Payment, **changed: Any) -> dict[str, Any]:
    """The event of its payment intent."""
    intent = stripe.intent(payment.amount_nano * 100 // DOLLAR, {"payment": str(payment.token)})
    return stripe.event("payment_intent.succeeded", intent | changed)


def violations() -> list[tuple[str, str]]:
    """Every difference that an audit would find, in the transaction that runs. Roll-ups are left to their own tests."""
    found = []
    with connection.cursor() as cursor:
        for invariant in INVARIANTS:
            if invariant.name not in {"usage_days", "outbox_moves"}:
                cursor.execute(invariant.query, {"since": datetime(2020, 1, 1, tzinfo=UTC), "full": True})
                found += [(invariant.name, row[1]) for row in cursor.fetchall()]
    return found


def make_profile(organization: Organization, **fields: Any) -> BillingProfile:
    """With a saved card that is charged by itself."""
    known = {
        "customer": "cus_1", "method": "pm_1", "method_label": "Visa ending in 4242", "automatic": True,
        "below_nano": 10 * DOLLAR, "amount_nano": 50 * DOLLAR, "cap_nano": 100 * DOLLAR,
    }  # fmt: skip
    return BillingProfile.objects.create(organization=organization, **{**known, **fields})


def make_payment(organization: Organization) -> dict[str, Row]:
    """One that was begun, with a document and an event, for the admin's pages."""
    payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=25 * DOLLAR, intent="pi_1")
    event = StripeEvent.objects.create(event_id="evt_1", kind="payment_intent.succeeded", payment=payment)
    return {
        "billing/payment": payment, "billing/stripeevent": event, "billing/document": documents.receipt(payment)
    }  # fmt: skip
