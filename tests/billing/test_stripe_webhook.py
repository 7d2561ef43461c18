"""Credit comes from Stripe's webhook alone, once for a payment, and goes back when Stripe says so."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiKey, AuditEvent, Organization, User
from billing import wallets
from billing.models import Document, OutboxMessage, Payment, PaymentReturn, StripeEvent, Transfer, Wallet
from tests.billing.cards import WEBHOOK, outcome, paid, tell, violations
from tests.billing.moves import DOLLAR, reserve, settle, spend, top_up
from tests.fakes.stripe import Stripe, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(organization: Organization, stripe: Stripe) -> Payment:
    """$25.00, of which Stripe knows."""
    made: Payment = Payment.objects.create(
        organization=organization, kind="checkout", amount_nano=25 * DOLLAR, author="alice@acme.example"
    )
    return made


def credit(client: Client, stripe: Stripe, payment: Payment) -> str:
    """It is paid. The number of its intent."""
    event = paid(stripe, payment)
    assert outcome(client, event) == "credited"
    return str(event["data"]["object"]["id"])


def balance(organization: Organization) -> int:
    return wallets.of(organization).posted_nano


def test_a_payment_is_credited(client: Client, stripe: Stripe, payment: Payment, organization: Organization) -> None:
    intent = credit(client, stripe, payment)
    payment.refresh_from_db()
    entry = Transfer.objects.get()
    assert (entry.kind, entry.ref, entry.amount_nano, entry.debit) == ("topup", intent, 25 * DOLLAR, "cash")
    assert (payment.state, payment.intent, payment.entry_id) == ("paid", intent, entry.pk)
    assert balance(organization) == 25 * DOLLAR
    event = AuditEvent.objects.of(organization).get()
    assert (event.action, event.who, event.details["amount"]) == ("credit.entered", "The system", "$25.00")
    assert OutboxMessage.objects.get().topic == "payment.paid"


def test_an_event_that_comes_again_does_nothing(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    event = paid(stripe, payment)
    told = [outcome(client, event) for _ in range(3)]
    assert told == ["credited", "it was received before", "it was received before"]
    assert balance(organization) == 25 * DOLLAR


def test_several_events_about_one_payment_credit_it_once(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    session = {"id": "cs_1", "object": "checkout.session", "payment_status": "paid", "amount_total": 2500,
               "currency": "usd", "payment_intent": "", "metadata": {"payment": str(payment.token)}}  # fmt: skip
    event = paid(stripe, payment)
    session["payment_intent"] = event["data"]["object"]["id"]
    told = [
        outcome(client, one)
        for one in (
            stripe.event("checkout.session.completed", session), event,
            stripe.event("checkout.session.async_payment_succeeded", session),
        )
    ]  # fmt: skip
    assert told == ["credited", "it was credited before", "it was credited before"]
    assert balance(organization) == 25 * DOLLAR
    assert Document.objects.count() == 1


def test_a_page_that_was_gone_through_without_money_yet_credits_nothing(
    client: Client, stripe: Stripe, payment: Payment
) -> None:
    session = {"object": "checkout.session", "payment_status": "unpaid", "metadata": {"payment": str(payment.token)}}
    assert outcome(client, stripe.event("checkout.session.completed", session)) == "it waits for the money"
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"currency": "eur"}, "not credited: it came in EUR"),
        ({"currency": None}, "not credited: it came in NONE"),
        ({"amount_received": 2499}, "not credited: it came to $24.99"),
        ({"amount_received": 250000}, "not credited: it came to $2500.00"),
        ({"amount_received": None}, "not credited: it came without an amount"),
        ({"amount_received": "2500"}, "not credited: it came without an amount"),
        ({"amount_received": True}, "not credited: it came without an amount"),
        ({"id": ""}, "not credited: it came without an amount"),
    ],
)
def test_what_is_not_what_was_asked_for_is_not_credited_and_staff_are_told(
    client: Client, stripe: Stripe, payment: Payment, changed: dict[str, Any], said: str
) -> None:
    assert outcome(client, paid(stripe, payment, **changed)).startswith(said)
    payment.refresh_from_db()
    assert payment.state == "open"
    assert not Transfer.objects.exists()
    assert OutboxMessage.objects.get().topic == "payment.mismatch"


def test_another_page_than_the_one_that_was_opened_credits_nothing(
    client: Client, stripe: Stripe, payment: Payment
) -> None:
    Payment.objects.update(session="cs_ours")
    session = {"id": "cs_theirs", "object": "checkout.session", "payment_status": "paid", "amount_total": 2500,
               "currency": "usd", "payment_intent": "pi_9", "metadata": {"payment": str(payment.token)}}  # fmt: skip
    said = outcome(client, stripe.event("checkout.session.completed", session))
    assert said == "not credited: it is of another Checkout page"
    assert not Transfer.objects.exists()


def test_a_payment_that_is_paid_twice_is_credited_once_and_staff_are_told(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    credit(client, stripe, payment)
    assert "was paid again" in outcome(client, paid(stripe, payment))
    assert balance(organization) == 25 * DOLLAR
    assert OutboxMessage.objects.filter(topic="payment.mismatch").count() == 1


@pytest.mark.parametrize("metadata", [{}, {"payment": "x"}, {"payment": "01936b2e-4b7e-7c1e-8d26-5c9d3d5b2a10"}, None])
def test_what_others_sell_with_the_same_account_is_left_alone(client: Client, stripe: Stripe, metadata: Any) -> None:
    event = stripe.event("payment_intent.succeeded", stripe.intent(2500, metadata))
    assert outcome(client, event) == "it is no payment of this gateway"
    assert outcome(client, stripe.event("customer.updated", {"id": "cus_1"})) == "nothing is to be done about it"
    assert not OutboxMessage.objects.exists()


def test_a_page_that_expired_is_noted_and_money_that_comes_after_all_is_credited(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    session = {"object": "checkout.session", "metadata": {"payment": str(payment.token)}}
    assert outcome(client, stripe.event("checkout.session.expired", session)) == "noted as expired"
    payment.refresh_from_db()
    assert (payment.state, payment.failure) == ("expired", "The page at Stripe was left open until it expired.")
    credit(client, stripe, payment)
    assert balance(organization) == 25 * DOLLAR
    assert outcome(client, stripe.event("checkout.session.expired", session)) == "it is paid already"


def test_a_card_that_is_declined_on_the_page_leaves_it_open(client: Client, stripe: Stripe, payment: Payment) -> None:
    intent = stripe.intent(2500, {"payment": str(payment.token)})
    assert outcome(client, stripe.event("payment_intent.payment_failed", intent)) == "nothing is to be done about it"
    payment.refresh_from_db()
    assert payment.state == "open"


# -- who may tell -----------------------------------------------------------------------------------


def test_what_stripe_did_not_sign_changes_nothing(client: Client, stripe: Stripe, payment: Payment) -> None:
    event = paid(stripe, payment)
    for signature in ("", signed(b"another body"), signed(b"{}", "whsec_other"), "t=1,v1=00"):
        assert tell(client, event, signature=signature).status_code == 400
    assert not StripeEvent.objects.exists()
    assert not Transfer.objects.exists()


def test_an_old_recording_changes_nothing(client: Client, stripe: Stripe, payment: Payment) -> None:
    body = json.dumps(paid(stripe, payment)).encode()
    assert tell(client, body, signature=signed(body, at=time.time() - 301)).status_code == 400
    assert tell(client, body, signature=signed(body)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"id": "evt_1"}', b'{"id": 1, "type": "x", "data": {"object": {}}}', b"\xff"]
)
def test_what_is_no_event_is_refused(client: Client, stripe: Stripe, body: bytes) -> None:
    assert tell(client, body).status_code == 400
    assert not StripeEvent.objects.exists()


def test_events_of_the_test_mode_are_worth_nothing_with_a_live_key(
    client: Client, stripe: Stripe, payment: Payment, settings: Settings
) -> None:
    event = paid(stripe, payment)
    settings.STRIPE_SECRET_KEY = "sk_live_1"
    assert tell(client, event).status_code == 400
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    assert tell(client, {**event, "livemode": True}).status_code == 400
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("missing", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"])
def test_without_both_secrets_there_is_no_such_address(
    client: Client, stripe: Stripe, payment: Payment, settings: Settings, missing: str
) -> None:
    event = paid(stripe, payment)
    setattr(settings, missing, [] if missing.endswith("S") else "")
    assert tell(client, event).status_code == 404
    assert client.get(WEBHOOK).status_code == 405


def test_a_browser_with_a_session_needs_no_token_and_gets_no_further(
    stripe: Stripe, alice: User, payment: Payment
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(WEBHOOK, "{}", content_type="application/json").status_code == 400


# -- what goes back ---------------------------------------------------------------------------------


def test_a_refund_is_taken_out_once_whatever_is_told_of_it(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    refund = stripe.refund(credit(client, stripe, payment), 1000)
    told = [outcome(client, stripe.event(kind, refund)) for kind in ("refund.created", "refund.updated")]
    assert told == ["taken back", "it is taken already"]
    entry = Transfer.objects.latest("id")
    assert (entry.kind, entry.ref, entry.amount_nano) == ("returned", refund["id"], 10 * DOLLAR)
    assert (entry.debit, entry.credit) == ("wallet", "cash")
    assert balance(organization) == 15 * DOLLAR
    assert [one.label for one in Document.objects.order_by("pk")] == ["R-000001", "C-000001"]
    assert violations() == []


def test_two_refunds_of_a_payment_are_two(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    intent = credit(client, stripe, payment)
    for _ in range(2):
        outcome(client, stripe.event("refund.created", stripe.refund(intent, 500)))
    assert balance(organization) == 15 * DOLLAR


def test_a_refund_that_fails_comes_back(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    refund = stripe.refund(credit(client, stripe, payment), 1000)
    outcome(client, stripe.event("refund.created", refund))
    refund["status"] = "failed"
    told = [outcome(client, stripe.event(kind, refund)) for kind in ("refund.failed", "refund.updated")]
    assert told == ["credited again", "nothing was taken for it"]
    assert balance(organization) == 25 * DOLLAR
    assert violations() == []


def test_a_refund_that_is_told_to_have_failed_before_it_was_told_of_is_nothing(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    refund = stripe.refund(credit(client, stripe, payment), 1000, status="failed")
    assert outcome(client, stripe.event("refund.failed", refund)) == "nothing was taken for it"
    assert outcome(client, stripe.event("refund.created", refund | {"status": "pending"})) == "it is void already"
    assert balance(organization) == 25 * DOLLAR


def test_a_refund_that_is_told_before_its_payment_waits_for_it(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    event = paid(stripe, payment)
    refund = stripe.refund(event["data"]["object"]["id"], 1000)
    assert outcome(client, stripe.event("refund.created", refund)).startswith("kept")
    assert not Wallet.objects.exists()
    assert outcome(client, event) == "credited"
    assert balance(organization) == 15 * DOLLAR
    assert PaymentReturn.objects.get().payment == payment


def test_a_dispute_takes_what_was_spent_already_and_then_requests_are_refused(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization, key: ApiKey, alice: User
) -> None:
    intent = credit(client, stripe, payment)
    for _ in range(20):
        spend(key, DOLLAR)
    dispute = stripe.dispute(intent, 2500)
    assert outcome(client, stripe.event("charge.dispute.funds_withdrawn", dispute)) == "taken back"
    wallet = Wallet.objects.get()
    assert (wallet.posted_nano, wallet.owed_nano, wallet.available_nano) == (-20 * DOLLAR, 20 * DOLLAR, -20 * DOLLAR)
    with pytest.raises(AssertionError):
        reserve(key, 1)
    assert violations() == []
    client.force_login(alice)
    page = client.get("/o/acme/billing/").content.decode()
    assert "Payments by card were taken back after they had been spent" in page
    message = OutboxMessage.objects.get(topic="payment.returned")
    assert message.payload["balance_nano"] == -20 * DOLLAR


def test_a_dispute_that_is_won_comes_back(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    dispute = stripe.dispute(credit(client, stripe, payment), 2500)
    outcome(client, stripe.event("charge.dispute.funds_withdrawn", dispute))
    assert balance(organization) == 0
    assert outcome(client, stripe.event("charge.dispute.funds_reinstated", dispute)) == "credited again"
    assert balance(organization) == 25 * DOLLAR
    assert Wallet.objects.get().owed_nano == 0


def test_what_is_owed_is_paid_by_what_comes_in_and_not_by_what_is_held(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization, key: ApiKey
) -> None:
    intent = credit(client, stripe, payment)
    spend(key, DOLLAR)
    request = reserve(key, 4 * DOLLAR)
    outcome(client, stripe.event("charge.dispute.funds_withdrawn", stripe.dispute(intent, 2500)))
    assert Wallet.objects.get().owed_nano == 5 * DOLLAR
    assert settle(key, request, 3 * DOLLAR) == "new"  # gives its hold back first, and is charged then
    assert balance(organization) == -4 * DOLLAR
    top_up(organization, 3 * DOLLAR, "a")
    assert Wallet.objects.get().owed_nano == DOLLAR
    top_up(organization, 10 * DOLLAR, "b")
    assert Wallet.objects.get().owed_nano == 0
    assert violations() == []
    reserve(key, 9 * DOLLAR)
    with pytest.raises(AssertionError):
        reserve(key, 1)


def test_refunds_of_other_sellers_and_currencies_take_nothing(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization
) -> None:
    intent = credit(client, stripe, payment)
    foreign = stripe.refund(intent, 1000) | {"currency": "eur"}
    assert "another currency" in outcome(client, stripe.event("refund.created", foreign))
    assert outcome(client, stripe.event("refund.created", stripe.refund("pi_other", 1000))).startswith("kept")
    for amount in (0, -5, None, "10"):
        broken = stripe.refund(intent, 1) | {"amount": amount}
        assert outcome(client, stripe.event("refund.created", broken)) == "it is no payment of this gateway"
    assert balance(organization) == 25 * DOLLAR


def test_the_ledger_adds_up_after_all_of_it(
    client: Client, stripe: Stripe, payment: Payment, organization: Organization, key: ApiKey
) -> None:
    intent = credit(client, stripe, payment)
    spend(key, DOLLAR)
    outcome(client, stripe.event("refund.created", stripe.refund(intent, 2500)))
    assert violations() == []
