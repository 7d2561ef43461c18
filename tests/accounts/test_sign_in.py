"""Signing in and out, and how often somebody may try."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import IntegrityError
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts import attempts
from accounts.addresses import client_network
from accounts.models import User
from tests.accounts.doorway import PASSWORD, sign_in, signed_in, without_valkey
from tests.factories import make_user

WRONG = "This e-mail address and this password do not belong together."


pytestmark = pytest.mark.usefixtures("at_the_door")


def test_the_right_password_signs_in(client: Client, ada: User) -> None:
    response = sign_in(client)
    assert (response.status_code, response.headers["location"]) == (302, "/dashboard/")
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_staff_are_led_to_the_admin(client: Client, db: None) -> None:
    make_user("staff@example.com", password=PASSWORD, is_staff=True)
    assert sign_in(client, "staff@example.com").headers["location"] == "/admin/"


def test_the_address_may_be_written_in_any_case(client: Client, ada: User) -> None:
    sign_in(client, "ADA@ACME.EXAMPLE")
    assert signed_in(client)


def test_a_page_that_was_asked_for_comes_next(client: Client, ada: User) -> None:
    assert sign_in(client, next="/docs/errors/").headers["location"] == "/docs/errors/"
    assert 'name="next" value="/docs/errors/"' in client.get("/sign-in/?next=/docs/errors/").content.decode()


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "https:evil",
    ],
)
def test_nobody_is_led_to_another_site(client: Client, ada: User, target: str) -> None:
    assert sign_in(client, next=target).headers["location"] == "/dashboard/"


def test_a_session_is_not_carried_over_from_before(client: Client, ada: User) -> None:
    client.get("/sign-in/")
    session = client.session
    session["from before"] = True
    session.save()
    before = session.session_key
    client.cookies["session"] = str(before)
    sign_in(client)
    assert signed_in(client)
    assert client.session.session_key != before


def test_nobody_learns_whether_an_account_exists(client: Client, ada: User) -> None:
    make_user("gone@acme.example", password=PASSWORD, is_active=False)
    pages = {
        re.sub(
            r'name="csrfmiddlewaretoken" value="\w+"', "", sign_in(client, email, password).content.decode()
        ).replace(email, "")
        for email, password in [
            ("ada@acme.example", "wrong"),
            ("nobody@acme.example", "wrong"),
            ("gone@acme.example", PASSWORD),
        ]
    }
    (page,) = pages
    assert WRONG in page
    assert not signed_in(client)


def test_a_wrong_attempt_keeps_the_address_but_never_the_password(client: Client, ada: User) -> None:
    page = sign_in(client, password="wrong-and-secret").content.decode()
    assert 'value="ada@acme.example"' in page
    assert "wrong-and-secret" not in page
    assert 'role="alert"' in page


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("", PASSWORD, "Enter your e-mail address."),
        ("ada@acme.example", "", "Enter your password."),
        ("ada", PASSWORD, "This is not an e-mail address."),
        ("ada\x00@acme.example", PASSWORD, "Null characters are not allowed."),
    ],
)
def test_what_is_missing_is_named_at_its_field(client: Client, ada: User, email: str, password: str, said: str) -> None:
    page = sign_in(client, email, password).content.decode()
    assert said in page
    assert 'aria-invalid="true"' in page
    assert not signed_in(client)


def test_a_form_from_another_site_is_refused(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    response = sign_in(client)
    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()
    assert not signed_in(client)


def test_a_page_about_a_person_is_not_kept_by_browsers(client: Client, ada: User) -> None:
    assert "no-store" in client.get("/sign-in/").headers["cache-control"]


def test_whoever_is_signed_in_already_is_told_so(client: Client, ada: User) -> None:
    """And not sent away: staff-only pages lead people here who may not see them, and would lead them in circles."""
    client.force_login(ada)
    response = client.get("/sign-in/?next=/admin/")
    assert response.status_code == 200
    assert "You are signed in as Ada@acme.example." in response.content.decode()


def test_signing_out_is_asked_about_and_then_done(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert "You are signed in as Ada@acme.example." in client.get("/sign-out/").content.decode()
    assert signed_in(client)
    response = client.post("/sign-out/")
    assert (response.status_code, response.headers["location"]) == (302, "/")
    assert not signed_in(client)


def test_another_site_cannot_sign_anybody_out(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post("/sign-out/").status_code == 403
    assert signed_in(client)


# -- how often ---------------------------------------------------------------------------------------


def test_an_account_may_be_tried_ten_times_from_wherever(client: Client, ada: User) -> None:
    for number in range(10):
        assert sign_in(client, password="wrong", address=f"192.0.2.{number}").status_code == 200
    response = sign_in(client, address="192.0.2.200")
    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 15 * 60
    assert "Too many attempts" in response.content.decode()
    assert not signed_in(client)


def test_how_an_account_is_written_does_not_matter_to_the_count(client: Client, ada: User) -> None:
    for number in range(10):
        email = "ADA@acme.example" if number % 2 else " ada@acme.example"
        sign_in(client, email, "wrong", address=f"192.0.2.{number}")
    assert sign_in(client, address="192.0.2.200").status_code == 429


def test_a_network_may_try_twenty_times_whatever_account(client: Client, ada: User) -> None:
    for number in range(20):
        assert sign_in(client, f"person{number}@acme.example", "wrong").status_code == 200
    assert sign_in(client).status_code == 429
    assert sign_in(client, address="198.51.100.7").status_code == 302


def test_a_network_that_is_locked_out_locks_nobody_out(client: Client, ada: User) -> None:
    for number in range(20):
        sign_in(client, f"person{number}@acme.example", "wrong")
    for _ in range(15):
        assert sign_in(client, password="wrong").status_code == 429
    assert sign_in(client, address="198.51.100.7").status_code == 302


def test_the_count_ends(client: Client, ada: User) -> None:
    for number in range(11):
        sign_in(client, password="wrong", address=f"192.0.2.{number}")
    with time_machine.travel(datetime(2026, 11, 23, 12, 16, tzinfo=UTC), tick=False):
        assert sign_in(client).status_code == 302


def test_without_valkey_nobody_signs_in(client: Client, ada: User, settings: Settings) -> None:
    with without_valkey(settings):
        response = sign_in(client)
    assert response.status_code == 503
    assert "The API is not affected." in response.content.decode()
    assert not signed_in(client)


def test_a_count_that_is_lost_is_not_taken_for_none(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "get_usage", lambda *_, **__: {"should_limit": True, "time_left": -1})
    with pytest.raises(attempts.AttemptsUnknownError):
        attempts.count(rf.post("/sign-in/"), attempts.SIGN_IN, "ada@acme.example")


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("192.0.2.1", "", "192.0.2.1/32"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1/32"),  # not a proxy of ours: its claim is nothing to us
        ("10.0.0.1", "203.0.113.9", "203.0.113.9/32"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9/32"),  # what a caller put in front is ignored
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9/32"),
        ("10.0.0.1", "", "10.0.0.1/32"),
        ("10.0.0.1", "not an address", "not an address"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", "192.0.2.1/32"),
    ],
)
def test_attempts_are_counted_by_the_network_they_come_from(
    rf: RequestFactory, settings: Settings, peer: str, forwarded: str, network: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_network(rf.get("/", REMOTE_ADDR=peer, headers=headers)) == network


def test_the_admin_has_no_way_in_of_its_own(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/accounts/")
    assert answer.status_code == 302
    assert answer["Location"] == "/sign-in/?next=/admin/accounts/"


@pytest.mark.django_db
def test_an_address_is_the_same_in_any_case() -> None:
    made = User.objects.create_user("Ada@Example.com", "a long password of ours")
    assert User.objects.get_by_natural_key("ada@EXAMPLE.com") == made
    with pytest.raises(IntegrityError):
        User.objects.create_user("ADA@example.com", "a long password of ours")
