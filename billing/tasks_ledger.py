"""Background work of the ledger. A task is a doorbell: it may ring twice.

Celery looks for tasks in `billing.tasks` alone, so that module must import these.
"""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError

from billing import audit, sealing, statements


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
