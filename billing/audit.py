"""Holds the ledger against its invariants, all of them in one snapshot, and keeps what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.models import Organization
from billing import recompute, sealing
from billing.invariants import INVARIANTS, Invariant
from billing.models import AuditRun, OutboxMessage, Wallet

RECENT = timedelta(hours=2)
EVER = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = 100
SEALS = "sealed_blocks"
CHARGES = "charge_recomputed"
QUICK_SAMPLE, FULL_SAMPLE = 1_000, 50_000  # how many of the newest charges are computed again
ONLY_TOLD = {invariant.name for invariant in INVARIANTS if not invariant.halts}


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that should not be there."""

    check: str
    organization_id: int | None
    detail: str

    def __str__(self) -> str:
        whose = "" if self.organization_id is None else f"organisation {self.organization_id}: "
        return f"{self.check}: {whose}{self.detail}"


def run(*, full: bool, organization: Organization | None = None) -> tuple[AuditRun, list[Violation]]:
    """Audit everybody, or one organisation, and keep the result. A quick audit looks at what is recent."""
    started_at = timezone.now()
    checks, found = look(full=full, organization_id=organization.pk if organization else None)
    named = {violation.organization_id for violation in found}
    kept = AuditRun.objects.create(
        organization=organization,
        full=full,
        started_at=started_at,
        checks=checks,
        differences=len(found),
        violations=[asdict(violation) for violation in found[:KEPT]],
        organizations=sorted(pk for pk in named if pk is not None),
    )
    return kept, found


def look(*, full: bool, organization_id: int | None) -> tuple[int, list[Violation]]:
    """How many invariants were looked at, and every difference. One snapshot; must not run inside a transaction."""
    since = EVER if full else timezone.now() - RECENT
    parameters = {"since": since, "full": full, "organization": organization_id}
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = '5min'")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        chosen = [invariant for invariant in INVARIANTS if (full or invariant.quick) and _is_there(cursor, invariant)]
        found = [violation for invariant in chosen for violation in _ask(cursor, invariant, parameters)]
        altered = sealing.altered(organization_id, since)
        found += [Violation(SEALS, pk, detail) for pk, detail in altered]
        mischarged = recompute.differing(organization_id, since, FULL_SAMPLE if full else QUICK_SAMPLE)
        found += [Violation(CHARGES, pk, detail) for pk, detail in mischarged]
    return len(chosen) + 2, found


def _is_there(cursor: CursorWrapper, invariant: Invariant) -> bool:
    if not invariant.needs:
        return True
    table, *columns = invariant.needs
    cursor.execute(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = ANY (%s)", [table, columns]
    )
    return bool(cursor.fetchone()[0] == len(columns))


def _ask(cursor: CursorWrapper, invariant: Invariant, parameters: dict[str, Any]) -> list[Violation]:
    cursor.execute(
        f"SELECT organization_id, detail FROM ({invariant.query}) found"  # noqa: S608 - the queries are our own
        " WHERE %(organization)s::bigint IS NULL OR organization_id = %(organization)s ORDER BY 1, 2",
        parameters,
    )
    return [Violation(invariant.name, organization_id, detail) for organization_id, detail in cursor.fetchall()]


def act(audit: AuditRun, violations: Iterable[Violation]) -> None:
    """Stop the organisations whose money does not add up, and tell staff, unless they were told just that before."""
    for violation in violations:
        if violation.organization_id is not None and violation.check not in ONLY_TOLD:
            halt(violation.organization_id, f"{violation.check}: {violation.detail}")
    if audit.differences and not _was_told(audit):
        tell(audit)


def halt(organization_id: int, reason: str) -> None:
    """Nothing is admitted for it any more. What runs already is finished and paid. The first reason stays."""
    Wallet.objects.filter(pk=organization_id, halted_at=None).update(halted_at=timezone.now(), halted_reason=reason)


def resume(organization: Organization) -> bool:
    """Whether it had been halted. For those who have seen an audit of it come out clean."""
    halted = Wallet.objects.filter(pk=organization.pk, halted_at__isnull=False)
    return bool(halted.update(halted_at=None, halted_reason=""))


def tell(audit: AuditRun) -> None:
    """One message to staff, for whatever delivers them."""
    lines = [f"{Violation(**violation)}\n" for violation in audit.violations]
    OutboxMessage.objects.get_or_create(
        dedupe=f"ledger.violation:{audit.pk}",
        defaults={
            "topic": "ledger.violation",
            "payload": {
                "audit": audit.pk,
                "to": [address for _, address in settings.ADMINS],
                "subject": f"The ledger does not balance: {audit.differences} differences",
                "text": f"{''.join(lines)}\nWhat to do: {settings.PUBLIC_URL}/docs/ledger/\n",
                "differences": audit.differences,
                "violations": audit.violations,
            },
        },
    )


def _was_told(audit: AuditRun) -> bool:
    before = AuditRun.objects.filter(organization=None, full=audit.full, pk__lt=audit.pk).newest()
    return before is not None and bool(before.violations == audit.violations)
