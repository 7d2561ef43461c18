"""Topping up by itself: when the balance falls below what was agreed, the saved card is charged, once at a time.

The payment is written down before Stripe is asked, and asked for again under the same key until Stripe has answered:
so a worker that dies charges nobody twice. Credit comes by webhook, as for every payment.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from billing import money, payments, periods
from billing.models import BillingProfile, Budget, OutboxMessage, Payment, Wallet
from billing.stripe import api, is_configured, requests

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=2)  # longer than one question to Stripe may take
GIVE_UP = timedelta(hours=20)  # Stripe remembers what was asked under a key for 24
CAPPED = "top_up.capped"


def run() -> int:
    """Charge everybody who is below. Answers for how many Stripe was asked."""
    if not is_configured():
        return 0
    return sum(_top_up(profile) for profile in _below())


def _below() -> list[BillingProfile]:
    """Those whose balance, less what is held, is below what they agreed; and those of whom an answer is missing."""
    open_to_pay = BillingProfile.objects.filter(
        automatic=True, organization__closed_at=None, organization__suspended_at=None
    ).exclude(method="")
    low = F("organization__wallet__posted_nano") - F("organization__wallet__held_nano")
    return list(open_to_pay.annotate(own=low).filter(own__lt=F("below_nano")).select_related("organization"))


def _top_up(profile: BillingProfile) -> bool:
    payment = _claim(profile.organization_id, timezone.now())
    if payment is None:
        return False
    try:
        intent, status = requests.charge(payment, BillingProfile.objects.get(pk=profile.pk))
    except api.RefusedError as error:
        _failed(payment.pk, str(error), error.intent)
    except api.AwayError as error:
        log.warning("the automatic top-up %s is asked for again: %s", payment.pk, error)
    else:
        if status in {"succeeded", "processing", "requires_capture"}:
            Payment.objects.filter(pk=payment.pk, intent=None).update(intent=intent)
        else:
            _failed(payment.pk, "The bank wants the payment to be confirmed by you.", intent)
    return True


@transaction.atomic
def _claim(organization_id: int, now: datetime) -> Payment | None:
    """What Stripe is to be asked now, by whoever gets it; None when there is nothing, or somebody is at it."""
    profile = (
        BillingProfile.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("organization")
        .filter(pk=organization_id, automatic=True)
        .first()
    )
    if profile is None:
        return None
    mine = Payment.objects.of(profile.organization).filter(kind=Payment.Kind.AUTOMATIC)
    waiting: Payment | None = mine.filter(state=Payment.State.OPEN).select_related("organization").first()
    if waiting is not None:
        return _again(waiting, now)
    if not _is_below(profile) or _is_capped(profile, now):
        return None
    made: Payment = Payment.objects.create(
        organization=profile.organization, kind=Payment.Kind.AUTOMATIC, amount_nano=profile.amount_nano, asked_at=now
    )
    return made


def _again(payment: Payment, now: datetime) -> Payment | None:
    """The same question once more, unless it was answered or was asked a moment ago."""
    if payment.intent is not None or (payment.asked_at and now - payment.asked_at < AGAIN):
        return None
    if now - payment.created_at > GIVE_UP:
        payments.not_paid(payment, Payment.State.FAILED, "Stripe could not be reached for a day.")
        payments.alert(
            f"unknown:{payment.pk}", payment.organization_id, payment=payment.pk, what="may be charged or not"
        )
        return None
    payment.asked_at = now
    payment.save(update_fields=["asked_at"])
    return payment


def _is_below(profile: BillingProfile) -> bool:
    """Now that nobody else tops up: a payment may have been credited since it was looked for."""
    wallet = Wallet.objects.of(profile.organization).first()
    return wallet is not None and wallet.posted_nano - wallet.held_nano < profile.below_nano


def _is_capped(profile: BillingProfile, now: datetime) -> bool:
    """Whether another one would pass what may be charged in a month. They are told, once a month."""
    since = periods.start(Budget.Period.MONTH, now)
    this_month = Payment.objects.of(profile.organization).filter(
        kind=Payment.Kind.AUTOMATIC, created_at__gte=since, state__in=[Payment.State.OPEN, Payment.State.PAID]
    )
    charged = this_month.aggregate(sum=Sum("amount_nano"))["sum"] or 0
    if charged + profile.amount_nano <= profile.cap_nano:
        return False
    OutboxMessage.objects.bulk_create(
        [
            OutboxMessage(
                organization_id=profile.organization_id,
                topic=CAPPED,
                dedupe=f"capped:{profile.organization_id}:{since:%Y-%m}",
                payload={"charged_nano": charged, "cap_nano": profile.cap_nano, "amount_nano": profile.amount_nano},
            )
        ],
        ignore_conflicts=True,
    )
    return True


@transaction.atomic
def _failed(pk: int, why: str, intent: str) -> None:
    payment = payments.locked(pk=pk)
    if payment is not None and payment.state == Payment.State.OPEN:
        if intent:
            payment.intent = intent
            payment.save(update_fields=["intent"])
        payments.not_paid(payment, Payment.State.FAILED, why)
        log.info("the automatic top-up %s of $%s failed", payment.pk, money.dollars(payment.amount_nano))
