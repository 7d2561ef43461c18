"""Signed in as Alice who owns Acme, and as Bob who develops there."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Organization, User


@pytest.fixture
def owner(alice: User, organization: Organization) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def developer(bob: User, organization: Organization) -> Client:
    client = Client()
    client.force_login(bob)
    return client
