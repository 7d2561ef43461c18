"""The cast. Alice owns Acme, Bob works there, and Charlie is the stranger who must see nothing of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts.models import ApiKey, Membership, Organization, User
from tests import live
from tests.factories import make_key, make_organization, make_user


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write the pages that tests make anew")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests that commit are cleaned up by emptying all tables, which the ledger and the audit log otherwise refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_transfer DISABLE TRIGGER transfer_is_kept")
        cursor.execute("ALTER TABLE accounts_auditevent DISABLE TRIGGER audit_event_is_kept")


@pytest.fixture(scope="session")
def empty_database(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A migrated database in which nothing is, for live gateways to have copies of."""
    with live.database(f"live_{os.getpid()}") as name:
        with django_db_blocker.unblock(), live.connected_to(name):
            call_command("migrate", verbosity=0, interactive=False)
        yield name


@pytest.fixture
def alice(db: None) -> User:
    """The owner of Acme."""
    return make_user("alice@acme.example", name="Alice")


@pytest.fixture
def bob(db: None) -> User:
    """A developer at Acme."""
    return make_user("bob@acme.example", name="Bob")


@pytest.fixture
def charlie(db: None) -> User:
    """A stranger, with an organisation of his own."""
    user = make_user("charlie@stranger.example", name="Charlie")
    make_organization("stranger", owner=user)
    return user


@pytest.fixture
def organization(alice: User, bob: User) -> Organization:
    """Acme."""
    return make_organization("acme", name="Acme", owner=alice, members={bob: Membership.Role.DEVELOPER})


@pytest.fixture
def issued(organization: Organization, bob: User) -> tuple[ApiKey, str]:
    """A key of Acme that Bob holds, and its secret."""
    return make_key(organization, name="production", owner=bob)


@pytest.fixture
def key(issued: tuple[ApiKey, str]) -> ApiKey:
    return issued[0]


@pytest.fixture
def secret(issued: tuple[ApiKey, str]) -> str:
    return issued[1]


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """This worker's own Valkey database, empty."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
