"""Background work about keys. A task is a doorbell: it may ring twice."""

from __future__ import annotations

from celery import shared_task

from accounts import playground_keys


@shared_task
def forget_playground_secrets() -> None:
    playground_keys.forget_ended()
