"""Background work of the ledger. A task is a doorbell: it may ring twice.

Celery looks for tasks in `billing.tasks` alone, so that module must import these.
"""

from __future__ import annotations

from celery import shared_task

from billing import audit, sealing


@shared_task
def audit_ledger(*, full: bool = False) -> None:
    """The recent hours every few minutes; everything once a day."""
    kept, violations = audit.run(full=full)
    audit.act(kept, violations)


@shared_task
def seal_ledger() -> None:
    sealing.seal_all()
