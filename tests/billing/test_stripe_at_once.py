"""What Stripe tells at the same moment comes to the same as one after the other."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from accounts.models import Organization
from billing import wallets
from billing.models import Document, Payment, Transfer
from tests.billing.cards import outcome, paid
from tests.billing.moves import DOLLAR
from tests.fakes.stripe import Stripe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payment(organization: Organization, stripe: Stripe) -> Payment:
    """$25.00, of which Stripe knows."""
    made: Payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=25 * DOLLAR)
    return made


def balance(organization: Organization) -> int:
    return wallets.of(organization).posted_nano


def at_once(*work: Any) -> None:
    start = threading.Barrier(len(work))

    def run(one: Any) -> None:
        start.wait()
        try:
            one()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_same_event_at_the_same_moment_credits_once(
    stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    event, told = paid(stripe, payment), []
    at_once(*[lambda: told.append(outcome(Client(), event))] * 6)
    assert sorted(told) == ["credited"] + ["it was received before"] * 5
    assert balance(organization) == 25 * DOLLAR
    assert Transfer.objects.count() == 1


def test_different_events_of_one_payment_at_the_same_moment_credit_once(
    stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    thing, told = paid(stripe, payment)["data"]["object"], []
    events = [stripe.event("payment_intent.succeeded", thing) for _ in range(6)]
    at_once(*[lambda event=event: told.append(outcome(Client(), event)) for event in events])
    assert sorted(told) == ["credited"] + ["it was credited before"] * 5
    assert balance(organization) == 25 * DOLLAR


def test_a_payment_and_its_refund_at_the_same_moment_come_to_their_difference(
    stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    event = paid(stripe, payment)
    refund = stripe.event("refund.created", stripe.refund(event["data"]["object"]["id"], 1000))
    at_once(lambda: outcome(Client(), event), lambda: outcome(Client(), refund))
    assert balance(organization) == 15 * DOLLAR


def test_numbers_of_documents_have_no_gap_when_many_are_issued_at_the_same_moment(
    stripe: Stripe, organization: Organization
) -> None:
    found = [
        Payment.objects.create(organization=organization, kind="checkout", amount_nano=25 * DOLLAR) for _ in range(6)
    ]
    events = [paid(stripe, one) for one in found]
    at_once(*[lambda event=event: outcome(Client(), event) for event in events])
    assert sorted(Document.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]
