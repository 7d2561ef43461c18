"""Background work of the ledger. A task is a doorbell: it may ring twice, and at once."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import connection

from billing import partitions, rollups

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


def _sweep() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_sweep(make_interval(secs => %s), %s)", [settings.GATEWAY_ORPHAN_SECONDS, AT_ONCE]
        )
        closed: int = cursor.fetchall()[0][0]
        return closed
