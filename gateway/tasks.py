"""Background work of the gateway. A task is a doorbell: it may ring twice."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from billing import outbox
from billing.mail import Mail
from gateway import exchanges, health, idempotency, leaks, notices, registry
from gateway.webhooks import Webhooks


@shared_task
def warn_of_shutdowns() -> None:
    notices.warn_of_shutdowns(registry.today())


@shared_task
def alert_of_vanished_models() -> None:
    notices.alert_of_vanished()


@shared_task
def forget_idempotent_answers() -> None:
    """What is kept for an Idempotency-Key is gone after 24 hours."""
    idempotency.forget_expired()


@shared_task
def forget_exchanges() -> None:
    """Prompts and answers whose time is over, or that nobody wants stored any more."""
    exchanges.forget()


@shared_task
def deliver_outbox() -> None:
    outbox.deliver([Mail({leaks.TOPIC: leaks.tell}), Webhooks()])


@shared_task
def roll_up_health() -> None:
    health.roll_up_recent(timezone.now())


@shared_task
def roll_up_late_health() -> None:
    """What was entered late: long streams, and settlements that waited for Postgres."""
    health.roll_up_late(timezone.now())
