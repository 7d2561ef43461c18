"""Ada, who signs in, and a door at which nobody has tried yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
import time_machine
from pytest_django import Settings

from accounts.models import User
from tests.accounts.doorway import NOON, PASSWORD
from tests.factories import make_user


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still, so that no count begins anew within a test."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def at_the_door(settings: Settings, valkey: redis.Redis, clock: time_machine.Traveller) -> None:
    """Nobody has tried yet, and hashes are quick: dozens of attempts under argon2 would take dozens of seconds."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SIGN_UP_OPEN = "everybody"


@pytest.fixture
def ada(db: None, at_the_door: None) -> User:
    return make_user("Ada@acme.example", password=PASSWORD, name="Ada")
