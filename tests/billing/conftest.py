"""Stripe, played on a real socket, for the tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.fakes import stripe as fake


@pytest.fixture
def stripe(settings: Settings) -> Iterator[fake.Stripe]:
    """Payments by card are on, and go to a Stripe of our own."""
    with fake.serving() as serving:
        settings.STRIPE_SECRET_KEY = fake.SECRET_KEY
        settings.STRIPE_WEBHOOK_SECRETS = [fake.SIGNING]
        settings.STRIPE_API_URL = serving.url
        yield serving
