"""Payments by card, from the wish to pay to what goes back. Credit is entered here, when Stripe has told of the money.

Each function that Stripe's events call may be called twice, in any order and at once: the payment's row is locked
first, then the wallet, and each of the ledger's entries is made once for its ref.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from accounts.models import Organization, User
from billing import documents, money, wallets
from billing.models import BillingProfile, OutboxMessage, Payment, PaymentReturn, Transfer

PAID, RETURNED, STOPPED = "payment.paid", "payment.returned", "top_up.stopped"


def profile_of(organization: Organization) -> BillingProfile:
    """Its profile; an empty one, not saved, for an organisation that never had one."""
    found = BillingProfile.objects.of(organization).first()
    return found or BillingProfile(organization=organization)


def locked_profile(organization: Organization) -> BillingProfile:
    """The same, which nobody else changes until the transaction ends."""
    BillingProfile.objects.get_or_create(organization=organization)
    locked: BillingProfile = BillingProfile.objects.select_for_update().get(organization=organization)
    return locked


@transaction.atomic
def begin(request: HttpRequest, organization: Organization, amount_nano: int, *, saves_method: bool) -> Payment:
    """Somebody wants to pay. Nothing is credited for that."""
    author = request.user.email if isinstance(request.user, User) else ""
    payment = Payment.objects.create(
        organization=organization, kind=Payment.Kind.CHECKOUT, amount_nano=amount_nano, author=author,
        saves_method=saves_method,
    )  # fmt: skip
    audit.record(request, organization, Action.TOP_UP_STARTED, payment, amount=f"${money.grouped(amount_nano)}")
    return payment


@transaction.atomic
def paid(payment: Payment, intent: str, amount_nano: int) -> str:
    """The money came: credit it. Says what was done. Call it with the payment's row locked."""
    if payment.state == Payment.State.PAID:
        return "it was credited before" if payment.intent == intent else _wrong(payment, f"was paid again: {intent}")
    if amount_nano != payment.amount_nano:
        return _wrong(payment, f"came to ${money.dollars(amount_nano)}, of which nothing is credited: {intent}")
    _one_at_a_time(intent)
    entry, _ = wallets.enter(
        payment.organization, Transfer.Kind.TOPUP, intent, amount_nano, "Paid by card", payment.author or "card"
    )
    payment.state, payment.intent, payment.entry_id = Payment.State.PAID, intent, entry
    payment.paid_at, payment.failure = timezone.now(), ""
    payment.save(update_fields=["state", "intent", "entry_id", "paid_at", "failure"])
    wallets.record_entry(audit.SYSTEM, payment.organization, entry)
    receipt = documents.receipt(payment)
    tell(payment, PAID, f"paid:{payment.pk}", document=receipt.pk)
    for known in PaymentReturn.objects.filter(intent=intent, payment=None).order_by("pk"):
        known.payment = payment
        known.save(update_fields=["payment"])
        if known.state == PaymentReturn.State.TAKEN:
            _take(payment, known)
    return "credited"


@transaction.atomic
def not_paid(payment: Payment, state: Payment.State, why: str) -> str:
    """It came to nothing, as far as is known: should the money come after all, it is credited."""
    if payment.state != Payment.State.OPEN:
        return f"it is {payment.state} already"
    payment.state, payment.failure = state, why
    payment.save(update_fields=["state", "failure"])
    if payment.kind == Payment.Kind.AUTOMATIC:
        stop(payment, why)
    return f"noted as {state}"


@transaction.atomic
def taken_back(intent: str, stripe_id: str, kind: PaymentReturn.Kind, amount_nano: int) -> str:
    """A refund, or what a bank took for a dispute: out of the wallet, also where it is spent already."""
    payment = _paid_with(intent)
    known, new = PaymentReturn.objects.get_or_create(
        stripe_id=stripe_id,
        defaults={
            "intent": intent, "payment": payment, "kind": kind, "amount_nano": amount_nano,
            "state": PaymentReturn.State.TAKEN,
        },
    )  # fmt: skip
    if not new:
        return f"it is {known.state} already"
    if payment is None:
        return "kept, should the payment turn out to be ours"
    _take(payment, known)
    return "taken back"


@transaction.atomic
def came_back(intent: str, stripe_id: str, kind: PaymentReturn.Kind, amount_nano: int) -> str:
    """The refund failed, or the dispute was won: the organisation has the money again."""
    payment = _paid_with(intent)
    known, new = PaymentReturn.objects.select_for_update().get_or_create(
        stripe_id=stripe_id,
        defaults={
            "intent": intent, "payment": payment, "kind": kind, "amount_nano": amount_nano,
            "state": PaymentReturn.State.VOID,
        },
    )  # fmt: skip
    if new or known.state == PaymentReturn.State.VOID:
        return "nothing was taken for it"
    known.state = PaymentReturn.State.VOID
    known.save(update_fields=["state"])
    if known.entry_id is None or payment is None:
        return "nothing was taken for it"
    reason = f"{known.get_kind_display()} of a payment came back"
    entry, created = wallets.enter(
        payment.organization, Transfer.Kind.TOPUP, f"{stripe_id} came back", known.amount_nano, reason, "card"
    )
    if created:
        wallets.record_entry(audit.SYSTEM, payment.organization, entry)
        documents.receipt_again(payment, known)
    return "credited again"


def stop(payment: Payment, why: str) -> None:
    """No more automatic top-ups, until somebody switches them on again. Call it in the transaction of the failure."""
    profile = locked_profile(payment.organization)
    profile.automatic, profile.stopped = False, why
    profile.save(update_fields=["automatic", "stopped"])
    audit.record(
        audit.SYSTEM,
        payment.organization,
        Action.TOP_UP_CHANGED,
        automatic=audit.Change(before=True, after=False),
        why=why,
    )
    tell(payment, STOPPED, f"stopped:{payment.pk}", why=why)


def locked(**known: Any) -> Payment | None:
    """The payment, which nobody else changes until the transaction ends."""
    return Payment.objects.select_for_update(of=("self",)).select_related("organization").filter(**known).first()


def tell(payment: Payment, topic: str, dedupe: str, **more: Any) -> None:
    """Let people hear of it, once."""
    payload = {"payment": payment.pk, "amount_nano": payment.amount_nano, "kind": payment.kind, **more}
    OutboxMessage.objects.bulk_create(
        [OutboxMessage(organization_id=payment.organization_id, topic=topic, dedupe=dedupe, payload=payload)],
        ignore_conflicts=True,
    )


def alert(subject: str, organization_id: int | None, **facts: Any) -> None:
    """Let staff hear of what nobody but they can put right."""
    OutboxMessage.objects.bulk_create(
        [
            OutboxMessage(
                organization_id=organization_id, topic="payment.mismatch", dedupe=f"mismatch:{subject}", payload=facts
            )
        ],
        ignore_conflicts=True,
    )


def _paid_with(intent: str) -> Payment | None:
    """The payment that was credited for it, locked. What is told of it before the payment itself waits for it."""
    found = locked(intent=intent, state=Payment.State.PAID)
    if found is None:
        _one_at_a_time(intent)
        found = locked(intent=intent, state=Payment.State.PAID)
    return found


def _one_at_a_time(intent: str) -> None:
    """Until the transaction ends: so that a payment and its refund, told at the same moment, see each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"stripe:{intent}"])


def _take(payment: Payment, known: PaymentReturn) -> None:
    reason = f"{known.get_kind_display()} of a payment by card"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, created FROM billing_take_back(%s, %s, %s, %s, %s)",
            [payment.organization_id, known.stripe_id, known.amount_nano, reason, "card"],
        )
        entry, created = cursor.fetchone()
    known.entry_id = entry
    known.save(update_fields=["entry_id"])
    if created:
        wallets.record_entry(audit.SYSTEM, payment.organization, entry)
        documents.credit_note(payment, known)
        balance = wallets.of(payment.organization).posted_nano
        more = {"returned_nano": known.amount_nano, "why": known.get_kind_display(), "balance_nano": balance}
        tell(payment, RETURNED, f"returned:{known.stripe_id}", **more)


def _wrong(payment: Payment, what: str) -> str:
    alert(what, payment.organization_id, payment=payment.pk, asked_nano=payment.amount_nano, what=what)
    return f"not credited: it {what}"
