"""Passkeys: kept by a device, enough to sign in with, and of no use anywhere else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.accounts.device import Device
from tests.accounts.doorway import PASSWORD, confirm, send, sign_in, signed_in, with_app, without_valkey, words
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("ada")


@pytest.fixture
def client(client: Client) -> Client:
    """Over https, which browsers keep passkeys for."""
    client.defaults["wsgi.url_scheme"] = "https"
    return client


def another() -> Client:
    fresh = Client()
    fresh.defaults["wsgi.url_scheme"] = "https"
    return fresh


def options(response: Any) -> dict[str, Any]:
    found = re.search(r'<script id="passkey-options" type="application/json">(.*?)</script>', response.content.decode())
    assert found
    parsed: dict[str, Any] = json.loads(found.group(1))
    return parsed


def add(client: Client, device: Device, *, alone: bool = True) -> HttpResponse:
    """Ada is signed in and adds a passkey, beside the password or instead of it."""
    sign_in(client)
    confirm(client)
    asked = options(client.get("/account/passkeys/add/"))
    fields = {"passwordless": "on"} if alone else {}
    credential = device.create(asked, resident=alone)
    return send(client, "/account/passkeys/add/", name="Ada's phone", credential=credential, **fields)


def ask(client: Client) -> dict[str, Any]:
    response = client.get("/sign-in/passkey/", headers={"Accept": "application/json"})
    parsed: dict[str, Any] = json.loads(response.content)["request_options"]
    return parsed


def use(client: Client, device: Device, **fields: str) -> HttpResponse:
    return send(client, "/sign-in/passkey/", credential=device.get(ask(client)), **fields)


@pytest.fixture
def phone(client: Client) -> Device:
    """Ada's, with a passkey that signs her in. She is signed out."""
    device = Device()
    assert add(client, device)["location"] == "/account/recovery-codes/"
    send(client, "/sign-out/")
    mail.outbox.clear()
    return device


def test_it_is_added_with_the_password_again(client: Client) -> None:
    sign_in(client)
    assert client.get("/account/passkeys/add/")["location"].startswith("/account/confirm/")
    assert send(client, "/account/passkeys/add/", credential="{}")["location"].startswith("/account/confirm/")
    add(client, Device())
    assert "Ada's phone" in words(client.get("/account/"))
    assert "Instead of the password" in words(client.get("/account/"))
    assert "A passkey was added" in [letter.subject for letter in mail.outbox]


def test_it_signs_in_by_itself(client: Client, phone: Device, ada: User) -> None:
    assert use(client, phone)["location"] == "/dashboard/"
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_it_counts_as_password_and_second_factor(client: Client, phone: Device, ada: User) -> None:
    with_app(ada)
    use(client, phone)
    assert signed_in(client)


def test_a_page_that_was_asked_for_comes_next_and_no_other_site(client: Client, phone: Device) -> None:
    assert use(client, phone, next="/docs/errors/")["location"] == "/docs/errors/"
    assert use(another(), phone, next="https://evil.example/")["location"] == "/dashboard/"


def test_an_answer_serves_once(client: Client, phone: Device) -> None:
    answer = phone.get(ask(client))
    thief = another()
    ask(thief)
    send(thief, "/sign-in/passkey/", credential=answer)
    assert not signed_in(thief)
    send(client, "/sign-in/passkey/", credential=answer)
    assert signed_in(client)
    send(client, "/sign-out/")
    send(client, "/sign-in/passkey/", credential=answer)
    assert not signed_in(client)


def test_another_site_cannot_use_it(client: Client, phone: Device) -> None:
    phone.origin = "https://evil.example"
    assert use(client, phone)["location"] == "/sign-in/"
    assert not signed_in(client)


def test_a_device_that_asks_for_nothing_is_not_enough(client: Client, phone: Device) -> None:
    phone.verifies = False
    use(client, phone)
    assert not signed_in(client)


def test_a_device_of_somebody_else_is_refused(client: Client, phone: Device, ada: User) -> None:
    stranger = Device()
    stranger.user = phone.user
    use(client, stranger)
    assert not signed_in(client)


@pytest.mark.parametrize("credential", ["", "{}", "[]", "null", '{"response": {"userHandle": "!"}}', "not json"])
def test_nonsense_is_refused(client: Client, credential: str) -> None:
    ask(client)
    assert send(client, "/sign-in/passkey/", credential=credential)["location"] == "/sign-in/"


def test_a_closed_account_stays_closed(client: Client, phone: Device, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    use(client, phone)
    assert not signed_in(client)


def test_beside_the_password_it_is_the_second_factor(client: Client) -> None:
    key = Device(verifies=False)
    add(client, key, alone=False)
    send(client, "/sign-out/")
    assert sign_in(client)["location"] == "/sign-in/second-factor/"
    asked = options(client.get("/sign-in/second-factor/"))
    send(client, "/sign-in/second-factor/", credential=key.get(asked))
    assert signed_in(client)


def test_one_that_shall_be_enough_must_ask_for_a_finger(client: Client) -> None:
    page = add(client, Device(verifies=False))
    assert "This passkey was not accepted." in words(page)
    assert not Authenticator.objects.exists()


def test_it_confirms_as_the_password_does(client: Client, phone: Device) -> None:
    use(client, phone)
    assert client.get("/account/recovery-codes/").status_code == 302
    asked = options(client.get("/account/confirm/passkey/"))
    send(client, "/account/confirm/passkey/", credential=phone.get(asked))
    assert client.get("/account/recovery-codes/").status_code == 200


def test_it_is_renamed_and_removed_by_its_owner_alone(client: Client, phone: Device) -> None:
    key = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    charlie = another()
    make_user("charlie@stranger.example", password=PASSWORD)
    sign_in(charlie, "charlie@stranger.example")
    confirm(charlie)
    for path in (f"/account/passkeys/{key.pk}/", f"/account/passkeys/{key.pk}/remove/"):
        assert charlie.get(path).status_code == 404
        assert send(charlie, path, name="Mine").status_code == 404
    sign_in(client)
    asked = options(client.get("/sign-in/second-factor/"))
    send(client, "/sign-in/second-factor/", credential=phone.get(asked))
    confirm(client)
    send(client, f"/account/passkeys/{key.pk}/", name="My <b>phone")
    assert "My &lt;b&gt;phone" in client.get("/account/").content.decode()
    send(client, f"/account/passkeys/{key.pk}/remove/")
    assert not Authenticator.objects.exists()
    assert mail.outbox[-1].subject == "A passkey was removed"


def test_sign_ins_are_counted_by_network(client: Client) -> None:
    for _ in range(20):
        assert send(client, "/sign-in/passkey/", credential="{}").status_code == 302
    assert send(client, "/sign-in/passkey/", credential="{}").status_code == 429


def test_without_valkey_nobody_signs_in_with_one(client: Client, phone: Device, settings: Settings) -> None:
    answer = phone.get(ask(client))
    with without_valkey(settings):
        assert send(client, "/sign-in/passkey/", credential=answer).status_code == 503
    assert not signed_in(client)
