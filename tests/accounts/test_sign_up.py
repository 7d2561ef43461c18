"""Signing up: for whom it is open, the code, and what it tells nobody."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts import adapter
from accounts.models import User
from tests.accounts.doorway import ANOTHER, NOON, PASSWORD, mailed_code, send, sign_in, signed_in, without_valkey, words
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_the_door")]

NEW = "grace@navy.example"


def sign_up(client: Client, email: str = NEW, password: str = PASSWORD, **fields: str) -> HttpResponse:
    return send(client, "/sign-up/", email=email, password1=password, **fields)


def enter(client: Client, code: str) -> HttpResponse:
    return send(client, "/verify-email/", code=code)


def test_a_code_by_mail_makes_an_account_and_leads_to_an_organisation(client: Client) -> None:
    assert sign_up(client)["location"] == "/verify-email/"
    assert mail.outbox[0].to == [NEW]
    assert not signed_in(client)
    assert enter(client, mailed_code())["location"] == "/dashboard/"
    assert signed_in(client)
    (leads_to,) = {client.get("/dashboard/")["location"] for _ in range(2)}
    assert leads_to == "/o/graces-organisation/start/"
    assert "Create key" in words(client.get(leads_to))


def test_the_code_may_be_written_as_people_write(client: Client) -> None:
    sign_up(client)
    enter(client, f" {mailed_code().lower().replace('-', ' ')} ")
    assert signed_in(client)


def test_a_page_that_was_asked_for_comes_after_the_code(client: Client) -> None:
    sign_up(client, next="/docs/errors/")
    assert enter(client, mailed_code())["location"] == "/docs/errors/"


def test_nobody_is_in_before_the_address_is_theirs(client: Client) -> None:
    sign_up(client)
    assert client.get("/dashboard/").status_code == 302
    assert not signed_in(client)
    assert not EmailAddress.objects.get(email=NEW).verified


def test_the_password_without_the_code_gets_another_code(client: Client) -> None:
    sign_up(client)
    elsewhere = Client()
    assert sign_in(elsewhere, NEW)["location"] == "/verify-email/"
    assert not signed_in(elsewhere)
    enter(elsewhere, mailed_code())
    assert signed_in(elsewhere)


def test_a_code_works_in_the_window_that_asked_for_it_and_nowhere_else(client: Client) -> None:
    sign_up(client)
    thief = Client()
    assert enter(thief, mailed_code())["location"] == "/sign-in/"
    assert not signed_in(thief)


def test_a_wrong_code_says_so_and_the_fifth_is_the_last(client: Client) -> None:
    sign_up(client)
    right = mailed_code()
    for _ in range(4):
        assert adapter.WRONG_CODE in words(enter(client, "BBBB-BBBB"))
    assert enter(client, "BBBB-BBBB")["location"] == "/sign-in/"
    assert adapter.TOO_MANY_CODES in words(client.get("/sign-in/"))
    enter(client, right)
    assert not signed_in(client)


def test_a_code_ends_after_a_quarter_of_an_hour(client: Client, clock: time_machine.Traveller) -> None:
    sign_up(client)
    clock.move_to(NOON + timedelta(minutes=15, seconds=1))
    enter(client, mailed_code())
    assert not signed_in(client)


def test_another_code_can_be_asked_for_twice_and_replaces_the_first(client: Client) -> None:
    sign_up(client)
    first = mailed_code()
    for _ in range(2):
        assert "Send another code" in words(client.get("/verify-email/"))
        send(client, "/verify-email/", action="resend")
    assert len({first, mailed_code(1), mailed_code(2)}) == 3
    assert "Send another code" not in words(client.get("/verify-email/"))
    enter(client, first)
    assert not signed_in(client)
    enter(client, mailed_code(2))
    assert signed_in(client)


def test_somebody_else_can_begin_after_changing_their_mind(client: Client) -> None:
    sign_up(client)
    assert send(client, "/sign-out/", next="/sign-in/")["location"] == "/sign-in/"
    assert client.get("/verify-email/")["location"] == "/sign-in/"


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("", PASSWORD, "Enter your e-mail address."),
        ("grace", PASSWORD, "This is not an e-mail address."),
        (NEW, "", "Choose a password."),
        (NEW, "short", "at least 12 characters"),
        (NEW, "password1234", "too common"),
        (NEW, "grace@navy.example", "too similar"),
    ],
)
def test_what_is_missing_is_named_at_its_field(client: Client, email: str, password: str, said: str) -> None:
    page = words(sign_up(client, email, password))
    assert said in page
    assert 'aria-invalid="true"' in page
    assert not User.objects.exists()


# -- what it tells nobody ----------------------------------------------------------------------------


def _shape(response: Any) -> tuple[int, str, str]:
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", words(response))
    return response.status_code, response.get("location", ""), text.replace(NEW, "").replace("ada@acme.example", "")


def test_nobody_learns_whether_an_address_has_an_account(ada: User) -> None:
    """Through every page that follows, as far as one gets without the mail."""
    ways = []
    for email in (NEW, "ada@acme.example"):
        client = Client()
        ways.append(
            [
                _shape(sign_up(client, email)),
                _shape(client.get("/verify-email/")),
                _shape(send(client, "/verify-email/", action="resend")),
                _shape(client.get("/verify-email/")),
                *[_shape(enter(client, "BBBB-BBBB")) for _ in range(5)],
                _shape(client.get("/sign-in/")),
            ]
        )
    assert ways[0] == ways[1]


def test_whoever_has_an_account_hears_of_it_by_mail_alone(client: Client, ada: User) -> None:
    sign_up(client, "ADA@acme.example", ANOTHER)
    (letter,) = mail.outbox
    assert letter.to == ["ada@acme.example"]
    assert "You have an account with this address, so nothing was changed." in str(letter.body)
    assert User.objects.count() == 1
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_a_password_is_hashed_whether_or_not_there_is_an_account(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the time that it takes would tell."""
    hashed: list[str] = []
    monkeypatch.setattr("accounts.forms.make_password", hashed.append)
    sign_up(client, NEW)
    assert hashed == []  # its own was
    sign_up(Client(), "ada@acme.example", ANOTHER)
    assert hashed == [ANOTHER]


def test_whoever_takes_an_address_that_is_not_theirs_loses_it_to_its_owner(client: Client) -> None:
    """The owner resets the password by mail; the code shows that the address is theirs."""
    sign_up(client, NEW, "the password of a squatter")
    owner = Client()
    send(owner, "/reset-password/", email=NEW)
    send(owner, "/reset-password/code/", code=mailed_code())
    send(owner, "/reset-password/new/", password1=ANOTHER)
    assert signed_in(owner)
    assert "do not belong together" in words(sign_in(Client(), NEW, "the password of a squatter"))


# -- for whom ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("open_to", "said"), [("nobody", "makes all accounts"), ("invited", "People are invited to this gateway")]
)
def test_where_it_is_closed_it_is_closed(client: Client, settings: Settings, open_to: str, said: str) -> None:
    settings.SIGN_UP_OPEN = open_to
    assert said in words(client.get("/sign-up/"))
    assert sign_up(client).status_code == 403
    assert not User.objects.exists()
    assert not mail.outbox
    assert 'href="/sign-up/"' not in words(client.get("/sign-in/"))


def _invited(client: Client, rf: RequestFactory, email: str) -> None:
    request = rf.get("/")
    request.session = client.session
    adapter.invite(request, email)
    request.session.save()
    client.cookies["session"] = str(request.session.session_key)


def test_the_invited_sign_up_with_the_address_that_was_invited_and_need_no_code(
    client: Client, rf: RequestFactory, settings: Settings
) -> None:
    settings.SIGN_UP_OPEN = "invited"
    _invited(client, rf, "Grace@navy.example")
    assert f'value="{NEW}"' in words(client.get("/sign-up/"))
    assert "Your invitation is for grace@navy.example." in words(sign_up(client, "other@navy.example"))
    assert sign_up(client)["location"] == "/dashboard/"
    assert signed_in(client)
    assert EmailAddress.objects.get().verified


def test_an_invitation_opens_no_door_that_is_shut(client: Client, rf: RequestFactory, settings: Settings) -> None:
    settings.SIGN_UP_OPEN = "nobody"
    _invited(client, rf, NEW)
    assert sign_up(client).status_code == 403


def test_whoever_is_signed_in_does_not_sign_up(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/sign-up/")["location"] == "/dashboard/"


# -- how often ---------------------------------------------------------------------------------------


def test_an_address_gets_five_mails_an_hour(ada: User) -> None:
    for number in range(5):
        assert sign_up(Client(), "ada@acme.example", address=f"192.0.2.{number}").status_code == 302
    response = sign_up(Client(), "ADA@acme.example", address="192.0.2.200")
    assert response.status_code == 429
    assert int(response["retry-after"]) > 0
    assert len(mail.outbox) == 5


def test_a_network_signs_up_twenty_times_an_hour() -> None:
    for number in range(20):
        assert sign_up(Client(), f"person{number}@navy.example").status_code == 302
    assert sign_up(Client()).status_code == 429
    assert sign_up(Client(), address="198.51.100.7").status_code == 302


def test_codes_are_counted_over_all_windows(client: Client) -> None:
    """So that many windows at once do not make more than a handful of guesses."""
    sign_up(client)
    for _ in range(2):
        for _ in range(5):
            assert enter(client, "BBBB-BBBB").status_code in {200, 302}
        sign_in(client, NEW)
    assert enter(client, mailed_code()).status_code == 429
    assert not signed_in(client)


def test_without_valkey_nobody_signs_up_and_no_code_is_taken(client: Client, settings: Settings) -> None:
    sign_up(client)
    with without_valkey(settings):
        assert sign_up(Client(), "other@navy.example").status_code == 503
        assert enter(client, mailed_code()).status_code == 503
    assert not signed_in(client)
    assert len(mail.outbox) == 1


def test_a_mail_server_that_does_not_answer_is_said_so(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    response = sign_up(client)
    assert response.status_code == 503
    assert "The mail with your code could not be sent." in words(response)
    assert not signed_in(client)


def test_people_made_by_operators_need_no_code(client: Client) -> None:
    make_user("made@navy.example", password=PASSWORD)
    assert sign_in(client, "made@navy.example").headers["location"] == "/dashboard/"
    assert not mail.outbox
