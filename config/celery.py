"""The Celery application: JSON only, acknowledged when done, and a schedule that lives in code."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("2389")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=600,
    task_soft_time_limit=540,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # Longer than the longest task, or Valkey hands a running task to a second worker.
    broker_transport_options={"visibility_timeout": 3600},
    timezone="UTC",
    beat_schedule={
        "warn of model shutdowns": {
            "task": "gateway.tasks.warn_of_shutdowns",
            "schedule": crontab(hour="6", minute="10"),
        },
        "forget idempotent answers": {"task": "gateway.tasks.forget_idempotent_answers", "schedule": 600.0},
        "forget secrets of the playground": {
            "task": "accounts.tasks.forget_playground_secrets",
            "schedule": crontab(minute="35"),
        },
        "forget exchanges": {"task": "gateway.tasks.forget_exchanges", "schedule": 60.0, "options": {"expires": 60}},
        "alert of vanished models": {"task": "gateway.tasks.alert_of_vanished_models", "schedule": 300.0},
        "deliver the outbox": {
            "task": "gateway.tasks.deliver_outbox",
            "schedule": 10.0,
            "options": {"expires": 10},  # after a night without workers one is enough
        },
        # What is rung so often must not pile up while no worker is there.
        "roll up usage": {"task": "billing.tasks.roll_up_usage", "schedule": 20.0, "options": {"expires": 20}},
        "sweep holds": {"task": "billing.tasks.sweep_holds", "schedule": 15.0, "options": {"expires": 15}},
        "roll up health": {"task": "gateway.tasks.roll_up_health", "schedule": 60.0, "options": {"expires": 60}},
        "roll up late health": {"task": "gateway.tasks.roll_up_late_health", "schedule": crontab(minute="25")},
        "audit the ledger": {"task": "billing.tasks.audit_ledger", "schedule": 300.0, "options": {"expires": 300}},
        "audit all of the ledger": {
            "task": "billing.tasks.audit_ledger",
            "schedule": crontab(hour="3", minute="0"),
            "kwargs": {"full": True},
        },
        "seal the ledger": {"task": "billing.tasks.seal_ledger", "schedule": crontab(minute="5")},
        "make statements": {
            "task": "billing.tasks.make_statements",
            "schedule": crontab(day_of_month="1-3", hour="1", minute="20"),
        },
        "top up": {"task": "billing.tasks.top_up", "schedule": 30.0, "options": {"expires": 30}},
        "issue invoices": {
            "task": "billing.tasks.issue_invoices",
            "schedule": crontab(day_of_month="1-3", hour="1", minute="40"),
        },
        "make partitions": {"task": "billing.tasks.make_partitions", "schedule": crontab(hour="3", minute="20")},
    },
)
app.autodiscover_tasks()
