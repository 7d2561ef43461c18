"""What rings by itself, and what happens then."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from accounts.models import ApiKey
from billing import partitions, tasks
from billing.models import Hold, UsageDay, UsageEvent
from config.celery import app
from gateway import request_ids
from tests.billing.events import settle

pytestmark = pytest.mark.django_db


def _open(key: ApiKey, *, silent_for: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, amount_nano, model_requested, model,"
            " stream, heard_at) VALUES (%s, %s, %s, 0, 'm', 'm', false, clock_timestamp() - make_interval(secs => %s))",
            [key.organization_id, request_ids.new(), key.pk, silent_for],
        )


def test_usage_is_rolled_up(key: ApiKey) -> None:
    settle(key)
    tasks.roll_up_usage()
    assert UsageDay.objects.get().requests == 1


def test_requests_whose_process_is_gone_are_closed(key: ApiKey, settings: Any) -> None:
    settings.GATEWAY_ORPHAN_SECONDS = 100
    _open(key, silent_for=101)
    _open(key, silent_for=50)
    tasks.sweep_holds()
    assert UsageEvent.objects.get().usage_source == "swept"
    assert Hold.objects.count() == 1


def test_sweeping_goes_on_until_nothing_is_left(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AT_ONCE", 2)
    for _ in range(5):
        _open(key, silent_for=1000)
    tasks.sweep_holds()
    assert UsageEvent.objects.count() == 5


def test_partitions_are_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []
    monkeypatch.setattr(partitions, "make_ahead", lambda: made.append(True))
    tasks.make_partitions()
    assert made


def test_everything_on_the_schedule_is_a_task_that_there_is() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
