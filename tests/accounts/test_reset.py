"""A new password for whoever lost theirs, by a code in a mail."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts import adapter
from accounts.models import User
from tests.accounts.doorway import (
    ANOTHER,
    NOON,
    PASSWORD,
    app_code,
    mailed_code,
    send,
    sign_in,
    signed_in,
    with_app,
    without_valkey,
    words,
)
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("ada")


def ask(client: Client, email: str = "ada@acme.example", **fields: str) -> HttpResponse:
    return send(client, "/reset-password/", email=email, **fields)


def enter(client: Client, code: str) -> HttpResponse:
    return send(client, "/reset-password/code/", code=code)


def choose(client: Client, password: str = ANOTHER) -> HttpResponse:
    return send(client, "/reset-password/new/", password1=password)


def test_a_code_by_mail_sets_a_new_password_and_signs_in(client: Client, ada: User) -> None:
    assert ask(client)["location"] == "/reset-password/code/"
    assert mail.outbox[0].to == ["ada@acme.example"]
    assert enter(client, mailed_code())["location"] == "/reset-password/new/"
    assert choose(client)["location"] == "/dashboard/"
    assert signed_in(client)
    ada.refresh_from_db()
    assert ada.check_password(ANOTHER)
    assert mail.outbox[-1].subject == "Your password was changed"


def test_a_new_password_ends_every_session_that_there_was(client: Client) -> None:
    other = Client()
    sign_in(other)
    ask(client)
    enter(client, mailed_code())
    choose(client)
    assert other.get("/account/")["location"] == "/sign-in/?next=/account/"


def test_a_second_factor_is_asked_for_after_the_code_too(client: Client, ada: User) -> None:
    with_app(ada)
    ask(client)
    enter(client, mailed_code())
    assert choose(client)["location"] == "/sign-in/second-factor/"
    assert not signed_in(client)
    send(client, "/sign-in/second-factor/", code=app_code())
    assert signed_in(client)


def test_nothing_is_set_without_the_code(client: Client, ada: User) -> None:
    ask(client)
    assert choose(client)["location"] == "/reset-password/code/"
    assert choose(Client())["location"] == "/reset-password/"
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_a_code_sets_one_password(client: Client) -> None:
    ask(client)
    code = mailed_code()
    enter(client, code)
    choose(client)
    send(client, "/sign-out/")
    assert enter(client, code)["location"] == "/sign-in/"


def test_a_weak_password_is_refused_and_another_can_be_chosen(client: Client) -> None:
    ask(client)
    enter(client, mailed_code())
    assert "at least 12 characters" in words(choose(client, "short"))
    assert choose(client).status_code == 302


def test_the_fifth_wrong_code_is_the_last(client: Client) -> None:
    ask(client)
    right = mailed_code()
    for _ in range(4):
        assert adapter.WRONG_CODE in words(enter(client, "BBBB-BBBB"))
    assert enter(client, "BBBB-BBBB")["location"] == "/sign-in/"
    assert enter(client, right)["location"] == "/sign-in/"


def test_a_code_ends_after_a_quarter_of_an_hour(client: Client, clock: time_machine.Traveller) -> None:
    ask(client)
    clock.move_to(NOON + timedelta(minutes=15, seconds=1))
    assert enter(client, mailed_code())["location"] == "/sign-in/"


def test_nobody_learns_whether_an_address_has_an_account() -> None:
    make_user("gone@acme.example", password=PASSWORD, is_active=False)
    ways = set()
    for email in ("ada@acme.example", "nobody@acme.example", "gone@acme.example"):
        client = Client()
        pages = [ask(client, email), client.get("/reset-password/code/"), *[enter(client, "B") for _ in range(5)]]
        text = "".join(f"{page.status_code}{page.get('location', '')}{words(page)}" for page in pages)
        ways.add(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text).replace(email, ""))
    assert len(ways) == 1
    assert [letter.to for letter in mail.outbox] == [
        ["ada@acme.example"],
        ["nobody@acme.example"],
        ["gone@acme.example"],
    ]
    assert "There is no account with this address" in mail.outbox[1].subject
    assert "There is no account with this address" in mail.outbox[2].subject


def test_an_address_gets_five_mails_an_hour() -> None:
    for number in range(5):
        assert ask(Client(), address=f"192.0.2.{number}").status_code == 302
    assert ask(Client(), "Ada@acme.example", address="192.0.2.200").status_code == 429
    assert len(mail.outbox) == 5


def test_codes_are_counted_over_all_windows() -> None:
    for _ in range(2):
        client = Client()
        ask(client)
        for _ in range(5):
            assert enter(client, "BBBB-BBBB").status_code in {200, 302}
    client = Client()
    ask(client)
    assert enter(client, mailed_code()).status_code == 429


@pytest.mark.parametrize("path", ["/reset-password/", "/reset-password/code/", "/reset-password/new/"])
def test_without_valkey_nothing_is_reset(client: Client, settings: Settings, path: str) -> None:
    with without_valkey(settings):
        assert send(client, path, email="ada@acme.example").status_code == 503
    assert not mail.outbox


def test_a_mail_server_that_does_not_answer_is_said_so(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    assert ask(client).status_code == 503
