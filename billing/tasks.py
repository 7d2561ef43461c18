"""Background work of the ledger. A task is a doorbell: it may ring twice, and at once."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import OperationalError, connection

from billing import audit, auto_top_up, documents, partitions, rollups, sealing, statements

AT_ONCE = 500


@shared_task
def roll_up_usage() -> None:
    rollups.roll_up()


@shared_task
def make_partitions() -> None:
    partitions.make_ahead()


@shared_task
def sweep_holds() -> None:
    """Close the requests whose process is gone, some at a time, so that no lock is held for long."""
    while _sweep() == AT_ONCE:
        pass


@shared_task(autoretry_for=(OperationalError,), retry_backoff=5, max_retries=5)
def audit_ledger(*, full: bool = False) -> None:
    """The recent hours every few minutes; everything once a day. Again, should a wallet be too busy to be halted."""
    kept, violations = audit.run(full=full)
    audit.act(kept, violations)


@shared_task
def seal_ledger() -> None:
    sealing.seal_all()


@shared_task
def make_statements() -> None:
    """Last month's, of everybody who has none yet."""
    statements.make_last_month()


@shared_task
def top_up() -> None:
    """Charge the saved cards of those who are below what they agreed."""
    auto_top_up.run()


@shared_task
def issue_invoices() -> None:
    """Last month's, of everybody who has none yet."""
    documents.invoice_last_month()


def _sweep() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_sweep(make_interval(secs => %s), %s)", [settings.GATEWAY_ORPHAN_SECONDS, AT_ONCE]
        )
        closed: int = cursor.fetchall()[0][0]
        return closed
