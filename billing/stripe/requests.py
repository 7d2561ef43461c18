"""The five things that we ask Stripe for."""

from __future__ import annotations

from typing import Any

from accounts.models import Organization
from billing.amount_field import CENT
from billing.models import BillingProfile, Payment
from billing.stripe import api

CURRENCY = "usd"


def customer(organization: Organization) -> str:
    """The number of a new customer; the same one for whoever asks at the same time."""
    fields = {"name": organization.name, "metadata": {"organization": organization.slug}}
    founded = int(organization.created_at.timestamp())  # another gateway with the same account counts from 1 too
    return str(api.post("customers", fields, key=f"customer-{organization.pk}-{founded}")["id"])


def checkout(payment: Payment, profile: BillingProfile, *, done: str, cancelled: str) -> tuple[str, str]:
    """A page at Stripe on which it can be paid: its number, and its address."""
    told = {"payment": str(payment.token), "organization": payment.organization.slug}
    intent: dict[str, Any] = {"metadata": told, "description": f"Credit for {payment.organization.name}"}
    if payment.saves_method:
        intent["setup_future_usage"] = "off_session"
    line = {
        "quantity": 1,
        "price_data": {
            "currency": CURRENCY,
            "unit_amount": payment.amount_nano // CENT,
            "product_data": {"name": f"Credit for {payment.organization.name}"},
        },
    }
    session = api.post(
        "checkout/sessions",
        {
            "mode": "payment",
            "customer": profile.customer,
            "client_reference_id": str(payment.token),
            "metadata": told,
            "line_items": [line],
            "payment_intent_data": intent,
            "success_url": done,
            "cancel_url": cancelled,
        },
        key=f"checkout-{payment.token}",
    )
    return str(session["id"]), str(session["url"])


def charge(payment: Payment, profile: BillingProfile) -> tuple[str, str]:
    """The saved card, without anybody there: the payment intent's number, and its status."""
    intent = api.post(
        "payment_intents",
        {
            "amount": payment.amount_nano // CENT,
            "currency": CURRENCY,
            "customer": profile.customer,
            "payment_method": profile.method,
            "off_session": True,
            "confirm": True,
            "error_on_requires_action": True,
            "description": f"Credit for {payment.organization.name}",
            "metadata": {"payment": str(payment.token), "organization": payment.organization.slug},
        },
        key=f"automatic-{payment.token}",
    )
    return str(intent["id"]), str(intent["status"])


def forget(method: str) -> None:
    """Let the saved card be no customer's any more."""
    api.post(f"{api.named('payment_methods', method)}/detach", {}, key=f"detach-{method}")
