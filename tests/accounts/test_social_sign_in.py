"""Signing in with an account elsewhere: off until it is configured, and never a way around what holds here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from config import sign_in as configured
from tests.accounts.doorway import app_code, confirm, mailed_code, send, sign_in, signed_in, with_app, words
from tests.accounts.identity import Identity, serving
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_the_door")]

NOBODY = ("", "")
OIDC = "/sign-in/with/oidc/oidc/login/"


@pytest.fixture
def identity(settings: Settings) -> Iterator[Identity]:
    with serving() as server:
        settings.SOCIALACCOUNT_PROVIDERS = configured.providers(
            google=("google-id", "google-secret"),
            github=("github-id", "github-secret"),
            oidc=("our-id", "our-secret"),
            oidc_url=server.url,
            oidc_name="Acme login",
        )
        yield server


def leave(client: Client, path: str = f"{OIDC}?process=login") -> str:
    """Press the button. Returns where one is sent."""
    page = words(send(client, path))
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]+)">', page)
    assert found, page
    return found.group(1)


def come_back(client: Client, state: str, **fields: str) -> HttpResponse:
    query = {"code": "a code", "state": state, **fields}
    return client.get(f"{OIDC}callback/", query)  # type: ignore[return-value]


def through(client: Client, path: str = f"{OIDC}?process=login") -> HttpResponse:
    return come_back(client, parse_qs(urlsplit(leave(client, path)).query)["state"][0])


def test_there_is_none_until_one_is_configured(client: Client) -> None:
    assert configured.providers(google=NOBODY, github=NOBODY, oidc=NOBODY, oidc_url="", oidc_name="") == {}
    assert "Go on with" not in words(client.get("/sign-in/"))
    for path in (OIDC, "/sign-in/with/google/login/", "/sign-in/with/github/login/", f"{OIDC}callback/"):
        assert client.get(path).status_code == 404, path
        assert send(client, path).status_code == 404, path


def test_each_that_is_configured_has_a_button(client: Client, identity: Identity) -> None:
    page = words(client.get("/sign-in/?next=/docs/errors/"))
    for name in ("Google", "GitHub", "Acme login"):
        assert f"Go on with {name}" in page
    assert "next=%2Fdocs%2Ferrors%2F" in page


@pytest.mark.parametrize(
    ("path", "host"),
    [("/sign-in/with/google/login/", "accounts.google.com"), ("/sign-in/with/github/login/", "github.com")],
)
def test_a_button_leads_there_past_our_policy(client: Client, identity: Identity, path: str, host: str) -> None:
    """The answer to a form may not be a redirect to another site: browsers hold us to `form-action`."""
    target = urlsplit(leave(client, path))
    assert (target.scheme, target.hostname) == ("https", host)
    assert parse_qs(target.query)["redirect_uri"] == [f"http://testserver{path}callback/"]


def test_a_link_alone_starts_nothing(client: Client, identity: Identity) -> None:
    response = client.get(OIDC)
    assert "Go on to Acme login" in words(response)
    assert not identity.asked


def test_whoever_comes_for_the_first_time_gets_an_account(client: Client, identity: Identity) -> None:
    identity.says["name"] = "Grace Hopper"
    assert through(client)["location"] == "/dashboard/"
    user = User.objects.get()
    assert (user.email, user.name, user.has_usable_password()) == ("grace@navy.example", "Grace Hopper", False)
    assert EmailAddress.objects.get().verified
    send(client, "/sign-out/")
    through(client)
    assert signed_in(client)
    assert User.objects.count() == 1


def test_an_address_that_the_server_does_not_vouch_for_gets_a_code(client: Client, identity: Identity) -> None:
    identity.says["email_verified"] = False
    assert through(client)["location"] == "/verify-email/"
    assert not signed_in(client)
    send(client, "/verify-email/", code=mailed_code())
    assert signed_in(client)


def test_an_account_here_is_not_taken_over_by_its_address(client: Client, identity: Identity) -> None:
    make_user("grace@navy.example")
    assert through(client)["location"] == "/verify-email/"
    assert not signed_in(client)
    assert mail.outbox[0].subject == "You have an account already"
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("open_to", ["invited", "nobody"])
def test_it_opens_no_door_that_is_shut(client: Client, identity: Identity, settings: Settings, open_to: str) -> None:
    settings.SIGN_UP_OPEN = open_to
    assert "Sign-up is closed" in words(through(client))
    assert not User.objects.exists()


def test_it_is_connected_by_whoever_is_signed_in_and_asks_for_their_second_factor(
    client: Client, ada: User, identity: Identity
) -> None:
    sign_in(client)
    confirm(client)
    assert through(client, f"{OIDC}?process=connect")["location"] == "/account/connections/"
    assert "grace@navy.example" in words(client.get("/account/connections/"))
    assert "Acme login" in words(client.get("/account/"))
    assert mail.outbox[-1].subject == "An account was connected"
    assert "Your account at Acme login was connected" in str(mail.outbox[-1].body)
    with_app(ada)
    send(client, "/sign-out/")
    assert through(client)["location"] == "/sign-in/second-factor/"
    send(client, "/sign-in/second-factor/", code=app_code())
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_a_stolen_session_connects_nothing(client: Client, ada: User, identity: Identity) -> None:
    """Or whoever holds it could sign in as its owner for ever after."""
    sign_in(client)
    assert through(client, f"{OIDC}?process=connect")["location"].startswith("/account/confirm/")
    assert not SocialAccount.objects.exists()


def test_it_is_disconnected_by_its_owner_alone(client: Client, ada: User, charlie: User, identity: Identity) -> None:
    sign_in(client)
    confirm(client)
    through(client, f"{OIDC}?process=connect")
    account = SocialAccount.objects.get()
    stranger = Client()
    stranger.force_login(charlie)
    send(stranger, "/account/connections/", account=str(account.pk))
    assert SocialAccount.objects.exists()
    send(client, "/account/connections/", account=str(account.pk))
    assert not SocialAccount.objects.exists()


def test_the_last_way_in_is_not_taken_away(client: Client, identity: Identity) -> None:
    through(client)
    page = words(send(client, "/account/connections/", account=str(SocialAccount.objects.get().pk)))
    assert "there would be no way left for you to sign in" in page
    assert SocialAccount.objects.exists()


def test_an_answer_that_nobody_asked_for_is_refused(client: Client, identity: Identity) -> None:
    assert come_back(client, "made up").status_code == 401
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    assert come_back(Client(), state).status_code == 401
    assert not User.objects.exists()


def test_a_closed_account_stays_closed(client: Client, identity: Identity) -> None:
    through(client)
    User.objects.update(is_active=False)
    other = Client()
    assert through(other)["location"] == "/sign-in/inactive/"
    assert not signed_in(other)


def test_whoever_goes_back_is_met_with_words(client: Client, identity: Identity) -> None:
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    response: Any = client.get(f"{OIDC}callback/", {"error": "access_denied", "state": state}, follow=True)
    assert "You went back" in words(response)
    assert "That did not work" in words(come_back(client, "made up"))
