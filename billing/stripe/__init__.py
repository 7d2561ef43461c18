"""Stripe: what we ask of it, what it tells us, and how we know that it was Stripe. Off until both secrets are set."""

from __future__ import annotations

from django.conf import settings


def is_configured() -> bool:
    """Whether payments can be taken: asked for with the one secret, and heard of with the other."""
    return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRETS)
