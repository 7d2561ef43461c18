"""What somebody changes about how they sign in: told to them, and to the owners of where they belong."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import security_log
from accounts.models import AuditEvent, Membership, Organization, SecurityEvent, User
from accounts.models_security import SecurityChange
from tests.accounts.doorway import ANOTHER, PASSWORD, app_code, confirm, mailed_code, send, sign_in, with_app, words
from tests.admin.pages import run
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.usefixtures("ada")


@pytest.fixture
def here(ada: User) -> Organization:
    """Where Ada is a developer, and somebody else the owner."""
    return make_organization("here", owner=make_user("owner@here.example"), members={ada: Membership.Role.DEVELOPER})


@pytest.fixture
def at_home(client: Client, here: Organization) -> Client:
    """Signed in, and asked for the password a moment ago."""
    sign_in(client)
    return client


def change_password(client: Client) -> None:
    send(client, "/account/password/", oldpassword=PASSWORD, password1=ANOTHER)


def change_address(client: Client) -> None:
    confirm(client)
    send(client, "/account/email/", email="new@acme.example", action_add="1")
    send(client, "/verify-email/", code=mailed_code())


def remove_app(client: Client) -> None:
    with_app(User.objects.get(email="Ada@acme.example"))
    confirm(client)
    send(client, "/account/authenticator/remove/")


def make_codes(client: Client) -> None:
    with_app(User.objects.get(email="Ada@acme.example"))
    confirm(client)
    send(client, "/account/recovery-codes/new/")


def sign_out_elsewhere(client: Client) -> None:
    sign_in(Client())
    send(client, "/account/sessions/", session="others")


def sign_out_everywhere(client: Client) -> None:
    send(client, "/account/sessions/", session="everywhere")


WAYS: dict[Callable[[Client], None], SecurityChange] = {
    change_password: SecurityChange.PASSWORD_CHANGED,
    change_address: SecurityChange.EMAIL_CHANGED,
    remove_app: SecurityChange.APP_REMOVED,
    make_codes: SecurityChange.CODES_MADE,
    sign_out_elsewhere: SecurityChange.SESSIONS_ENDED,
    sign_out_everywhere: SecurityChange.ALL_SESSIONS_ENDED,
}


@pytest.mark.parametrize(("act", "change"), [pytest.param(act, change, id=change) for act, change in WAYS.items()])
def test_every_change_is_written_down_for_them_and_for_their_organisations(
    at_home: Client,
    here: Organization,
    ada: User,
    act: Callable[[Client], None],
    change: SecurityChange,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        act(at_home)
    assert change in {event.change for event in SecurityEvent.objects.filter(user=ada)}
    events = AuditEvent.objects.of(here).filter(action="member.sign_in")
    event = next(event for event in events if event.details == {"change": change.label})
    assert (event.actor, event.actor_kind, event.address) == (ada, "person", "192.0.2.1")


def test_a_password_that_was_reset_is_written_down_although_nobody_is_signed_in(
    client: Client, here: Organization, ada: User
) -> None:
    send(client, "/reset-password/", email="ada@acme.example")
    send(client, "/reset-password/code/", code=mailed_code())
    send(client, "/reset-password/new/", password1=ANOTHER)
    assert SecurityEvent.objects.get(user=ada).change == SecurityChange.PASSWORD_RESET
    assert AuditEvent.objects.of(here).get(action="member.sign_in").actor == ada


def test_other_organisations_hear_nothing(at_home: Client) -> None:
    elsewhere = make_organization("elsewhere")
    change_password(at_home)
    assert not AuditEvent.objects.of(elsewhere).exists()


def test_the_account_page_lists_ones_own_changes_alone(at_home: Client) -> None:
    SecurityEvent.objects.create(user=make_user(), change=SecurityChange.APP_REMOVED)
    assert "is sent to you by mail" in words(at_home.get("/account/"))
    change_password(at_home)
    page = words(at_home.get("/account/"))
    assert "Changed the password" in page
    assert "at 192.0.2.1" in page
    assert "Removed the authenticator app" not in page


def test_owners_read_it_in_the_audit_log(at_home: Client, here: Organization) -> None:
    change_password(at_home)
    owner = Client()
    owner.force_login(here.memberships.get(role="owner").user)
    page = html.unescape(owner.get("/o/here/audit-log/").content.decode())
    assert "Changed how they sign in" in page
    assert "Changed the password" in page


def test_staff_who_take_second_factors_away_stand_there_as_the_operator(here: Organization, ada: User) -> None:
    with_app(ada)
    staff = Client()
    staff.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    run(staff, "accounts/user", "take_second_factors", ada)
    assert not Authenticator.objects.filter(user=ada).exists()
    event = SecurityEvent.objects.get(user=ada)
    assert (event.change, event.address, event.user_agent) == (SecurityChange.FACTORS_TAKEN, None, "")
    told = AuditEvent.objects.of(here).get(action="member.sign_in")
    assert (told.who, told.target_label) == ("The operator", str(ada))


def test_every_mail_about_such_a_change_has_its_line_in_the_log() -> None:
    """A new release of allauth may tell of another: then it is to be written down as well."""
    templates = Path(settings.BASE_DIR) / "templates"
    notices = {
        path.relative_to(templates).as_posix().removesuffix("_message.txt")
        for path in templates.rglob("email/*_message.txt")
        if "base_notification.txt" in path.read_text(encoding="utf-8")
    }
    never_sent = {"account/email/email_confirm"}  # allauth has the words, and sends them nowhere
    assert set(security_log.BY_LETTER) == notices - never_sent


def test_the_mail_goes_out_as_before(at_home: Client) -> None:
    mail.outbox.clear()
    change_password(at_home)
    assert [letter.subject for letter in mail.outbox] == ["Your password was changed"]


def test_setting_up_an_app_is_written_down(
    at_home: Client, ada: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    confirm(at_home)
    found = re.search(r"\b([A-Z2-7]{32})\b", words(at_home.get("/account/authenticator/")))
    assert found
    with django_capture_on_commit_callbacks(execute=True):
        send(at_home, "/account/authenticator/", code=app_code(secret=found.group(1)))
    changes = set(SecurityEvent.objects.filter(user=ada).values_list("change", flat=True))
    assert SecurityChange.APP_ADDED in changes
