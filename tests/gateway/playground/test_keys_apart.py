"""The playground's keys stand apart from those that people make: in lists, in counts, in what can be done to them."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import ApiKey, Organization, User
from accounts.roles import Role
from tests.gateway.keys.pages import LIST, member, named, path, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def tried(client: Client, bob: User, organization: Organization) -> ApiKey:
    """The key of Bob's playground."""
    client.force_login(bob)
    assert client.post("/o/acme/playground/key/").status_code == 200
    return ApiKey.objects.get()


@pytest.fixture
def owner(organization: Organization, alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_the_list_has_it_under_a_filter_of_its_own(owner: Client, tried: ApiKey) -> None:
    for status in ("", "active", "all", "revoked"):
        assert named(owner.get(LIST, {"status": status})) == []
    assert named(owner.get(LIST, {"status": "playground"})) == [tried.name]


def test_it_is_not_counted_among_the_keys(owner: Client, tried: ApiKey, bob: User) -> None:
    members = text(owner.get("/o/acme/members/"))
    assert "1 key" not in members
    assert tried.name not in text(owner.get("/o/acme/settings/"))


@pytest.mark.parametrize("what", ["edit/", "rotate/", "revoke/"])
@pytest.mark.parametrize("role", [Role.OWNER, Role.DEVELOPER])
def test_nobody_changes_it(organization: Organization, tried: ApiKey, role: Role, what: str) -> None:
    client = member(organization, role)
    assert client.get(path(tried, what)).status_code == 404
    assert client.post(path(tried, what)).status_code == 404
    assert "Rotate" not in text(client.get(path(tried)))


def test_nobody_revokes_it_among_others(owner: Client, tried: ApiKey) -> None:
    owner.post(f"{LIST}revoke/", {"key": [tried.pk]})
    tried.refresh_from_db()
    assert tried.revoked_at is None
