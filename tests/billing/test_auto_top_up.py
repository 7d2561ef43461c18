"""A saved card is charged when the balance is low: once at a time, never beyond what was agreed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import ApiKey, AuditEvent, Organization
from billing import auto_top_up, outbox, tasks, wallets
from billing.mail import Mail
from billing.models import BillingProfile, OutboxMessage, Payment
from billing.stripe import requests
from tests.billing.cards import make_profile, outcome
from tests.billing.moves import DOLLAR, reserve, top_up
from tests.fakes.stripe import Stripe

pytestmark = pytest.mark.django_db
CHARGES = "/v1/payment_intents"


@pytest.fixture
def profile(organization: Organization) -> BillingProfile:
    """$5.00 are there; below $10.00, $50.00 are charged, up to $100.00 a month."""
    top_up(organization, 5 * DOLLAR)
    return make_profile(organization)


def credit(client: Client, stripe: Stripe) -> str:
    """What Stripe tells of the newest charge."""
    *_, intent = stripe.intents.values()
    return outcome(client, stripe.event("payment_intent.succeeded", intent))


def test_a_low_balance_is_topped_up_and_credited_by_webhook(
    client: Client, stripe: Stripe, profile: BillingProfile, organization: Organization
) -> None:
    tasks.top_up()
    (asked,) = stripe.of(CHARGES)
    payment = Payment.objects.get()
    told = {name: asked.fields[name] for name in ("amount", "currency", "customer", "payment_method", "off_session")}
    assert told == {
        "amount": "5000", "currency": "usd", "customer": "cus_1", "payment_method": "pm_1", "off_session": "true"
    }  # fmt: skip
    assert asked.headers["idempotency-key"] == f"automatic-{payment.token}"
    assert (payment.kind, payment.state) == ("automatic", "open")
    assert wallets.of(organization).posted_nano == 5 * DOLLAR
    assert credit(client, stripe) == "credited"
    assert wallets.of(organization).posted_nano == 55 * DOLLAR
    assert auto_top_up.run() == 0


def test_while_one_is_on_its_way_no_other_is_charged(stripe: Stripe, profile: BillingProfile) -> None:
    assert [auto_top_up.run() for _ in range(3)] == [1, 0, 0]
    Payment.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert auto_top_up.run() == 0  # Stripe has answered; its webhook is waited for
    assert len(stripe.of(CHARGES)) == 1


def test_the_database_knows_no_two_at_once(profile: BillingProfile, organization: Organization) -> None:
    known = {"organization": organization, "kind": "automatic", "amount_nano": DOLLAR}
    Payment.objects.create(**known)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(**known)
    Payment.objects.create(**{**known, "kind": "checkout"})


def test_what_is_held_is_not_there(
    stripe: Stripe, profile: BillingProfile, key: ApiKey, organization: Organization
) -> None:
    top_up(organization, 7 * DOLLAR, "more")
    assert auto_top_up.run() == 0
    reserve(key, 3 * DOLLAR)
    assert auto_top_up.run() == 1


@pytest.mark.parametrize("off", ["automatic", "method", "closed", "suspended", "stripe"])
def test_nobody_is_charged_who_did_not_agree(
    stripe: Stripe, profile: BillingProfile, organization: Organization, settings: Settings, off: str
) -> None:
    if off == "stripe":
        settings.STRIPE_SECRET_KEY = ""
    elif off in {"closed", "suspended"}:
        Organization.objects.filter(pk=organization.pk).update(**{f"{off}_at": timezone.now()})
    else:
        BillingProfile.objects.update(**{off: "" if off == "method" else False})
    assert auto_top_up.run() == 0
    assert stripe.asked == []


def test_a_card_that_is_declined_switches_it_off_and_people_hear_of_it(
    client: Client, stripe: Stripe, profile: BillingProfile, organization: Organization, mailoutbox: list[Any]
) -> None:
    stripe.declines = "insufficient_funds"
    assert [auto_top_up.run() for _ in range(2)] == [1, 0]
    profile.refresh_from_db()
    assert (profile.automatic, profile.stopped) == (False, "Your card was declined.")
    payment = Payment.objects.get()
    assert (payment.state, payment.failure) == ("failed", "Your card was declined.")
    event = AuditEvent.objects.of(organization).get()
    assert (event.action, event.who) == ("top_up.changed", "The system")
    outbox.deliver([Mail()])
    (mail,) = mailoutbox
    assert mail.subject == "Acme: automatic top-ups are switched off"
    assert mail.to == ["alice@acme.example"]
    assert "Your card was declined." in mail.body
    failed = stripe.event("payment_intent.payment_failed", stripe.intents[payment.intent or ""])
    assert outcome(client, failed) == "it is failed already"
    assert OutboxMessage.objects.filter(topic="top_up.stopped").count() == 2  # the message, and its mail


def test_a_charge_that_fails_later_switches_it_off_too(client: Client, stripe: Stripe, profile: BillingProfile) -> None:
    auto_top_up.run()
    *_, intent = stripe.intents.values()
    failed = intent | {"last_payment_error": {"message": "The bank said no."}}
    assert outcome(client, stripe.event("payment_intent.payment_failed", failed)) == "noted as failed"
    profile.refresh_from_db()
    assert (profile.automatic, profile.stopped) == (False, "The bank said no.")


def test_a_month_is_never_charged_more_than_was_agreed(
    client: Client, stripe: Stripe, profile: BillingProfile, organization: Organization, mailoutbox: list[Any]
) -> None:
    BillingProfile.objects.update(below_nano=1000 * DOLLAR)
    for expected in (1, 1, 0, 0):
        assert auto_top_up.run() == expected
        if expected:
            credit(client, stripe)
    assert wallets.of(organization).posted_nano == 105 * DOLLAR
    outbox.deliver([Mail()])
    assert [mail.subject for mail in mailoutbox][-1] == "Acme: the month's limit of automatic top-ups is reached"
    assert len(mailoutbox) == 3
    BillingProfile.objects.update(cap_nano=150 * DOLLAR)
    assert auto_top_up.run() == 1


def test_an_answer_that_was_lost_is_asked_for_again_and_charges_once(
    client: Client, stripe: Stripe, profile: BillingProfile, organization: Organization
) -> None:
    stripe.down = 1
    assert auto_top_up.run() == 1
    assert Payment.objects.get().state == "open"
    assert auto_top_up.run() == 0  # not at once
    Payment.objects.update(asked_at=timezone.now() - timedelta(minutes=3))
    assert auto_top_up.run() == 1
    assert len(stripe.intents) == 1
    credit(client, stripe)
    assert wallets.of(organization).posted_nano == 55 * DOLLAR


def test_a_worker_that_dies_after_it_asked_charges_once(
    stripe: Stripe, profile: BillingProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests.charge

    def dies(payment: Payment, known: BillingProfile) -> tuple[str, str]:
        asked(payment, known)
        raise KeyboardInterrupt

    monkeypatch.setattr(requests, "charge", dies)
    with pytest.raises(KeyboardInterrupt):
        auto_top_up.run()
    monkeypatch.setattr(requests, "charge", asked)
    Payment.objects.update(asked_at=timezone.now() - timedelta(minutes=3))
    assert auto_top_up.run() == 1
    assert len(stripe.intents) == 1


def test_what_was_not_answered_for_a_day_is_given_up_and_staff_look(
    stripe: Stripe, profile: BillingProfile, settings: Settings
) -> None:
    settings.STRIPE_API_URL = "http://127.0.0.1:1"
    assert auto_top_up.run() == 1
    long_ago = timezone.now() - timedelta(hours=21)
    Payment.objects.update(asked_at=long_ago, created_at=long_ago)
    assert auto_top_up.run() == 0
    profile.refresh_from_db()
    assert (profile.automatic, profile.stopped) == (False, "Stripe could not be reached for a day.")
    assert {"top_up.stopped", "payment.mismatch"} == set(OutboxMessage.objects.values_list("topic", flat=True))


def test_money_that_comes_after_it_was_given_up_is_credited(
    client: Client, stripe: Stripe, profile: BillingProfile, organization: Organization
) -> None:
    auto_top_up.run()
    Payment.objects.update(state="failed")
    assert credit(client, stripe) == "credited"
    assert wallets.of(organization).posted_nano == 55 * DOLLAR


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_the_same_moment_charge_once(stripe: Stripe, profile: BillingProfile) -> None:
    start, asked = threading.Barrier(6), []

    def work() -> None:
        start.wait()
        try:
            asked.append(auto_top_up.run())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(asked) == 1
    assert len(stripe.intents) == 1
    assert Payment.objects.count() == 1
