"""An organisation's month as a signed file, which anybody can check with nothing but our public keys."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Organization
from billing import canonical, sealing, signing, verification
from billing.models import Block, Statement

log = logging.getLogger(__name__)


class StatementError(Exception):
    """There is no such statement to be made; the message says why."""


def make_last_month() -> int:
    """Statements of the month before this one, for all who have entries. Answers how many were made. Safe to repeat."""
    if not signing.is_configured():
        log.warning("no statements are made: SIGNING_KEYS is not set")
        return 0
    month = (timezone.now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
    sealing.seal_all()
    sealed = Block.objects.filter(starts_at__lt=_end(month)).values("organization")
    due = Organization.objects.filter(pk__in=sealed).exclude(
        pk__in=Statement.objects.filter(month=month).values("organization")
    )
    return sum(_made(organization, month) for organization in due.order_by("pk"))


def make(organization: Organization, month: date) -> Statement:
    """The statement of the month that begins on `month`: the one that was made, or a new one. What cannot be verified
    is not signed: then it raises `verification.UnsoundError`, and the audit knows more."""
    kept: Statement | None = Statement.objects.of(organization).filter(month=month).first()
    if kept is not None:
        return kept
    if _end(month) > timezone.now():
        raise StatementError(f"{month:%Y-%m} is not over: its statement can be made from {_end(month):%Y-%m-%d} on.")
    sealing.seal(organization.pk)
    document = _document(organization, month)
    encoded = canonical.encode(document)
    key_id, signature = signing.sign(encoded)
    verification.verify({"document": document, "key_id": key_id, "signature": signature}, signing.public_keys())
    made, _ = Statement.objects.get_or_create(
        organization=organization,
        month=month,
        defaults={"document": encoded.decode(), "signature": signature, "key_id": key_id},
    )
    return made


def contents(statement: Statement) -> dict[str, Any]:
    """What the file holds."""
    return {
        "document": json.loads(statement.document),
        "key_id": statement.key_id,
        "signature": statement.signature,
    }


def _made(organization: Organization, month: date) -> bool:
    try:
        make(organization, month)
    except verification.UnsoundError as error:
        log.error("the statement of %s was not made: %s", organization.slug, error)
        return False
    return True


def _document(organization: Organization, month: date) -> dict[str, Any]:
    chain = Block.objects.of(organization).order_by("number")
    blocks = list(chain.filter(starts_at__gte=_start(month), starts_at__lt=_end(month)))
    before = chain.filter(starts_at__lt=_start(month)).last()
    opening = before.closing_nano if before else 0
    entries = [sealing.leaf(entry) for block in blocks for entry in sealing.entries_of(block)]
    return {
        "format": verification.FORMAT,
        "organization": {"id": organization.pk, "slug": organization.slug, "name": organization.name},
        "month": f"{month:%Y-%m}",
        "opening_nano": str(opening),
        "closing_nano": str(blocks[-1].closing_nano if blocks else opening),
        "previous_hash": before.hash if before else sealing.FIRST,
        "totals": verification.totals(entries),
        "blocks": [{**sealing.header(block), "hash": block.hash} for block in blocks],
        "entries": entries,
    }


def _start(month: date) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def _end(month: date) -> datetime:
    return (_start(month) + timedelta(days=32)).replace(day=1)
