"""Entries that are not usage: top-ups, granted credit, refunds, adjustments and reversals, as plain functions.

The functions of billing/sql do the work; their refusals come out of here as one error with a sentence in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import Error, connection, transaction

from accounts import audit
from accounts.audit import Action
from accounts.models import Organization
from billing import money
from billing.models import Transfer, Wallet
from billing.money import MOST_NANO

BY_HAND = (Transfer.Kind.TOPUP, Transfer.Kind.GRANT, Transfer.Kind.REFUND, Transfer.Kind.ADJUSTMENT)

_BY_CONSTRAINT = {
    "wallet_no_overspend": "There is not enough balance: what is left, with the overdraft, is less than that.",
    "transfer_correction_is_explained": "Say why and who: a refund, a reversal or an adjustment needs a reason.",
    "billing_transfer_ref_check": "The ref is empty. Give one that names what this is for.",
}
_BY_STATE = {
    "23505": "The ref was used before, for another amount. Give a new ref, or the same amount.",
    "P0002": "There is no such entry in this organisation's ledger.",
    "55P03": "The wallet is busy at this moment. Try again.",
    "22003": "The balance would be more than the ledger holds.",
}


class LedgerError(Exception):
    """The ledger does not take the entry. Says why and what would be right."""


def enter(
    organization: Organization, kind: str, ref: str, amount_nano: int, reason: str, author: str
) -> tuple[int, bool]:
    """One entry, once for its kind and ref: its id, and whether it is new. Raises `LedgerError`."""
    if kind not in BY_HAND:
        raise LedgerError(f"Entries of kind {kind} are not made by hand. Use one of: {', '.join(BY_HAND)}.")
    if amount_nano == 0 or (amount_nano < 0 and kind != Transfer.Kind.ADJUSTMENT):
        raise LedgerError("The amount must be above zero; only an adjustment may take away.")
    if abs(amount_nano) > MOST_NANO:
        raise LedgerError(_BY_STATE["22003"])
    return _call(
        "SELECT id, created FROM billing_enter(%s, %s, %s, %s, %s, %s)",
        [organization.pk, str(kind), ref.strip(), amount_nano, reason.strip(), author],
    )


def reverse(organization: Organization, transfer_id: int, reason: str, author: str) -> tuple[int, bool]:
    """The opposite of an entry, once: its id, and whether it is new. Raises `LedgerError`."""
    entry = Transfer.objects.of(organization).filter(pk=transfer_id).first()
    if entry is not None and entry.kind == Transfer.Kind.REVERSAL:
        raise LedgerError("A reversal is not reversed. Make the entry anew instead.")
    return _call(
        "SELECT id, created FROM billing_reverse(%s, %s, %s, %s)",
        [organization.pk, transfer_id, reason.strip(), author],
    )


def record_entry(who: audit.Actor, organization: Organization, transfer_id: int) -> None:
    """Let the organisation's audit log have an entry that somebody made."""
    entry = Transfer.objects.of(organization).get(pk=transfer_id)
    action = Action.CREDIT_REVERSED if entry.kind == Transfer.Kind.REVERSAL else Action.CREDIT_ENTERED
    sign = "-" if entry.change_nano < 0 else ""
    audit.record(
        who, organization, action, kind=entry.get_kind_display(), ref=entry.ref, reason=entry.reason, entry=entry.pk,
        amount=f"{sign}${money.grouped(entry.amount_nano)}",
    )  # fmt: skip


def of(organization: Organization) -> Wallet:
    """Its wallet; an empty one, not saved, for an organisation that never had an entry or a priced request."""
    return Wallet.objects.of(organization).first() or Wallet(organization=organization)


def _call(statement: str, values: list[int | str]) -> tuple[int, bool]:
    with _refusals(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        entry, created = cursor.fetchone()
    return int(entry), bool(created)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Error as error:
        sentence = _sentence(error.__cause__)
        if sentence is None:
            raise
        raise LedgerError(sentence) from error


def _sentence(cause: BaseException | None) -> str | None:
    """What a refusal of the database means; None for what is no refusal but a failure."""
    if not isinstance(cause, psycopg.Error):
        return None
    return _BY_CONSTRAINT.get(cause.diag.constraint_name or "") or _BY_STATE.get(cause.sqlstate or "")
