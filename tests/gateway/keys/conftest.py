"""Signed in as Alice and as Bob, and keys of every kind."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Membership, Organization, Project, User
from tests.factories import make_key, make_user


@pytest.fixture(autouse=True)
def nothing_counted(valkey: redis.Redis) -> None:
    """Forms about keys are counted, and these tests send many."""


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


@pytest.fixture
def several(organization: Organization, bob: User) -> dict[str, ApiKey]:
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    gone = make_user("gone@acme.example")
    left = Membership.objects.create(organization=organization, user=gone)
    made = {
        "bobs": make_key(organization, name="bobs", owner=bob, note="nightly")[0],
        "side": make_key(organization, name="side", project=side)[0],
        "expired": make_key(organization, name="expired", expires_at=timezone.now() - timedelta(days=1))[0],
        "revoked": make_key(organization, name="revoked")[0],
        "stopped": make_key(organization, name="stopped", owner=gone)[0],
    }
    left.delete()
    made["revoked"].revoke()
    return made
