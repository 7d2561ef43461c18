"""Invitations: for one address, once, for seven days."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from smtplib import SMTPException

import pytest
import time_machine
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts import invitations, letters
from accounts.models import AuditEvent, Invitation, Membership, Organization, User
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


def invite(client: Client, email: str = "dana@acme.example", role: str = "developer") -> str:
    """Send the form. Returns what the page says, or nothing when it was taken."""
    response = client.post("/o/acme/members/invite/", {"email": email, "role": role})
    return html.unescape(response.content.decode())


def link() -> str:
    """Where the newest mail leads."""
    found = re.search(r"(/invitations/[\w-]+/)", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(1)


def sign_in(client: Client, email: str = "Dana@acme.example") -> User:
    user = make_user(email)
    client.force_login(user)
    return user


def test_whoever_is_invited_gets_a_mail_and_joins_with_that_role(owner: Client, organization: Organization) -> None:
    assert invite(owner, role="billing") == ""
    letter = mail.outbox[0]
    assert letter.to == ["dana@acme.example"]
    assert letter.subject == "Alice invites you to Acme"
    assert "as billing" in letter.body
    dana = sign_in(owner)
    assert "Accept the invitation" in owner.get(link()).content.decode()
    assert owner.post(link()).headers["location"] == "/o/acme/members/"
    assert Membership.objects.get(user=dana).role == "billing"
    assert [event.action for event in AuditEvent.objects.order_by("pk")] == ["member.invited", "member.joined"]
    assert AuditEvent.objects.get(action="member.joined").actor == dana


def test_the_token_is_not_kept(owner: Client) -> None:
    invite(owner)
    token = link().split("/")[2]
    kept = Invitation.objects.values().get()
    assert token not in str(kept)
    assert len(bytes(kept["digest"])) == 32


def test_looking_at_it_accepts_nothing(owner: Client) -> None:
    invite(owner)
    dana = sign_in(owner)
    owner.get(link())
    assert not Membership.objects.filter(user=dana).exists()


def test_with_another_address_nobody_gets_in_and_is_told_why(owner: Client, charlie: User) -> None:
    invite(owner)
    owner.force_login(charlie)
    page = owner.get(link()).content.decode()
    assert "You are signed in as charlie@stranger.example, so you cannot accept it." in page
    assert owner.post(link()).status_code == 403
    assert not Membership.objects.filter(user=charlie, organization__slug="acme").exists()
    assert Invitation.objects.get().status == "open"


def test_a_visitor_is_told_which_address_to_sign_in_with_and_comes_back(owner: Client) -> None:
    invite(owner)
    owner.logout()
    page = owner.get(link()).content.decode()
    assert "dana@acme.example" in page
    assert f'href="/sign-in/?next={link()}"' in page
    assert owner.post(link()).status_code == 200
    assert Membership.objects.count() == 2


def test_who_has_no_account_signs_up_with_that_address_and_needs_no_code(owner: Client, settings: Settings) -> None:
    """Where sign-up is for the invited: the mail with the link is the proof that a code would be."""
    settings.SIGN_UP_OPEN = "invited"
    invite(owner)
    visitor = Client()
    assert visitor.get("/sign-up/").status_code == 403
    assert f'href="/sign-up/?next={link()}"' in visitor.get(link()).content.decode()
    fields = {"password1": "a stable is no battery", "next": link()}
    assert (
        b"Your invitation is for dana@acme.example."
        in visitor.post("/sign-up/", {"email": "e@x.org", **fields}).content
    )
    response = visitor.post("/sign-up/", {"email": "Dana@acme.example", **fields})
    assert response.headers["location"] == link()
    assert visitor.post(link()).headers["location"] == "/o/acme/members/"
    assert len(mail.outbox) == 1


def test_an_invitation_opens_no_sign_up_that_is_for_nobody(owner: Client, settings: Settings) -> None:
    settings.SIGN_UP_OPEN = "nobody"
    invite(owner)
    visitor = Client()
    page = visitor.get(link()).content.decode()
    assert "/sign-up/" not in page
    assert "ask the operator of this gateway" in page
    assert visitor.get("/sign-up/").status_code == 403


def test_whoever_is_somebody_else_signs_out_and_comes_back(owner: Client, charlie: User) -> None:
    invite(owner)
    owner.force_login(charlie)
    assert f'name="next" value="{link()}"' in owner.get(link()).content.decode()
    assert owner.post("/sign-out/", {"next": link()}).headers["location"] == link()


def test_it_is_good_once(owner: Client, organization: Organization) -> None:
    invite(owner)
    dana = sign_in(owner)
    owner.post(link())
    assert owner.get(link()).headers["location"] == "/o/acme/members/"
    Membership.objects.filter(user=dana).delete()
    assert owner.post(link()).status_code == 410
    assert not Membership.objects.filter(user=dana).exists()


def test_it_is_good_for_seven_days(owner: Client) -> None:
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        invite(owner)
    dana = make_user("dana@acme.example")
    for at, status in ((timedelta(days=7), 410), (timedelta(days=7, seconds=-1), 302)):
        with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC) + at, tick=False):
            owner.force_login(dana)
            assert owner.post(link()).status_code == status


def test_sending_it_again_makes_the_first_link_worthless_and_lasts_again(owner: Client) -> None:
    invite(owner)
    first = link()
    pk = Invitation.objects.get().pk
    Invitation.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    owner.post(f"/o/acme/members/invitations/{pk}/resend/")
    sign_in(owner)
    assert owner.get(first).status_code == 404
    assert "There is no such invitation" in owner.get(first).content.decode()
    assert owner.post(link()).status_code == 302
    assert AuditEvent.objects.filter(action="invitation.resent").exists()


def test_what_is_revoked_lets_nobody_in(owner: Client) -> None:
    invite(owner)
    pk = Invitation.objects.get().pk
    owner.post(f"/o/acme/members/invitations/{pk}/revoke/")
    assert owner.post(f"/o/acme/members/invitations/{pk}/resend/").status_code == 404
    assert invite(owner) == ""  # the address is free again
    mail.outbox.pop()
    sign_in(owner)
    assert owner.post(link()).status_code == 410
    assert AuditEvent.objects.filter(action="invitation.revoked").exists()


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("BOB@acme.example", "BOB@acme.example is a member already."),
        ("Dana@ACME.example", "is invited already. Send that invitation again, or revoke it first."),
        ("nobody", "This is not an e-mail address."),
        ("", "Enter the address to invite."),
    ],
)
def test_who_cannot_be_invited_is_not_and_the_page_says_why(owner: Client, email: str, said: str) -> None:
    invite(owner)
    assert said in invite(owner, email)
    assert Invitation.objects.count() == len(mail.outbox) == 1


def test_an_admin_invites_no_owners(client: Client, organization: Organization, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role="admin")
    client.force_login(bob)
    assert "Select a valid choice" in invite(client, role="owner")
    assert not Invitation.objects.exists()


def test_when_the_mail_server_is_away_the_invitation_is_there_and_the_page_says_so(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SMTPException

    monkeypatch.setattr(letters, "send", refuse)
    invite(owner)
    assert "did not take the invitation to dana@acme.example" in owner.get("/o/acme/members/").content.decode()
    assert Invitation.objects.get().status == "open"


def test_an_organisation_sends_so_many_an_hour(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "PER_ORGANIZATION", "2/h")
    said = [invite(owner, f"{name}@acme.example") for name in ("one", "two", "three")]
    assert [bool(text) for text in said] == [False, False, True]
    assert "Too many invitations" in said[2]
    assert len(mail.outbox) == 2


def test_a_name_cannot_put_lines_into_the_mail(owner: Client, alice: User, organization: Organization) -> None:
    User.objects.filter(pk=alice.pk).update(name="Alice\r\nBcc: all@example.com")
    Organization.objects.update(name="Acme\nX-Header: y")
    invite(owner)
    assert mail.outbox[0].subject == "Alice Bcc: all@example.com invites you to Acme X-Header: y"
    assert mail.outbox[0].bcc == []


def test_the_address_of_the_page_is_told_to_nobody(owner: Client) -> None:
    invite(owner)
    response = owner.get(link())
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]


def test_a_link_that_was_made_up_leads_nowhere(client: Client) -> None:
    assert client.get("/invitations/xyz/").status_code == 404


def test_nobody_joins_what_is_closed(owner: Client) -> None:
    invite(owner)
    Organization.objects.update(closed_at=datetime(2026, 1, 1, tzinfo=UTC))
    dana = sign_in(owner)
    assert owner.post(link()).status_code == 410
    assert not Membership.objects.filter(user=dana).exists()
