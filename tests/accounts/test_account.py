"""One's own page, and what is changed from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts import adapter, email_addresses
from accounts.models import User
from accounts.templatetags.moments import browser, codes_left, moment
from tests.accounts.doorway import (
    ANOTHER,
    NOON,
    PASSWORD,
    confirm,
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

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


@pytest.fixture
def inside(client: Client) -> Client:
    """Ada's browser, signed in."""
    sign_in(client)
    return client


def change_email(client: Client, email: str) -> HttpResponse:
    return send(client, "/account/email/", action_add="1", email=email)


def enter(client: Client, code: str) -> HttpResponse:
    return send(client, "/verify-email/", code=code)


def test_the_page_says_who_one_is_and_how_one_signs_in(inside: Client) -> None:
    page = words(inside.get("/account/"))
    assert "Ada@acme.example" in page
    assert "Off. With it, a password alone lets nobody in." in page
    assert "1 open" in page
    assert "Connected accounts" not in page


def test_the_page_says_what_is_asked_for_beside_the_password(inside: Client, ada: User) -> None:
    with_app(ada)
    page = words(inside.get("/account/"))
    assert 'class="dot good">On<' in page
    assert "10 codes left" in page


def test_the_menu_with_the_name_leads_to_it(client: Client, organization: Any, alice: User) -> None:
    client.force_login(alice)
    assert 'href="/account/"' in client.get("/o/acme/billing/").content.decode()


def test_a_page_about_a_person_is_not_kept_by_browsers(inside: Client) -> None:
    for path in ("/account/", "/account/sessions/", "/account/name/", "/account/email/", "/account/password/"):
        assert "no-store" in inside.get(path)["cache-control"], path


def test_a_name_is_changed(inside: Client, ada: User) -> None:
    assert send(inside, "/account/name/", name="Ada Lovelace")["location"] == "/account/"
    assert "Ada Lovelace" in words(inside.get("/account/"))
    assert "A name is one line of letters." in words(send(inside, "/account/name/", name="A\x1bB"))
    ada.refresh_from_db()
    assert ada.name == "Ada Lovelace"


# -- address -----------------------------------------------------------------------------------------


def test_a_new_address_counts_once_its_code_is_entered(inside: Client, ada: User) -> None:
    confirm(inside)
    assert change_email(inside, "Countess@acme.example")["location"] == "/verify-email/"
    ada.refresh_from_db()
    assert ada.email == "Ada@acme.example"
    assert mail.outbox[0].to == ["countess@acme.example"]
    assert enter(inside, mailed_code())["location"] == "/account/"
    ada.refresh_from_db()
    assert ada.email == "countess@acme.example"
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [(ada.email, True, True)]
    assert mail.outbox[-1].to == ["ada@acme.example"]
    assert "from ada@acme.example to countess@acme.example" in str(mail.outbox[-1].body)
    assert not signed_in(_tried(Client(), "ada@acme.example"))
    assert signed_in(_tried(Client(), "countess@acme.example"))


def _tried(client: Client, email: str) -> Client:
    sign_in(client, email)
    return client


def test_an_address_is_not_changed_without_the_password_again(inside: Client, ada: User) -> None:
    assert change_email(inside, "new@acme.example")["location"].startswith("/account/confirm/?next=")
    assert not mail.outbox


def test_an_address_stays_when_no_code_comes(inside: Client, ada: User, clock: time_machine.Traveller) -> None:
    confirm(inside)
    change_email(inside, "new@acme.example")
    code = mailed_code()
    for _ in range(5):
        enter(inside, "BBBB-BBBB")
    enter(inside, code)
    change_email(inside, "new@acme.example")
    clock.move_to(NOON + timedelta(minutes=15, seconds=1))
    enter(inside, mailed_code())
    ada.refresh_from_db()
    assert ada.email == "Ada@acme.example"
    assert EmailAddress.objects.count() == 1


def test_nobody_learns_from_changing_whether_an_address_has_an_account(inside: Client, ada: User) -> None:
    """Only who reads the mail does: with the right code it says why the change cannot be."""
    make_user("bob@acme.example")
    confirm(inside)
    free, taken = (change_email(inside, email) for email in ("free@acme.example", "bob@acme.example"))
    assert (free.status_code, free["location"]) == (taken.status_code, taken["location"])
    assert "bob@acme.example" in words(inside.get("/verify-email/"))
    assert adapter.TAKEN in words(enter(inside, mailed_code()))
    ada.refresh_from_db()
    assert ada.email == "Ada@acme.example"


def test_mail_to_new_addresses_is_bounded(inside: Client) -> None:
    confirm(inside)
    for number in range(5):
        assert change_email(inside, f"new{number}@acme.example").status_code == 302
    assert change_email(inside, "new5@acme.example").status_code == 429
    assert len(mail.outbox) == 5


def test_staff_write_down_an_address_that_counts_at_once(client: Client, ada: User) -> None:
    with_app(ada)
    client.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    fields = {"email": "lovelace@acme.example", "name": "Ada", "is_active": "on"}
    assert client.post(f"/admin/accounts/user/{ada.pk}/change/", fields).status_code == 302
    addresses = EmailAddress.objects.filter(user=ada)
    assert list(addresses.values_list("email", "verified", "primary")) == [("lovelace@acme.example", True, True)]
    assert sign_in(Client(), "lovelace@acme.example")["location"] == "/sign-in/second-factor/"


def test_vouching_twice_changes_nothing(ada: User) -> None:
    email_addresses.vouch_for(ada)
    assert EmailAddress.objects.filter(user=ada).count() == 1


# -- password ----------------------------------------------------------------------------------------


def test_a_new_password_ends_all_other_sessions(inside: Client, ada: User) -> None:
    other = Client()
    sign_in(other)
    response = send(inside, "/account/password/", oldpassword=PASSWORD, password1=ANOTHER)
    assert response["location"] == "/account/"
    assert "Your password is changed." in words(inside.get("/account/"))
    assert other.get("/account/").status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(ANOTHER)
    assert mail.outbox[-1].subject == "Your password was changed"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wrong", ANOTHER, "This is not your password."),
        (PASSWORD, "short", "at least 12 characters"),
        (PASSWORD, "ada@acme.example", "too similar"),
        ("", ANOTHER, "Enter your password."),
    ],
)
def test_a_password_is_not_changed_otherwise(inside: Client, ada: User, old: str, new: str, said: str) -> None:
    assert said in words(send(inside, "/account/password/", oldpassword=old, password1=new))
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_a_stolen_session_guesses_ten_passwords_there_too(inside: Client) -> None:
    for _ in range(10):
        assert send(inside, "/account/password/", oldpassword="wrong", password1=ANOTHER).status_code == 200
    assert send(inside, "/account/password/", oldpassword=PASSWORD, password1=ANOTHER).status_code == 429


def test_who_has_no_password_sets_one(client: Client) -> None:
    user = make_user("none@acme.example")
    client.force_login(user)
    assert client.get("/account/password/")["location"] == "/account/password/first/"
    send(client, "/account/password/first/", password1=ANOTHER)
    user.refresh_from_db()
    assert user.check_password(ANOTHER)


# -- sessions ----------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Client:
    """Ada's phone, signed in too."""
    phone = Client(headers={"User-Agent": SAFARI})
    sign_in(phone, address="198.51.100.7")
    return phone


def test_one_sees_where_one_is_signed_in(inside: Client, elsewhere: Client) -> None:
    page = words(inside.get("/account/sessions/"))
    assert "Safari on iPhone" in page
    assert "198.51.100.7" in page
    assert page.count("in use here") == 1


def test_signing_out_everywhere_leaves_no_session(inside: Client, elsewhere: Client) -> None:
    assert send(inside, "/account/sessions/", session="everywhere")["location"] == "/sign-in/"
    for browser_ in (inside, elsewhere):
        assert browser_.get("/account/")["location"] == "/sign-in/?next=/account/"
    assert not UserSession.objects.exists()


def test_signing_out_everywhere_else_keeps_this_one(inside: Client, elsewhere: Client) -> None:
    send(inside, "/account/sessions/", session="others")
    assert inside.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302


def test_one_session_is_ended(inside: Client, elsewhere: Client) -> None:
    session = UserSession.objects.get(ip="198.51.100.7")
    assert send(inside, "/account/sessions/", session=str(session.pk))["location"] == "/account/sessions/"
    assert elsewhere.get("/account/").status_code == 302
    own = UserSession.objects.get()
    assert send(inside, "/account/sessions/", session=str(own.pk))["location"] == "/sign-in/"
    assert not signed_in(inside)


@pytest.mark.parametrize("which", ["", "0", "-1", "x", "9" * 30, "²"])
def test_a_session_that_is_none_is_not_found(inside: Client, which: str) -> None:
    assert send(inside, "/account/sessions/", session=which).status_code == 404
    assert inside.get("/account/").status_code == 200


def test_nobody_ends_the_sessions_of_others(inside: Client, charlie: User) -> None:
    session = UserSession.objects.get()
    stranger = Client()
    stranger.force_login(charlie)
    assert send(stranger, "/account/sessions/", session=str(session.pk)).status_code == 404
    send(stranger, "/account/sessions/", session="everywhere")
    assert inside.get("/account/").status_code == 200


def test_a_session_knows_when_it_was_last_used(inside: Client, clock: time_machine.Traveller) -> None:
    later = NOON + timedelta(hours=2)
    clock.move_to(later)
    inside.get("/account/", REMOTE_ADDR="203.0.113.5")
    session = UserSession.objects.get()
    assert (session.last_seen_at, session.ip) == (later, "203.0.113.5")


def test_pages_open_while_nobody_can_note_that_they_do(inside: Client, settings: Settings) -> None:
    with without_valkey(settings):
        assert inside.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge on Windows"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown"),
    ],
)
def test_browsers_are_called_as_people_call_them(agent: str, shown: str) -> None:
    assert browser(agent) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(days=29, hours=23), "29 days ago"),
        (timedelta(days=30), "24 October 2026"),
    ],
)
def test_moments_are_told_as_people_tell_them(clock: time_machine.Traveller, ago: timedelta, shown: str) -> None:
    at = datetime.now(UTC) - ago
    assert f">{shown}</time>" in moment(at)
    assert f'title="{at:%Y-%m-%d %H:%M} UTC"' in moment(at)


def test_codes_that_are_left_are_counted_in_words() -> None:
    assert [codes_left(number) for number in (0, 1, 9)] == ["No codes left", "1 code left", "9 codes left"]
