"""What Stripe tells, and what is done about it: once an event, whatever comes twice, late or at the same moment."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from billing import money, payments
from billing.amount_field import CENT
from billing.models import BillingProfile, Payment, PaymentReturn, StripeEvent
from billing.stripe.requests import CURRENCY

IGNORED = "nothing is to be done about it"
NOT_OURS = "it is no payment of this gateway"
Told = dict[str, Any]
Outcome = tuple[str, Payment | None]


class EventError(Exception):
    """It is no event that can be read. Says why."""


@transaction.atomic
def receive(event: Told) -> str:
    """Do what the event asks for, unless it was received before. Says what was done. Raises `EventError`."""
    number, kind = event.get("id"), event.get("type")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(number, str) or not isinstance(kind, str) or not isinstance(thing, dict):
        raise EventError("It is no event of Stripe's: id, type or data.object is missing.")
    if not number or len(number) > 120 or len(kind) > 80:
        raise EventError("Its id or its type is too long, or empty.")
    if event.get("livemode") is not _is_live():
        raise EventError("It is of the test mode, and the key is not, or the other way round.")
    if not _is_new(number, kind):
        return "it was received before"
    outcome, payment = HANDLERS.get(kind, _ignore)(thing)
    StripeEvent.objects.filter(pk=number).update(outcome=outcome, payment=payment)
    return outcome


def _is_live() -> bool:
    return settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))


def _is_new(number: str, kind: str) -> bool:
    """A second transaction with the same event waits here for the first one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_stripeevent (event_id, kind, outcome) VALUES (%s, %s, '') ON CONFLICT DO NOTHING",
            [number, kind],
        )
        return bool(cursor.rowcount)


# -- handlers ---------------------------------------------------------------------------------------


def _ignore(thing: Told) -> Outcome:
    return IGNORED, None


def _session_completed(session: Told) -> Outcome:
    """A Checkout page was gone through. Some ways to pay take days: then there is another event."""
    if session.get("payment_status") != "paid":
        return "it waits for the money", None
    return _credit(session, session.get("amount_total"), str(session.get("payment_intent") or ""))


def _session_failed(session: Told) -> Outcome:
    return _fail(session, Payment.State.FAILED, "The bank did not carry out the payment.")


def _session_expired(session: Told) -> Outcome:
    return _fail(session, Payment.State.EXPIRED, "The page at Stripe was left open until it expired.")


def _intent_succeeded(intent: Told) -> Outcome:
    outcome, payment = _credit(intent, intent.get("amount_received"), str(intent.get("id") or ""))
    if payment is not None:
        _keep_method(payment, intent.get("payment_method"), None)
    return outcome, payment


def _intent_failed(intent: Told) -> Outcome:
    """On a Checkout page another card may still be tried."""
    payment = _payment(intent)
    if payment is None:
        return NOT_OURS, None
    if payment.kind == Payment.Kind.CHECKOUT:
        return IGNORED, payment
    error = intent.get("last_payment_error")
    why = str(error.get("message", "")) if isinstance(error, dict) else ""
    return payments.not_paid(payment, Payment.State.FAILED, why[:300] or "The card was not charged."), payment


def _charge_succeeded(charge: Told) -> Outcome:
    """It alone says which card it was."""
    payment = _payment(charge)
    details = charge.get("payment_method_details")
    card = details.get("card") if isinstance(details, dict) else None
    if payment is None or not isinstance(card, dict):
        return IGNORED, payment
    label = f"{str(card.get('brand', 'card')).title()} ending in {card.get('last4', '????')}"
    _keep_method(payment, charge.get("payment_method"), label[:80])
    return IGNORED, payment


def _refund(refund: Told) -> Outcome:
    given = refund.get("status") not in {"failed", "canceled"}
    return _return(refund, PaymentReturn.Kind.REFUND, taken=given)


def _dispute_taken(dispute: Told) -> Outcome:
    return _return(dispute, PaymentReturn.Kind.DISPUTE, taken=True)


def _dispute_given_back(dispute: Told) -> Outcome:
    return _return(dispute, PaymentReturn.Kind.DISPUTE, taken=False)


HANDLERS: dict[str, Callable[[Told], Outcome]] = {
    "checkout.session.completed": _session_completed,
    "checkout.session.async_payment_succeeded": _session_completed,
    "checkout.session.async_payment_failed": _session_failed,
    "checkout.session.expired": _session_expired,
    "payment_intent.succeeded": _intent_succeeded,
    "payment_intent.payment_failed": _intent_failed,
    "charge.succeeded": _charge_succeeded,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refund.updated": _refund,
    "charge.dispute.funds_withdrawn": _dispute_taken,
    "charge.dispute.funds_reinstated": _dispute_given_back,
}


# -- what they have in common -----------------------------------------------------------------------


def _payment(thing: Told) -> Payment | None:
    """Ours, by the token that we gave it, with its row locked; None for what others sell with the same account."""
    told = thing.get("metadata")
    token = told.get("payment") if isinstance(told, dict) else None
    try:
        return payments.locked(token=uuid.UUID(str(token))) if token else None
    except ValueError:
        return None


def _credit(thing: Told, cents: Any, intent: str) -> Outcome:
    payment = _payment(thing)
    if payment is None:
        return NOT_OURS, None
    if thing.get("object") == "checkout.session" and payment.session not in {"", thing.get("id")}:
        return _mismatch(payment, thing, "is of another Checkout page"), payment
    if thing.get("currency") != CURRENCY:
        return _mismatch(payment, thing, f"came in {str(thing.get('currency')).upper()[:8]}"), payment
    if type(cents) is not int or not intent:
        return _mismatch(payment, thing, "came without an amount or a number"), payment
    return payments.paid(payment, intent[:80], cents * CENT), payment


def _fail(thing: Told, state: Payment.State, why: str) -> Outcome:
    payment = _payment(thing)
    return (NOT_OURS, None) if payment is None else (payments.not_paid(payment, state, why), payment)


def _return(thing: Told, kind: PaymentReturn.Kind, *, taken: bool) -> Outcome:
    intent, number, cents = str(thing.get("payment_intent") or ""), str(thing.get("id") or ""), thing.get("amount")
    if not intent or not number or type(cents) is not int or cents <= 0:
        return NOT_OURS, None
    payment = Payment.objects.filter(intent=intent).first()
    if thing.get("currency") != CURRENCY:
        return (
            (NOT_OURS, None)
            if payment is None
            else (_mismatch(payment, thing, "goes back in another currency"), payment)
        )
    do = payments.taken_back if taken else payments.came_back
    return do(intent[:80], number[:80], kind, cents * CENT), payment


def _keep_method(payment: Payment, method: Any, label: str | None) -> None:
    """The card that somebody asked to be saved; which one it is may be told before or after."""
    if not payment.saves_method or not isinstance(method, str) or not method:
        return
    profile: BillingProfile = payments.locked_profile(payment.organization)
    if profile.method != method[:80]:
        profile.method, profile.method_label = method[:80], label or ""
    elif label:
        profile.method_label = label
    profile.save(update_fields=["method", "method_label"])


def _mismatch(payment: Payment, thing: Told, what: str) -> str:
    number = str(thing.get("id") or "")[:120]
    asked = f"${money.dollars(payment.amount_nano)}"
    payments.alert(
        f"{number}:{what}", payment.organization_id, payment=payment.pk, asked=asked, what=what, stripe=number
    )
    return f"not credited: it {what}"
