"""What `manage.py check` says of the ledger's settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from billing import signing
from billing.stripe import is_configured

MOST_DOLLARS = 999_999  # what Stripe charges at once


@checks.register(checks.Tags.security, deploy=True)
def statements_can_be_signed(**_: Any) -> list[checks.CheckMessage]:
    try:
        signed = signing.is_configured()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="billing.E001")]
    hint = "Make one as docs/settings.md says. Without it no statements are made."
    return [] if signed else [checks.Warning("SIGNING_KEYS is not set.", hint=hint, id="billing.W001")]


@checks.register(checks.Tags.security)
def payments_are_whole(**_: Any) -> list[checks.CheckMessage]:
    """One secret without the other takes money that nobody hears of, or hears of money that nobody asked for."""
    found: list[checks.CheckMessage] = []
    if bool(settings.STRIPE_SECRET_KEY) != bool(settings.STRIPE_WEBHOOK_SECRETS):
        missing = "STRIPE_WEBHOOK_SECRET" if settings.STRIPE_SECRET_KEY else "STRIPE_SECRET_KEY"
        hint = "Set both, or none. Until then no payments are taken."
        found.append(checks.Error(f"{missing} is not set, and the other of the two is.", hint=hint, id="billing.E002"))
    if not 0 < settings.TOP_UP_LEAST <= settings.TOP_UP_MOST <= MOST_DOLLARS:
        hint = f"Give whole dollars, TOP_UP_LEAST from 1 on and TOP_UP_MOST up to {MOST_DOLLARS}."
        found.append(checks.Error("TOP_UP_LEAST and TOP_UP_MOST make no range.", hint=hint, id="billing.E003"))
    if is_configured() and not settings.INVOICE_NAME:
        hint = "Give the name that is to stand on receipts and invoices, and INVOICE_ADDRESS."
        found.append(checks.Warning("INVOICE_NAME is not set.", hint=hint, id="billing.W002"))
    return found
