"""The list of keys and a new one, as Alice who owns Acme, Bob who develops there, and Charlie who is a stranger."""

from __future__ import annotations

import html
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import keys
from accounts.models import ApiKey, ApiKeySecret, AuditEvent, Organization, Project, User
from billing.models import Budget
from tests.factories import make_key, make_model
from tests.gateway.keys.pages import (
    DOLLAR,
    LIST,
    NEW,
    Role,
    create,
    fields,
    following,
    member,
    named,
    path,
    spend,
    text,
    used,
)

pytestmark = pytest.mark.django_db


# A new key


def test_a_new_key_is_shown_once_with_lines_that_work(owner: Client, alice: User) -> None:
    make_model("sandbox/echo", sandbox=True)
    response = create(owner)
    (secret,) = set(keys.PATTERN.findall(response.content.decode()))
    assert keys.well_formed(secret)
    key = ApiKeySecret.objects.get(digest__in=keys.digests(secret)).api_key
    assert (key.name, key.owner, key.scopes, key.project.slug) == ("batch", alice, ["chat", "embeddings"], "default")
    page = text(response)
    for told in (f"Bearer {secret}", f'api_key="{secret}"', f'apiKey: "{secret}"', f'export OPENAI_API_KEY="{secret}"'):
        assert told in page
    assert "no-store" in response.headers["cache-control"]
    assert "/v1/chat/completions" in page


def test_its_secret_is_nowhere_else(
    owner: Client, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = create(owner)
    (secret,) = set(keys.PATTERN.findall(response.content.decode()))
    assert secret not in caplog.text
    assert secret not in str(response.headers) + str(response.cookies)
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    key = ApiKey.objects.get()
    for page in (LIST, path(key), path(key, "edit/"), path(key, "rotate/"), NEW):
        assert secret not in owner.get(page).content.decode()
    assert all(secret not in str(event.details) for event in AuditEvent.objects.all())


def test_a_form_that_is_sent_again_makes_no_other_key_and_shows_no_secret(owner: Client) -> None:
    sent = {**fields(owner.get(NEW)), "name": "once"}
    owner.post(NEW, sent)
    response = owner.post(NEW, sent, follow=True)
    assert ApiKey.objects.count() == 1
    assert response.redirect_chain == [(path(ApiKey.objects.get()), 302)]
    assert "has made the key once" in text(response)
    assert not keys.PATTERN.search(response.content.decode())


def test_everything_a_key_can_be_limited_to_is_kept(owner: Client, organization: Organization) -> None:
    make_model("small")
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    response = create(
        owner, project=side.pk, holder="service", scopes=["usage", "administration"], expires_at="2099-01-02T03:04",
        models_allowed="small\nclaude-*", address_ranges="203.0.113.7, 2001:db8::/32", requests_per_minute=7,
        tokens_per_minute=9000, parallel_streams=3, budget="12.50", period="week", note="Ask Dana.",
    )  # fmt: skip
    assert keys.PATTERN.search(response.content.decode())
    key = ApiKey.objects.get()
    assert (key.project, key.owner, key.service_account, key.scopes) == (side, None, True, ["usage", "administration"])
    assert (key.models_allowed, key.address_ranges) == (["small", "claude-*"], ["203.0.113.7/32", "2001:db8::/32"])
    assert (key.requests_per_minute, key.tokens_per_minute, key.parallel_streams) == (7, 9000, 3)
    assert key.expires_at is not None
    assert (key.expires_at.isoformat(), key.note) == ("2099-01-02T03:04:00+00:00", "Ask Dana.")
    budget = Budget.objects.get()
    assert (budget.scope, budget.target_id, budget.limit_nano, budget.period, budget.hard) == (
        "api_key",
        key.pk,
        12_500_000_000,
        "week",
        True,
    )
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == ["key.created", "budget.created"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": " "}, "Give the key a name."),
        ({"scopes": []}, "Choose at least one"),
        ({"models_allowed": "smal"}, "There is no model “smal” here."),
        ({"address_ranges": "10.0.0"}, "“10.0.0” is no address or range."),
        ({"expires_at": "2001-01-01T00:00"}, "This is in the past."),
        ({"requests_per_minute": "0"}, "Give at least 1, or nothing"),
        ({"tokens_per_minute": "1000000001"}, "Give at most 1,000,000,000."),
        ({"budget": "ten"}, "'ten' is not an amount"),
        ({"budget": "-1"}, "Give an amount that is not below zero."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(owner: Client, given: dict[str, Any], told: str) -> None:
    response = create(owner, **given)
    assert told in text(response)
    assert "<title>Error: New key" in response.content.decode()
    assert not ApiKey.objects.exists()
    if not {"name", "scopes"} & set(given):
        assert '<details class="more" open>' in response.content.decode()


def test_keys_of_developers_are_their_own_and_without_administration(developer: Client, bob: User) -> None:
    response = create(developer, holder="service", scopes=["chat"], budget="1")
    assert keys.PATTERN.search(response.content.decode())
    key = ApiKey.objects.get()
    assert (key.owner, key.service_account) == (bob, False)
    assert not Budget.objects.exists()  # budgets are set by those who may
    assert create(developer, name="mighty", scopes=["administration"]).status_code == 200
    assert not ApiKey.objects.filter(name="mighty").exists()


def test_a_key_that_is_not_for_chats_gets_lines_of_its_own(owner: Client) -> None:
    page = text(create(owner, scopes=["usage"]))
    assert "/v1/models" in page
    assert "/v1/chat/completions" not in page


def test_lines_to_paste_use_a_model_that_the_key_may_use(owner: Client) -> None:
    make_model("acme-large")
    page = text(create(owner, models_allowed="acme-*"))
    assert '"model": "acme-large"' in page
    assert "sandbox/echo" not in page


@pytest.mark.parametrize("role", [Role.BILLING, Role.VIEWER])
def test_who_makes_no_keys_is_told_so_and_sees_the_list(organization: Organization, role: Role, key: ApiKey) -> None:
    client = member(organization, role)
    assert client.get(NEW).status_code == 403
    page = client.get(LIST)
    assert named(page) == ["production"]
    assert "Create key" not in text(page)
    assert 'name="key"' not in page.content.decode()
    assert "Revoke key" not in text(client.get(path(key)))


# The list


def test_the_list_says_all_there_is_to_know_of_a_key(owner: Client, key: ApiKey, organization: Organization) -> None:
    spend(key, 12_345_678_901)
    spend(key, 99 * DOLLAR, timezone.now().date().replace(day=1) - timedelta(days=1))  # last month
    used(key, timedelta(minutes=5))
    key.requests_per_minute, key.tokens_per_minute, key.models_allowed = 600, 90_000, ["small"]
    key.save()
    Budget.objects.create(
        organization=organization, name="b", scope="api_key", target_id=key.pk, limit_nano=50 * DOLLAR
    )
    page = text(owner.get(LIST))
    for told in (
        "production", key.hint, "Active", "Default", "Bob", "600 requests/min", "90,000 tokens/min", "1 model rule",
        "$50.00 a month", "5 minutes ago", "$12.34",
    ):  # fmt: skip
        assert told in page, told
    assert "99" not in page


def test_a_list_of_many_keys_takes_no_more_queries(
    owner: Client, organization: Organization, bob: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        key, _ = make_key(organization, owner=bob if number % 2 else None)
        spend(key, number)
    with django_assert_max_num_queries(22):
        page = owner.get(LIST)
    assert len(named(page)) == 50
    assert "60 keys" in text(page)
    assert len(named(following(owner, page))) == 10


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["stopped", "expired", "side", "bobs"]),
        ("status=all", ["stopped", "revoked", "expired", "side", "bobs"]),
        ("status=active", ["side", "bobs"]),
        ("status=expired", ["expired"]),
        ("status=revoked", ["revoked"]),
        ("status=stopped", ["stopped"]),
        ("owner=service", ["expired", "side"]),
        ("q=night", ["bobs"]),
        ("q=bob@", ["bobs"]),
        ("q=SIDE", ["side"]),
        ("q=nothing", []),
        ("sort=name", ["bobs", "expired", "side", "stopped"]),
        ("sort=spent", ["side", "bobs", "stopped", "expired"]),
        ("sort=used", ["expired", "bobs", "stopped", "side"]),
        ("status=wrong&sort=wrong&project=x&owner=-1&after=x", ["stopped", "expired", "side", "bobs"]),
    ],
)
def test_the_list_is_what_its_address_says(
    owner: Client, several: dict[str, ApiKey], query: str, found: list[str]
) -> None:
    spend(several["side"], 2 * DOLLAR)
    spend(several["bobs"], 1 * DOLLAR)
    used(several["expired"], timedelta(minutes=1))
    used(several["bobs"], timedelta(days=1))
    assert named(owner.get(f"{LIST}?{query}")) == found


def test_keys_are_found_by_project_holder_and_hint(owner: Client, several: dict[str, ApiKey], bob: User) -> None:
    side, bobs = several["side"], several["bobs"]
    assert named(owner.get(f"{LIST}?project={side.project_id}")) == ["side"]
    assert named(owner.get(f"{LIST}?owner={bob.pk}")) == ["bobs"]
    for asked in (bobs.hint, bobs.hint_first4, bobs.hint_last4, f"sk-2389-{bobs.hint_first4}"):
        assert named(owner.get(LIST, {"q": asked})) == ["bobs"], asked


def test_a_secret_that_is_searched_for_does_not_stay_in_the_address(owner: Client, secret: str, key: ApiKey) -> None:
    response = owner.get(LIST, {"q": secret, "sort": "name"}, follow=True)
    ((address, _),) = response.redirect_chain
    assert secret not in address
    assert secret not in response.content.decode()
    assert named(response) == ["production"]


def test_empty_lists_say_what_to_do(owner: Client, organization: Organization) -> None:
    assert "No keys yet" in text(owner.get(LIST))
    assert "Nothing matches" in text(owner.get(f"{LIST}?q=none"))
    viewer = member(organization, Role.VIEWER)
    assert "Owners, admins and developers create them" in text(viewer.get(LIST))


def test_names_are_text_whatever_they_hold(owner: Client, organization: Organization) -> None:
    name = "<img src=x onerror=alert(1)>"
    key, _ = make_key(organization, name=name, note="<b>")
    for page in (LIST, path(key), path(key, "edit/"), path(key, "rotate/"), path(key, "revoke/")):
        body = owner.get(page).content.decode()
        assert "<img" not in body
        assert html.escape(name) in body
