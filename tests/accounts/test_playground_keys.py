"""The keys of the playground: short-lived, its member's alone, and over as soon as their sign-in is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import attempts, keys, playground_keys
from accounts.directory import Directory, Principal
from accounts.models import ApiKey, ApiKeySecret, AuditEvent, Membership, Organization, Project, User
from accounts.roles import Role
from accounts.tasks import forget_playground_secrets
from tests.factories import make_key
from tests.pools import open_pool

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

KEY = "/o/acme/playground/key/"


@pytest.fixture(autouse=True)
def _fresh_peppers() -> Iterator[None]:
    keys.peppers.cache_clear()
    yield
    keys.peppers.cache_clear()


@pytest.fixture
def developer(bob: User, organization: Organization) -> Client:
    return signed_in(bob)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def mint(client: Client) -> str:
    response = client.post(KEY)
    assert response.status_code == 200, response.content
    secret: str = response.json()["secret"]
    return secret


def find(secret: str) -> Principal:
    """As the data plane sees it."""

    async def ask() -> Principal | None:
        async with open_pool(size=2) as pool:
            return await Directory(pool, seconds=4).find(keys.digests(secret))

    found = asyncio.run(ask())
    assert found is not None
    return found


def works(secret: str) -> bool:
    found = find(secret)
    return not found.revoked and not found.expired


def test_it_calls_chats_in_the_members_name_for_half_an_hour(developer: Client, bob: User) -> None:
    before = timezone.now()
    response = developer.post(KEY)
    told = response.json()
    found, key = find(told["secret"]), ApiKey.objects.get()
    assert (found.member_id, found.organization, found.project_id) == (bob.pk, "acme", key.project_id)
    assert found.scopes == "chat"
    assert not any(found.may(scope) for scope in ("embeddings", "usage", "administration"))
    assert works(told["secret"])
    assert found.expires_at is not None
    assert timedelta(minutes=29) < found.expires_at - before < timedelta(minutes=31)
    assert told["seconds"] == 1800
    assert "no-store" in response.headers["cache-control"]
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=True):
        assert find(told["secret"]).expired


def test_its_limits_and_budgets_are_those_of_any_key(developer: Client) -> None:
    found = find(mint(developer))
    assert (found.requests_per_minute, found.tokens_per_minute, found.parallel_streams) == (None, None, None)
    assert found.project_id == Project.objects.get(slug="default").pk


def test_a_member_has_one_key_however_many_pages_they_open(developer: Client, bob: User) -> None:
    first, second = mint(developer), mint(developer)
    assert first != second
    assert works(first)
    assert works(second)
    key = ApiKey.objects.get()
    assert (key.owner, key.playground, key.name) == (bob, True, "Playground, Bob")
    assert key.secrets.count() == 2
    assert key.hint.endswith(second[-4:])
    assert [event.action for event in AuditEvent.objects.all()] == ["key.created"]


def test_another_default_project_has_a_key_of_its_own(developer: Client, organization: Organization) -> None:
    mint(developer)
    organization.default_project = Project.objects.create(organization=organization, name="Web", slug="web")
    organization.save()
    assert find(mint(developer)).project_id == organization.default_project.pk
    assert ApiKey.objects.count() == 2


def test_its_secret_stands_nowhere(developer: Client) -> None:
    secret = mint(developer)
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert all(secret not in str(event.details) for event in AuditEvent.objects.all())
    assert bytes(ApiKeySecret.objects.get().digest) == keys.digests(secret)[0]


def remove(_client: Client, bob: User) -> None:
    Membership.objects.filter(user=bob).delete()


def sign_out(client: Client, _bob: User) -> None:
    client.post("/sign-out/")


def sign_out_everywhere(_client: Client, bob: User) -> None:
    for session in Session.objects.all():  # which signing in by its form would have noted
        UserSession.objects.create(user=bob, session_key=session.session_key, ip="127.0.0.1")
    assert signed_in(bob).post("/account/sessions/", {"session": "everywhere"}).status_code == 302


def lower(_client: Client, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)


def change_password(_client: Client, bob: User) -> None:
    bob.set_password("another horse battery")
    bob.save()


def deactivate(_client: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def outlive_the_session(_client: Client, _bob: User) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    "end", [remove, sign_out, sign_out_everywhere, lower, change_password, deactivate, outlive_the_session]
)
def test_it_is_over_when_its_member_may_not_try_models_any_more(
    developer: Client, bob: User, organization: Organization, end: Callable[[Client, User], None]
) -> None:
    secret = mint(developer)
    ordinary = make_key(organization)[1]
    assert works(secret)
    end(developer, bob)
    assert not works(secret)
    assert works(ordinary)


def test_signing_out_in_one_browser_leaves_the_page_in_another(developer: Client, bob: User) -> None:
    other = signed_in(bob)
    here, there = mint(developer), mint(other)
    sign_out(developer, bob)
    assert (works(here), works(there)) == (False, True)


def test_a_personal_key_does_not_ask_for_a_sign_in(organization: Organization, bob: User) -> None:
    secret = make_key(organization, owner=bob)[1]
    lower(Client(), bob)
    assert works(secret)


def test_who_was_removed_and_comes_back_does_not_find_the_old_secret_working(
    developer: Client, alice: User, bob: User, organization: Organization
) -> None:
    secret = mint(developer)
    membership = Membership.objects.get(user=bob)
    signed_in(alice).post(f"/o/acme/members/{membership.pk}/remove/")
    Membership.objects.create(organization=organization, user=bob)
    assert not works(secret)
    assert works(mint(developer))
    assert ApiKey.objects.filter(playground=True).count() == 2


def test_an_archived_projects_key_stops(developer: Client, alice: User, organization: Organization) -> None:
    secret = mint(developer)
    old = Project.objects.default_of(organization)
    organization.default_project = Project.objects.create(organization=organization, name="Web", slug="web")
    organization.save()
    response = signed_in(alice).post(f"/o/acme/projects/{old.pk}/archive/")
    assert response.status_code == 302
    assert not works(secret)


def test_too_many_are_not_made(developer: Client, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = attempts.Limits("playground", "240/h", "2/h")
    monkeypatch.setattr(attempts, "PLAYGROUND", limits)
    assert [developer.post(KEY).status_code for _ in range(3)] == [200, 200, 429]
    error = developer.post(KEY).json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert "Try again in" in error["message"]
    assert ApiKeySecret.objects.count() == 2


def test_none_is_made_while_nobody_can_count_them(developer: Client, settings: Any) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    response = developer.post(KEY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "service_unavailable")
    assert not ApiKey.objects.exists()


def test_it_is_asked_for_by_a_page_of_ours_alone(bob: User, organization: Organization) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post(KEY).status_code == 403
    assert client.get(KEY).status_code == 405
    assert not ApiKey.objects.exists()


def test_ended_secrets_are_forgotten_and_the_key_stays(developer: Client, organization: Organization) -> None:
    kept = make_key(organization)[1]
    mint(developer)
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        forget_playground_secrets()
        assert ApiKeySecret.objects.filter(api_key__playground=True).count() == 1  # for a day after its end
    with time_machine.travel(timezone.now() + timedelta(days=1, hours=1), tick=True):
        assert playground_keys.forget_ended() == 1
    assert ApiKey.objects.filter(playground=True).count() == 1
    assert ApiKeySecret.objects.get().digest is not None
    assert works(kept)


def test_the_database_keeps_to_one_key_which_is_a_persons(developer: Client, organization: Organization) -> None:
    mint(developer)
    key = ApiKey.objects.get()
    with pytest.raises(IntegrityError, match="api_key_playground_once"), transaction.atomic():
        make_key(organization, owner=key.owner, project=key.project, playground=True)
    with pytest.raises(IntegrityError, match="api_key_playground_is_a_persons"), transaction.atomic():
        make_key(organization, playground=True)
