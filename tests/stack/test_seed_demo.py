"""The first start's staff user, organisation and key."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from accounts import keys
from accounts.models import ApiKey, Membership, Organization, User

pytestmark = pytest.mark.django_db


def seed() -> dict[str, str]:
    output = io.StringIO()
    call_command("seed_demo", stdout=output)
    made: dict[str, str] = json.loads(output.getvalue())
    return made


def test_the_first_start_makes_a_staff_user_an_organisation_and_a_key() -> None:
    made = seed()
    user = User.objects.get(email=made["email"])
    assert user.is_staff
    assert user.is_superuser
    assert user.check_password(made["password"])
    key = ApiKey.objects.get(secrets__digest=keys.newest_digest(made["key"])[1])
    assert key.organization.slug == "demo"
    assert Membership.objects.get(organization=key.organization, user=user).role == Membership.Role.OWNER


def test_later_starts_make_nothing_and_tell_nothing() -> None:
    first = seed()
    assert seed() == {"email": first["email"]}
    assert (User.objects.count(), Organization.objects.count(), ApiKey.objects.count()) == (1, 1, 1)


def test_a_password_that_was_changed_stays_changed() -> None:
    user = User.objects.get(email=seed()["email"])
    user.set_password("a longer one of my own")
    user.save()
    seed()
    user.refresh_from_db()
    assert user.check_password("a longer one of my own")
