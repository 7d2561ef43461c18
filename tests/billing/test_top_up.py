"""Members pay on Stripe's page; what our pages show of it is what the webhook told."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Organization, User
from billing import outbox, wallets
from billing.mail import Mail
from billing.models import BillingProfile, Payment, Transfer
from tests.billing.cards import make_profile, outcome, tell
from tests.billing.moves import DOLLAR
from tests.fakes.stripe import SECRET_KEY, Stripe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
PAGE = "/o/acme/billing/top-up/"
AUTOMATIC = "/o/acme/billing/automatic/"


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


def words(client: Client, path: str) -> str:
    page = html.unescape(client.get(path).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def begin(client: Client, amount: str = "25", **more: str) -> tuple[Payment, str]:
    """The payment, and the session at Stripe that the browser was sent to."""
    response = client.post(PAGE, {"amount": amount, **more})
    assert response.status_code == 302, response.content.decode()
    return Payment.objects.latest("id"), response.headers["location"].rsplit("/", 1)[1]


def test_somebody_pays_and_has_the_credit(owner: Client, stripe: Stripe, organization: Organization) -> None:
    payment, session = begin(owner, "$1,234.56", saves_method="on")
    (asked,) = stripe.of("/v1/checkout/sessions")
    line = asked.fields["line_items"]["0"]
    assert (line["price_data"]["unit_amount"], line["price_data"]["currency"], line["quantity"]) == (
        "123456",
        "usd",
        "1",
    )
    assert asked.fields["payment_intent_data"]["setup_future_usage"] == "off_session"
    assert asked.fields["success_url"].endswith(f"/o/acme/billing/payments/{payment.pk}/")
    page = f"/o/acme/billing/payments/{payment.pk}/"
    assert "Waiting for Stripe" in words(owner, page)
    assert 'hx-trigger="every 3s"' in owner.get(page).content.decode()
    assert not Transfer.objects.exists()
    assert outcome(owner, stripe.event("checkout.session.completed", stripe.pay(session))) == "credited"
    assert wallets.of(organization).posted_nano == 1_234_560_000_000
    shown = words(owner, page)
    assert "Paid and credited" in shown
    assert "Receipt R-000001" in shown
    assert "hx-trigger" not in owner.get(page).content.decode()
    started = AuditEvent.objects.of(organization).get(action="top_up.started")
    assert (started.actor_label, started.details) == ("alice@acme.example", {"amount": "$1,234.56"})


def test_a_browser_that_comes_back_credits_nothing(owner: Client, stripe: Stripe) -> None:
    payment, session = begin(owner)
    for path in ("", "?cancelled=1", f"?session_id={session}&success=true"):
        owner.get(f"/o/acme/billing/payments/{payment.pk}/{path}")
    assert "Nothing was charged, and nothing is credited." in words(
        owner, f"/o/acme/billing/payments/{payment.pk}/?cancelled=1"
    )
    assert not Transfer.objects.exists()


def test_an_organisation_is_one_customer_at_stripe(owner: Client, stripe: Stripe) -> None:
    for _ in range(3):
        begin(owner)
    assert len(stripe.of("/v1/customers")) == 1
    assert {one.fields["customer"] for one in stripe.of("/v1/checkout/sessions")} == {
        BillingProfile.objects.get().customer
    }


def test_stripe_is_asked_as_its_api_wants_to_be(owner: Client, stripe: Stripe) -> None:
    payment, _ = begin(owner)
    (asked,) = stripe.of("/v1/checkout/sessions")
    assert asked.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert asked.headers["idempotency-key"] == f"checkout-{payment.token}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\w+", asked.headers["stripe-version"])
    assert "setup_future_usage" not in asked.fields["payment_intent_data"]


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("", "Say how much."), ("4.99", "Give at least $5.00."), ("5000.01", "Give at most $5,000.00."),
        ("9.999", "Give whole cents."), ("12,50", "is not an amount"), ("-5", "not below zero"),
        ("NaN", "is not an amount"),
    ],
)  # fmt: skip
def test_amounts_out_of_range_are_not_paid(owner: Client, stripe: Stripe, amount: str, said: str) -> None:
    response = owner.post(PAGE, {"amount": amount})
    assert said in html.unescape(response.content.decode())
    assert not Payment.objects.exists()
    assert stripe.asked == []


def test_the_page_may_send_its_form_to_stripe_and_no_other_page_may(owner: Client, stripe: Stripe) -> None:
    assert "form-action 'self' https://checkout.stripe.com" in owner.get(PAGE)["Content-Security-Policy"]
    assert "stripe" not in owner.get("/o/acme/billing/")["Content-Security-Policy"]


@pytest.mark.parametrize("down", [True, False])
def test_when_stripe_opens_no_page_nothing_is_owed(
    owner: Client, stripe: Stripe, settings: Settings, *, down: bool
) -> None:
    if down:
        settings.STRIPE_API_URL = "http://127.0.0.1:1"
    else:
        settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    page = html.unescape(owner.post(PAGE, {"amount": "25"}).content.decode())
    assert "Nothing was charged" in page
    assert "sk_test" not in page
    assert Payment.objects.get().state == "failed"


def test_without_stripe_the_page_says_whom_to_ask(owner: Client) -> None:
    assert "This gateway takes no cards" in words(owner, PAGE)
    assert owner.post(PAGE, {"amount": "25"}).status_code == 200
    assert not Payment.objects.exists()
    assert "Top up" not in words(owner, "/o/acme/billing/").replace("Top-up", "")


def test_a_developer_looks_and_does_not_pay(
    client: Client, bob: User, stripe: Stripe, organization: Organization
) -> None:
    client.force_login(bob)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"amount": "25"}).status_code == 403
    assert client.post("/o/acme/billing/automatic/forget/").status_code == 403
    payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=DOLLAR)
    assert client.get(f"/o/acme/billing/payments/{payment.pk}/").status_code == 200


def test_payments_of_others_are_not_there(client: Client, charlie: User, organization: Organization) -> None:
    payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=DOLLAR)
    client.force_login(charlie)
    assert client.get(f"/o/stranger/billing/payments/{payment.pk}/").status_code == 404
    assert client.get(f"/o/acme/billing/payments/{payment.pk}/").status_code == 404


def test_too_many_payments_are_not_begun(owner: Client, stripe: Stripe) -> None:
    for _ in range(20):
        begin(owner)
    assert owner.post(PAGE, {"amount": "25"}).status_code == 429


# -- the saved card ---------------------------------------------------------------------------------


def test_a_card_is_saved_when_that_was_asked_for_and_not_otherwise(owner: Client, stripe: Stripe) -> None:
    for saves in ({}, {"saves_method": "on"}):
        _, session = begin(owner, **saves)
        stripe.pay(session)
        intent = stripe.intents[stripe.sessions[session]["payment_intent"]]
        card = {"card": {"brand": "visa", "last4": "4242"}}
        charge = {**intent, "object": "charge", "payment_method_details": card}
        outcome(owner, stripe.event("charge.succeeded", charge))
        outcome(owner, stripe.event("payment_intent.succeeded", intent))
        profile = BillingProfile.objects.get()
        assert profile.method == ("pm_card" if saves else "")
        assert profile.method_label == ("Visa ending in 4242" if saves else "")
    assert not profile.automatic
    assert "Visa ending in 4242" in words(owner, AUTOMATIC)


def agreed(**changed: str) -> dict[str, str]:
    return {"automatic": "on", "below": "10", "amount": "50", "cap": "1,000", **changed}


def test_automatic_top_ups_are_agreed_on_and_written_down(
    owner: Client, stripe: Stripe, organization: Organization
) -> None:
    make_profile(organization, automatic=False, stopped="declined")
    assert "Switched off by itself: declined" in words(owner, AUTOMATIC)
    assert owner.post(AUTOMATIC, agreed()).status_code == 302
    profile = BillingProfile.objects.get()
    assert (profile.below_nano, profile.amount_nano, profile.cap_nano) == (10 * DOLLAR, 50 * DOLLAR, 1000 * DOLLAR)
    assert (profile.automatic, profile.stopped) == (True, "")
    assert "$50.00 is charged to Visa ending in 4242, at most $1,000.00 a month." in words(owner, "/o/acme/billing/")
    changed = AuditEvent.objects.of(organization).get(action="top_up.changed").details
    assert changed["automatic"] == {"before": False, "after": True}
    owner.post(AUTOMATIC, {})
    assert not BillingProfile.objects.get().automatic


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cap": "49.99"}, "This is less than a single payment"), ({"amount": "1"}, "Give at least $5.00."),
        ({"below": ""}, "Say how much."), ({"cap": ""}, "Say how much."), ({"amount": "x"}, "is not an amount"),
    ],
)  # fmt: skip
def test_terms_that_make_no_sense_are_not_agreed_on(
    owner: Client, stripe: Stripe, organization: Organization, changed: dict[str, str], said: str
) -> None:
    make_profile(organization, automatic=False)
    assert said in html.unescape(owner.post(AUTOMATIC, agreed(**changed)).content.decode())
    assert not BillingProfile.objects.get().automatic


def test_without_a_saved_card_nothing_can_be_agreed_on(
    owner: Client, stripe: Stripe, organization: Organization
) -> None:
    assert owner.post(AUTOMATIC, agreed()).status_code == 200
    assert not BillingProfile.objects.exists()
    assert "No card is saved" in words(owner, AUTOMATIC)


def test_a_card_is_forgotten_here_and_at_stripe(owner: Client, stripe: Stripe, organization: Organization) -> None:
    make_profile(organization)
    owner.post("/o/acme/billing/automatic/forget/")
    profile = BillingProfile.objects.get()
    assert (profile.method, profile.method_label, profile.automatic) == ("", "", False)
    assert len(stripe.of("/v1/payment_methods/pm_1/detach")) == 1


# -- what people are told ---------------------------------------------------------------------------


def mails(mailoutbox: list[Any]) -> list[tuple[str, list[str], str]]:
    outbox.deliver([Mail()])
    return [(mail.subject, sorted(mail.to), mail.body) for mail in mailoutbox]


def test_a_payment_and_what_goes_back_are_told_by_mail(
    owner: Client, stripe: Stripe, organization: Organization, mailoutbox: list[Any]
) -> None:
    _, session = begin(owner)
    outcome(owner, stripe.event("checkout.session.completed", stripe.pay(session)))
    intent = stripe.sessions[session]["payment_intent"]
    outcome(owner, stripe.event("charge.dispute.funds_withdrawn", stripe.dispute(intent, 2500)))
    (first, to, text), (second, _, back) = mails(mailoutbox)
    assert (first, to) == ("Acme: $25.00 is credited", ["alice@acme.example"])
    assert "/o/acme/billing/invoices/" in text
    assert second == "Acme: $25.00 went back"
    assert "the bank took it back for a dispute" in back
    assert "The balance is $0.00." in back


def test_staff_are_told_of_what_nobody_else_can_put_right(
    owner: Client, stripe: Stripe, settings: Settings, mailoutbox: list[Any]
) -> None:
    settings.ADMINS = [("root@example.com", "root@example.com")]
    _, session = begin(owner)
    tell(owner, stripe.event("checkout.session.completed", stripe.pay(session) | {"currency": "eur"}))
    ((subject, to, text),) = mails(mailoutbox)
    assert subject.endswith("A payment needs somebody to look at it")
    assert to == ["root@example.com"]
    assert "came in EUR" in text


# -- how it is set up -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"STRIPE_WEBHOOK_SECRETS": []}, ["billing.E002"]),
        ({"STRIPE_SECRET_KEY": ""}, ["billing.E002"]),
        ({"TOP_UP_LEAST": 0}, ["billing.E003"]),
        ({"TOP_UP_MOST": 4}, ["billing.E003"]),
        ({"INVOICE_NAME": ""}, ["billing.W002"]),
    ],
)
def test_half_a_configuration_is_found_before_it_takes_money(
    stripe: Stripe, settings: Settings, changed: dict[str, Any], found: list[str]
) -> None:
    for name, value in ({"INVOICE_NAME": "2389 Ltd"} | changed).items():
        setattr(settings, name, value)
    told = {str(one.id) for one in run_checks(tags=["security"])}
    assert sorted(told & {"billing.E002", "billing.E003", "billing.W002"}) == found
