"""Receipts, credit notes and invoices: issued once for what they are about, numbered without a gap, never changed.

Credit is paid for in advance. A top-up is a payment, so it gets a receipt, and what goes back of it a credit note. What
is bought with credit is what requests cost: it is invoiced at the end of the month, from the entries between wallet and
revenue, and is paid already. So no dollar stands on two invoices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.models import Organization
from billing import wallets
from billing.models import BillingProfile, Document, Payment, PaymentReturn, Transfer, UsageDay

Kind = Document.Kind


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is, and what it comes to."""

    what: str
    nano: int
    detail: str = ""

    def stored(self) -> dict[str, str]:
        return {"what": self.what, "detail": self.detail, "nano": str(self.nano)}


def receipt(payment: Payment) -> Document:
    """For money that came in."""
    line = Line("Prepaid credit", payment.amount_nano, f"Paid by card, {payment.intent}")
    return _issue(payment.organization, Kind.RECEIPT, f"payment {payment.pk}", [line], payment=payment)


def receipt_again(payment: Payment, known: PaymentReturn) -> Document:
    """For money that had gone back, and came in again."""
    line = Line("Prepaid credit, again", known.amount_nano, f"{known.get_kind_display()} {known.stripe_id} came back")
    return _issue(payment.organization, Kind.RECEIPT, f"again {known.stripe_id}", [line], payment=payment)


def credit_note(payment: Payment, known: PaymentReturn) -> Document:
    """For money that went back."""
    first = Document.objects.filter(payment=payment, kind=Kind.RECEIPT).order_by("pk").first()
    about = f"of receipt {first.label}, " if first else ""
    line = Line("Prepaid credit, returned", -known.amount_nano, f"{known.get_kind_display()} {about}{known.stripe_id}")
    return _issue(payment.organization, Kind.CREDIT_NOTE, f"return {known.stripe_id}", [line], payment=payment)


def invoice(organization: Organization, month: date) -> Document | None:
    """For what the requests of a month came to, by its entries; None where there was nothing, or it is not over."""
    start, end = _bounds(month)
    if end > timezone.now():
        return None
    entries = Transfer.objects.of(organization).filter(created_at__gte=start, created_at__lt=end)
    revenue = entries.filter(Q(debit="revenue") | Q(credit="revenue"))
    sums = revenue.order_by().values("kind").annotate(
        bought=Sum("amount_nano", filter=Q(credit="revenue"), default=0),
        given=Sum("amount_nano", filter=Q(debit="revenue"), default=0),
        count=Count("pk"),
    )  # fmt: skip
    lines = [
        Line(_WORDS[row["kind"]], int(row["bought"]) - int(row["given"]), _entries(row["count"]))
        for row in sorted(sums, key=lambda row: list(_WORDS).index(row["kind"]))
    ]
    if not lines:
        return None
    due = max(0, min(sum(line.nano for line in lines), -_balance(organization, end)))
    more: dict[str, Any] = {
        "due_nano": str(due),
        "models": _models(organization, month),
        "period": [start.date().isoformat(), end.date().isoformat()],
    }
    return _issue(organization, Kind.INVOICE, f"{month:%Y-%m}", lines, month=month, **more)


def invoice_last_month() -> int:
    """Of everybody who bought something. Answers how many were issued. Safe to repeat."""
    month = (timezone.now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
    start, end = _bounds(month)
    issued = Document.objects.filter(kind=Kind.INVOICE, month=month).values("organization")
    due = Organization.objects.filter(wallet__isnull=False).exclude(pk__in=issued).order_by("pk")
    made = 0
    for organization in due.iterator():
        bought = Transfer.objects.of(organization).filter(created_at__gte=start, created_at__lt=end)
        if bought.filter(Q(debit="revenue") | Q(credit="revenue")).exists():
            made += invoice(organization, month) is not None
    return made


_WORDS = {
    Transfer.Kind.USAGE.value: "Requests to models",
    Transfer.Kind.LATE_USAGE.value: "Requests that were told late",
    Transfer.Kind.REFUND.value: "Refunds",
    Transfer.Kind.REVERSAL.value: "Corrections",
}


def _entries(count: int) -> str:
    return f"{count:,} entr{'y' if count == 1 else 'ies'} of the ledger"


def _models(organization: Organization, month: date) -> list[dict[str, str]]:
    """What each model came to, by the day its requests were admitted: around midnight that is not an entry's day."""
    _, end = _bounds(month)
    days = UsageDay.objects.filter(organization_id=organization.pk, day__gte=month, day__lt=end.date())
    rows = (
        days.order_by().values("model").annotate(requests=Sum("requests"), nano=Sum("charged_nano")).order_by("-nano")
    )
    return [
        {"model": row["model"], "requests": str(row["requests"]), "nano": str(row["nano"])}
        for row in rows
        if row["nano"]
    ]


def _balance(organization: Organization, at: datetime) -> int:
    """What was there at an instant. Credit pays what is oldest, so what it falls short of zero is the newest."""
    since = Transfer.objects.of(organization).filter(created_at__gte=at)
    into = since.aggregate(
        gained=Sum("amount_nano", filter=Q(credit="wallet"), default=0),
        lost=Sum("amount_nano", filter=Q(debit="wallet"), default=0),
    )
    return wallets.of(organization).posted_nano - int(into["gained"]) + int(into["lost"])


def _bounds(month: date) -> tuple[datetime, datetime]:
    start = datetime.combine(month.replace(day=1), time.min, UTC)
    return start, (start + timedelta(days=32)).replace(day=1)


def _issue(
    organization: Organization,
    kind: Document.Kind,
    ref: str,
    lines: list[Line],
    *,
    payment: Payment | None = None,
    month: date | None = None,
    **more: Any,
) -> Document:
    """The one that was issued for this, or a new one with the next number."""
    known = Document.objects.of(organization).filter(kind=kind, ref=ref).first()
    if known is not None:
        return known  # type: ignore[no-any-return]
    contents = {
        "seller": _seller(),
        "buyer": _buyer(organization),
        "lines": [line.stored() for line in lines],
        **more,
    }
    try:
        with transaction.atomic():
            return Document.objects.create(
                organization=organization, kind=kind, number=_next(kind), ref=ref, payment=payment, month=month,
                total_nano=sum(line.nano for line in lines), contents=contents,
            )  # fmt: skip
    except IntegrityError:  # somebody was quicker, and the number was given back with the transaction
        return Document.objects.of(organization).get(kind=kind, ref=ref)  # type: ignore[no-any-return]


def _next(kind: Document.Kind) -> int:
    """Its row stays locked until the document is there or the number is given back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_documentseries AS s (kind, last) VALUES (%s, 1)"
            " ON CONFLICT (kind) DO UPDATE SET last = s.last + 1 RETURNING last",
            [kind.value],
        )
        return int(cursor.fetchall()[0][0])


def _seller() -> dict[str, str]:
    return {"name": settings.INVOICE_NAME, "address": settings.INVOICE_ADDRESS, "tax_id": settings.INVOICE_TAX_ID}


def _buyer(organization: Organization) -> dict[str, str]:
    profile = BillingProfile.objects.of(organization).first()
    if profile is None:
        return {"name": organization.name, "address": "", "tax_id": ""}
    return {"name": profile.name or organization.name, "address": profile.address, "tax_id": profile.tax_id}
