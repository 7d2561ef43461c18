"""What the outbox holds is delivered at least once, each channel by itself, and never silently lost."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Membership, Organization, User
from billing import outbox, periods
from billing.mail import Mail
from billing.models import OutboxMessage
from billing.outbox import DeliveryError
from tests.billing.receiver import make_alert, make_budget
from tests.factories import make_user


class Failing(EmailBackend):
    """A mail server that takes nothing."""

    def send_messages(self, messages: Any) -> int:
        raise SMTPException("no; Bearer abcdefgh-not-yours")


class Other:
    """A second channel, which fails as long as it is told to."""

    name = "other"

    def __init__(self) -> None:
        self.fails = True
        self.sent: list[str] = []

    def addresses(self, message: OutboxMessage) -> list[str]:
        return ["other-1"]

    def send(self, message: OutboxMessage) -> None:
        if self.fails:
            raise DeliveryError("It is away.")
        self.sent.append(message.event)


def make_due() -> None:
    """As after the pause, however long it was."""
    OutboxMessage.objects.filter(sent_at=None).update(due_at=timezone.now())


def run(*channels: outbox.Channel) -> int:
    return outbox.deliver(channels or [Mail()])


@pytest.mark.django_db
def test_a_threshold_is_mailed_once_to_those_who_care_for_money(
    organization: Organization, alice: User, bob: User, charlie: User
) -> None:
    carol, gone = make_user("carol@acme.example"), make_user("gone@acme.example", is_active=False)
    for user, role in ((carol, Membership.Role.BILLING), (gone, Membership.Role.ADMIN)):
        Membership.objects.create(organization=organization, user=user, role=role)
    make_alert(make_budget(organization))
    assert [run(), run()] == [1, 0]
    make_due()
    assert run() == 0
    assert [letter.to for letter in mail.outbox] == [[alice.email, carol.email]]


@pytest.mark.django_db
def test_the_letter_is_plain_and_exact(organization: Organization, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://llm.example.com"
    make_alert(make_budget(organization))
    run()
    letter = mail.outbox[0]
    assert letter.subject == "Acme: budget Team has passed 80 %"
    for words in (
        "$40.12 of $50.00 is spent (80.2 %) this month",
        "It covers everything that the organisation spends.",
        "At 100 % requests that it covers are refused",
        "It resets on 1 December 2026 at 00:00 UTC.",
        "https://llm.example.com/o/acme/billing/",
    ):
        assert words in letter.body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "spent", "words"),
    [
        ({"hard": True}, 50 * 10**9, "Requests that it covers are refused now."),
        ({"hard": True}, 50 * 10**9 - 1, "(99.9 %)"),
        ({"hard": False}, 60 * 10**9, "(120 %)"),
        ({"hard": False}, 60 * 10**9, "Nothing is refused for it, not even above 100 %"),
        ({"period": "total"}, 1, "$0.000000001 of $50.00 is spent (0 %) in all"),
        ({"period": "total"}, 1, "It never resets."),
        ({"period": "week"}, 1, "It resets on 2 November 2026"),
        ({"hard": False, "limit_nano": 0}, 1, "$0.000000001 of $0.00 is spent this month"),
    ],
)
def test_the_letter_says_what_happens(
    organization: Organization, fields: dict[str, Any], spent: int, words: str
) -> None:
    make_alert(make_budget(organization, **fields), spent_nano=spent)
    run()
    assert words in mail.outbox[0].body


@pytest.mark.django_db
def test_a_name_with_line_breaks_cannot_forge_a_header(organization: Organization) -> None:
    make_alert(make_budget(organization, name="Team\nBcc: charlie@stranger.example"))
    run()
    assert mail.outbox[0].subject == "Acme: budget Team Bcc: charlie@stranger.example has passed 80 %"


@pytest.mark.django_db
def test_mail_that_fails_stays_due_later_and_is_not_lost(organization: Organization, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.billing.test_outbox.Failing"
    make_alert(make_budget(organization))
    assert run() == 0
    message = OutboxMessage.objects.get(sent_at=None)
    assert message.address == "mail"
    assert message.due_at > timezone.now() + timedelta(seconds=50)
    assert "SMTPException" in message.last_error
    assert "not-yours" not in message.last_error
    assert run() == 0  # it is not due yet
    assert OutboxMessage.objects.get(pk=message.pk).tries == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    make_due()
    assert run() == 1
    message.refresh_from_db()
    assert (len(mail.outbox), message.last_error, message.tries) == (1, "", 2)


@pytest.mark.django_db
def test_only_the_channel_that_failed_is_tried_again(organization: Organization) -> None:
    alert, other = make_alert(make_budget(organization)), Other()
    run(Mail(), other)
    assert (len(mail.outbox), other.sent) == (1, [])
    other.fails = False
    make_due()
    run(Mail(), other)
    assert (len(mail.outbox), other.sent) == (1, [alert.dedupe])


@pytest.mark.django_db
def test_a_message_is_given_up_after_twenty_tries_and_kept(organization: Organization) -> None:
    make_alert(make_budget(organization))
    other = Other()
    for _ in range(30):
        run(other)
        make_due()
    message = OutboxMessage.objects.get(sent_at=None)
    assert (message.tries, message.state, message.last_error) == (20, "given up", "It is away.")


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [outbox.pause_after(tries) for tries in range(1, 21)]
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=6)


@pytest.mark.django_db
def test_what_nobody_has_words_for_is_kept_for_staff_to_see(organization: Organization) -> None:
    OutboxMessage.objects.create(topic="new.thing", dedupe="x", payload={})
    assert run() == 0
    assert OutboxMessage.objects.get().last_error == "No channel knows what to say of new.thing."


@pytest.mark.django_db
def test_a_violation_is_told_to_staff_and_to_no_customer(organization: Organization, settings: Settings) -> None:
    settings.ADMINS = []
    found = {"wallet": 5, "transfers": 4}
    OutboxMessage.objects.create(topic="ledger.violation", dedupe="v", payload=found, organization_id=organization.pk)
    assert run() == 0
    assert "STAFF_ALERT_EMAILS is empty" in OutboxMessage.objects.get(sent_at=None).last_error
    settings.ADMINS = [("Staff", "staff@example.com")]
    make_due()
    assert run() == 1
    assert [letter.to for letter in mail.outbox] == [["staff@example.com"]]
    assert '"transfers": 4' in mail.outbox[0].body


@pytest.mark.django_db(transaction=True)
def test_two_deliverers_at_once_send_each_message_once(organization: Organization) -> None:
    for level in range(1, 21):
        make_alert(make_budget(organization, name=f"Team {level}"), threshold=level)
    ready = threading.Barrier(4)

    def work() -> None:
        try:
            ready.wait()
            run()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail.outbox) == 20
    assert len({letter.subject for letter in mail.outbox}) == 20
    assert not OutboxMessage.objects.filter(sent_at=None).exists()


@pytest.mark.django_db
def test_a_deliverer_that_dies_leaves_its_message_to_the_next(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_alert(make_budget(organization))
    with monkeypatch.context() as patch:
        patch.setattr("billing.mail.send", _die)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert OutboxMessage.objects.get(sent_at=None).last_error == outbox.UNFINISHED
    assert run() == 0
    make_due()
    assert run() == 1
    assert len(mail.outbox) == 1


def _die(*args: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.django_db
@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
@pytest.mark.parametrize(
    "at", ["2026-01-01T00:00:00", "2026-02-28T23:59:59", "2028-02-29T12:00:00", "2026-12-31T23:00"]
)
def test_periods_are_the_same_here_and_in_the_database(period: str, at: str) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_period_start(%s, %s)", [period, instant])
        start = cursor.fetchone()[0]
        cursor.execute("SELECT billing_period_end(%s, %s)", [period, start])
        end = cursor.fetchone()[0]
    assert (periods.start(period, instant), periods.end(period, start)) == (start, end)
