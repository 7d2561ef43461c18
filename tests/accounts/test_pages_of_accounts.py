"""What holds of every page of accounts: our words, our policy, and no way past the counting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from allauth.account import app_settings
from allauth.account.models import EmailAddress
from allauth.mfa import app_settings as mfa_settings
from django.apps import apps
from django.conf import settings as configured
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from accounts import urls_allauth
from accounts.models import User
from tests.accounts.doorway import PASSWORD, confirm, send, sign_in, with_app, without_valkey

pytestmark = pytest.mark.usefixtures("ada")

# Words of allauth's own pages, which ours are written without.
FOREIGN = re.compile(r"Sign In\b|Email\b|Two-Factor|successfully|Security Key|Third-Party|Authenticator App|Oops")
ENTRANCE = ["/sign-in/", "/sign-up/", "/sign-out/", "/reset-password/", "/sign-in/inactive/", "/sign-in/cancelled/"]
INSIDE = ["/account/", "/account/name/", "/account/email/", "/account/password/", "/account/authenticator/"]
INSIDE += ["/account/authenticator/remove/", "/account/passkeys/add/", "/account/recovery-codes/", "/account/sessions/"]
INSIDE += ["/account/recovery-codes/new/", "/account/confirm/", "/account/confirm/code/", "/account/connections/"]


def _sound(client: Client, path: str) -> None:
    response = client.get(path)
    page = response.content.decode()
    assert response.status_code == 200, (path, response.get("location"))
    assert len(re.findall("<h1[ >]", page)) == 1, path
    assert re.search(r"<title>[^<]+· 2389</title>", page), path
    assert not FOREIGN.search(re.sub(r"<[^>]+>", " ", page)), path
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), path
    assert all("application/json" in tag or "src=" in tag for tag in re.findall("<script[^>]*>", page)), path
    assert "unsafe" not in response["Content-Security-Policy"], path
    loaded = re.findall(r"<(?:script|link|iframe)\b[^>]*?(?:src|href)=\"([^\"]+)\"", page)
    assert all(address.startswith("/static/") for address in loaded), path
    names = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(names) == sorted(set(names)), path
    assert page.count("<label") >= len(re.findall(r'<input type="(?:text|email|password)"(?![^>]*\shidden)', page)), (
        path
    )


@pytest.mark.parametrize("path", ENTRANCE)
def test_pages_at_the_door_are_in_our_words_and_under_our_policy(client: Client, path: str) -> None:
    _sound(client, path)


@pytest.mark.parametrize("path", INSIDE)
def test_pages_inside_are_in_our_words_and_under_our_policy(client: Client, ada: User, path: str) -> None:
    sign_in(client)
    confirm(client)
    if path != "/account/authenticator/":
        with_app(ada)
    _sound(client, path)


def test_pages_between_are_in_our_words_and_under_our_policy(client: Client, ada: User) -> None:
    with_app(ada)
    sign_in(client)
    _sound(client, "/sign-in/second-factor/")
    other = Client()
    send(other, "/sign-up/", email="new@acme.example", password1=PASSWORD)
    _sound(other, "/verify-email/")
    third = Client()
    send(third, "/reset-password/", email="ada@acme.example")
    _sound(third, "/reset-password/code/")


@pytest.mark.parametrize("path", [path for path in INSIDE if path != "/account/"])
def test_a_visitor_is_sent_to_sign_in(client: Client, path: str) -> None:
    for response in (client.get(path), send(client, path)):
        assert response.status_code == 302
        assert response["location"].startswith("/sign-in/")


@pytest.mark.parametrize("path", [*ENTRANCE[:4], *INSIDE[1:]])
def test_a_form_from_another_site_is_refused(ada: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert send(client, path).status_code == 403


def _named(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _named(pattern.url_patterns, path)
        else:
            yield pattern.name or "", path


OPEN = {  # pages without a form, and signing out, which is nothing to guess at
    "account_inactive", "socialaccount_login_cancelled", "socialaccount_login_error", "account_logout",
    "account_password_reset_completed", "mfa_index", "mfa_list_webauthn", "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
}  # fmt: skip
COUNTED = [
    "/" + path.replace("<int:pk>", "1")
    for name, path in _named(urls_allauth.urlpatterns)
    if name not in OPEN and not path.startswith("sign-in/with/")
]


@pytest.mark.parametrize("path", COUNTED)
def test_every_form_is_shut_while_nobody_can_count(client: Client, settings: Settings, path: str) -> None:
    sign_in(client)
    with without_valkey(settings):
        response = send(client, path)
    assert response.status_code == 503
    assert response["retry-after"] == "60"


def test_the_limits_that_many_requests_at_once_pass_are_off() -> None:
    assert app_settings.RATE_LIMITS == {}
    assert mfa_settings.RATE_LIMITS == {}


def test_the_admin_shows_no_secrets_of_people() -> None:
    names = {path for _, path in _named(get_resolver().url_patterns) if path.startswith("admin/")}
    assert not {path for path in names if re.match(r"admin/(account|mfa|usersessions|socialaccount)/", path)}


def test_messages_and_pages_of_ours_stand_for_all_of_allauths() -> None:
    """A new release may bring a page that we have no words for: it is found here, and not by a visitor."""
    import allauth

    theirs = configured.BASE_DIR.__class__(allauth.__file__).parent / "templates"
    ours = configured.BASE_DIR / "templates"
    unused = re.compile(
        r"phone|login_code|by_passkey|signup_form|trust|email_confirm\.html|verification_sent|verified_email_required|"
        r"password_reset_key|reset_done|from_key_done|account/(email|login|logout|signup)\.html|base_|mfa/index|"
        r"authenticator_list|usersession_list|snippets/|login_redirect|/base\.html"
    )
    wanted = {
        path.relative_to(theirs).as_posix()
        for folder in ("account", "mfa", "usersessions", "socialaccount")
        for path in (theirs / folder).rglob("*.*")
    }
    assert {path for path in wanted if not unused.search(path) and not (ours / path).exists()} == set()


def test_everybody_who_was_here_before_counts_as_verified(ada: User) -> None:
    migration = import_module("accounts.migrations.0003_email_addresses")
    early = User.objects.create(email="Early@acme.example", password="!")
    for _ in range(2):
        migration.vouch_for_everybody(apps, None)
    (address,) = EmailAddress.objects.filter(user=early)
    assert (address.email, address.verified, address.primary) == ("early@acme.example", True, True)
    assert EmailAddress.objects.filter(user=ada).count() == 1
