"""The second factor: setting it up, signing in with it, and what stands in for it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import adapter, encryption, second_factors
from accounts.encryption import SealError
from accounts.models import User
from tests.accounts.doorway import (
    NOON,
    PASSWORD,
    SECRET,
    app_code,
    confirm,
    recovery_codes,
    send,
    sign_in,
    signed_in,
    with_app,
    without_valkey,
    words,
)
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("ada")

SECOND = "/sign-in/second-factor/"


def second(client: Client, code: str, **fields: str) -> HttpResponse:
    return send(client, SECOND, code=code, **fields)


# -- on the way in -----------------------------------------------------------------------------------


def test_the_password_alone_lets_nobody_in(client: Client, ada: User) -> None:
    with_app(ada)
    assert sign_in(client)["location"] == SECOND
    assert not signed_in(client)
    assert client.get("/account/").status_code == 302
    assert second(client, app_code())["location"] == "/dashboard/"
    assert signed_in(client)


def test_staff_do_not_get_into_the_admin_without_it(client: Client) -> None:
    root = make_user("root@example.com", password=PASSWORD, is_staff=True, is_superuser=True)
    with_app(root)
    assert sign_in(client, "root@example.com", next="/admin/accounts/user/")["location"] == SECOND
    assert client.get("/admin/").status_code == 302
    assert second(client, app_code())["location"] == "/admin/accounts/user/"
    assert client.get("/admin/").status_code == 200


def test_a_wrong_code_says_so(client: Client, ada: User) -> None:
    with_app(ada)
    sign_in(client)
    assert adapter.WRONG_CODE in words(second(client, "000000"))
    assert not signed_in(client)


def test_a_code_works_once_also_while_it_is_right(client: Client, ada: User, clock: time_machine.Traveller) -> None:
    with_app(ada)
    code = app_code()
    sign_in(client)
    second(client, code)
    assert signed_in(client)
    for later in (0, 20, 40):
        clock.move_to(NOON + timedelta(seconds=later))
        other = Client()
        sign_in(other)
        second(other, code)
        assert not signed_in(other), later


@pytest.mark.parametrize(("seconds", "works"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_half_a_minute(client: Client, ada: User, seconds: int, works: bool) -> None:
    with_app(ada)
    sign_in(client)
    second(client, app_code(NOON + timedelta(seconds=seconds)))
    assert signed_in(client) is works


def test_a_recovery_code_stands_in_once(client: Client, ada: User) -> None:
    with_app(ada)
    code = recovery_codes(ada)[3]
    sign_in(client)
    second(client, code)
    assert signed_in(client)
    other = Client()
    sign_in(other)
    second(other, code)
    assert not signed_in(other)
    assert code not in recovery_codes(ada)
    assert len(recovery_codes(ada)) == 9


def test_the_password_must_be_said_again_after_a_quarter_of_an_hour(
    client: Client, ada: User, clock: time_machine.Traveller
) -> None:
    with_app(ada)
    sign_in(client)
    later = NOON + timedelta(minutes=15, seconds=1)
    clock.move_to(later)
    assert second(client, app_code(later))["location"] == "/sign-in/"
    assert not signed_in(client)


def test_whoever_was_signed_in_is_not_when_somebody_else_begins(client: Client, ada: User) -> None:
    """Bob's browser, in which Ada signs in: between her password and her code nobody is signed in."""
    with_app(ada)
    make_user("bob@acme.example", password=PASSWORD)
    sign_in(client, "bob@acme.example")
    before = client.session.session_key
    assert sign_in(client)["location"] == SECOND
    assert not signed_in(client)
    second(client, app_code())
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert client.session.session_key != before


def test_a_session_from_before_is_not_carried_past_it(client: Client, ada: User) -> None:
    with_app(ada)
    sign_in(client)
    before = client.session.session_key
    second(client, app_code())
    assert client.session.session_key != before


def test_a_way_begun_by_one_is_not_finished_by_another(client: Client, ada: User) -> None:
    """Eve knows her own password and Ada's: her code does not serve for Ada."""
    with_app(ada)
    sign_in(client)
    eve = make_user("eve@acme.example", password=PASSWORD)
    assert sign_in(client, "eve@acme.example")["location"] == "/dashboard/"
    assert client.session["_auth_user_id"] == str(eve.pk)
    assert client.get(SECOND)["location"] == "/dashboard/"


def test_ten_codes_are_tried_in_a_quarter_of_an_hour_from_wherever(ada: User) -> None:
    with_app(ada)
    for number in range(10):
        client = Client()
        sign_in(client, address=f"192.0.2.{number}")
        assert second(client, "000000", address=f"192.0.2.{number}").status_code == 200
    assert second(client, app_code(), address="192.0.2.200").status_code == 429
    assert not signed_in(client)


def test_without_valkey_no_code_is_taken(client: Client, ada: User, settings: Settings) -> None:
    with_app(ada)
    sign_in(client)
    with without_valkey(settings):
        assert second(client, app_code()).status_code == 503
    assert not signed_in(client)


# -- setting it up -----------------------------------------------------------------------------------


def test_it_is_set_up_with_the_password_again_and_a_code_of_the_app(
    client: Client, ada: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    sign_in(client)
    assert client.get("/account/authenticator/")["location"].startswith("/account/confirm/?next=")
    confirm(client)
    page = words(client.get("/account/authenticator/"))
    assert 'src="data:image/svg+xml;base64,' in page
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found
    assert adapter.WRONG_CODE in words(send(client, "/account/authenticator/", code="000000"))
    with django_capture_on_commit_callbacks(execute=True):
        response = send(client, "/account/authenticator/", code=app_code(secret=found.group(1)))
    assert response["location"] == "/account/recovery-codes/"
    codes = recovery_codes(ada)
    assert len(codes) == 10
    page = words(client.get("/account/recovery-codes/"))
    assert all(code in page for code in codes)
    assert "An authenticator app was set up" in [letter.subject for letter in mail.outbox]


def test_the_codes_can_be_kept_as_a_file_and_made_anew(client: Client, ada: User) -> None:
    with_app(ada)
    before = recovery_codes(ada)
    sign_in(client)
    second(client, app_code())
    assert client.get("/account/recovery-codes/download/").status_code == 302
    confirm(client)
    response = client.get("/account/recovery-codes/download/")
    assert response.content.decode().split("\n")[2:12] == before
    assert "no-store" in response["cache-control"]
    send(client, "/account/recovery-codes/new/")
    assert not set(before) & set(recovery_codes(ada))


def test_it_is_removed_with_the_password_again_and_takes_the_codes_along(client: Client, ada: User) -> None:
    with_app(ada)
    sign_in(client)
    second(client, app_code())
    assert send(client, "/account/authenticator/remove/")["location"].startswith("/account/confirm/")
    assert Authenticator.objects.count() == 2
    confirm(client)
    assert send(client, "/account/authenticator/remove/")["location"] == "/account/second-factor/"
    assert not Authenticator.objects.exists()
    assert mail.outbox[-1].subject == "The authenticator app was removed"


def test_what_was_begun_goes_on_by_itself_once_it_is_clear_who_does_it(client: Client, ada: User) -> None:
    with_app(ada)
    sign_in(client)
    second(client, app_code())
    send(client, "/account/authenticator/remove/")
    send(client, "/account/confirm/", password=PASSWORD, next="/account/authenticator/remove/")
    assert not Authenticator.objects.exists()


def test_it_is_clear_for_ten_minutes_who_somebody_is(client: Client, clock: time_machine.Traveller) -> None:
    sign_in(client)
    confirm(client)
    clock.move_to(NOON + timedelta(minutes=9, seconds=59))
    assert client.get("/account/authenticator/").status_code == 200
    clock.move_to(NOON + timedelta(minutes=10, seconds=1))
    assert client.get("/account/authenticator/").status_code == 302


def test_a_code_confirms_as_the_password_does(client: Client, ada: User, clock: time_machine.Traveller) -> None:
    with_app(ada)
    sign_in(client)
    second(client, app_code())
    later = NOON + timedelta(minutes=5)
    clock.move_to(later)
    assert send(client, "/account/confirm/code/", code=app_code(later)).status_code == 302
    assert client.get("/account/recovery-codes/").status_code == 200


def test_a_stolen_session_guesses_ten_passwords(client: Client) -> None:
    sign_in(client)
    for _ in range(10):
        assert "This is not your password." in words(send(client, "/account/confirm/", password="wrong"))
    assert send(client, "/account/confirm/", password=PASSWORD).status_code == 429


def test_one_sees_no_codes_of_anybody_else(client: Client, ada: User) -> None:
    with_app(ada)
    make_user("charlie@stranger.example", password=PASSWORD)
    sign_in(client, "charlie@stranger.example")
    assert client.get("/account/recovery-codes/").status_code == 404
    assert client.get("/account/recovery-codes/download/").status_code == 404
    assert send(client, "/account/authenticator/remove/").status_code == 404


# -- what is kept ------------------------------------------------------------------------------------


def test_no_secret_is_in_the_database(ada: User) -> None:
    with_app(ada)
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in kept
    assert kept.count("'sealed:1:") == 2


def test_secrets_move_to_the_newest_key(client: Client, ada: User, settings: Settings) -> None:
    with_app(ada)
    codes = recovery_codes(ada)
    settings.CREDENTIAL_KEYS = f"2:{Fernet.generate_key().decode()},{settings.CREDENTIAL_KEYS}"
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS.split(",")[0]
    assert recovery_codes(ada) == codes
    sign_in(client)
    second(client, app_code())
    assert signed_in(client)
    app = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert not second_factors.renew(app)


def test_a_secret_opens_for_its_purpose_alone(settings: Settings) -> None:
    sealed = encryption.seal("one", "text")
    assert encryption.unseal("one", sealed) == "text"
    with pytest.raises(SealError, match="moved"):
        encryption.unseal("other", sealed)
    with pytest.raises(SealError, match="does not open"):
        encryption.unseal("one", sealed[:-4] + "AAA=")
    settings.CREDENTIAL_KEYS = f"9:{Fernet.generate_key().decode()}"
    with pytest.raises(SealError, match="not in CREDENTIAL_KEYS"):
        encryption.unseal("one", sealed)


def test_staff_take_it_away_from_whoever_lost_it(client: Client, ada: User) -> None:
    with_app(ada)
    client.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    fields = {"action": "take_second_factors", "_selected_action": str(ada.pk)}
    page = words(client.post("/admin/accounts/user/", fields, follow=True))
    assert "signs in without a second factor now" in page
    assert "Took away the second factors." in words(client.get(f"/admin/accounts/user/{ada.pk}/history/"))
    assert not Authenticator.objects.exists()


def test_staff_who_are_no_superusers_take_nothing_from_one_who_is(client: Client) -> None:
    root = make_user("root@example.com", is_staff=True, is_superuser=True)
    with_app(root)
    helper = make_user("helper@example.com", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(helper)
    fields = {"action": "take_second_factors", "_selected_action": str(root.pk)}
    client.post("/admin/accounts/user/", fields)
    assert Authenticator.objects.filter(user=root).count() == 2
