"""Background work of the gateway. A task is a doorbell: it may ring twice."""

from __future__ import annotations

from celery import shared_task

from billing import outbox
from billing.mail import Mail
from gateway import exchanges, idempotency, leaks, notices, registry
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
