"""Usage events for tests, written as the data plane writes them: through billing_settle."""

from __future__ import annotations

import json
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from accounts.models import ApiKey


def settle(key: ApiKey, at: datetime | None = None, *, charged: int = 0, **fields: Any) -> uuid.UUID:
    """One request of `key` that was admitted `at` some instant, else now, and came to `charged` nano-dollars."""
    at = at or datetime.now(UTC)
    request_id = id_at(at)
    _hold(key, request_id, at, charged)
    item = {
        "organization_id": key.organization_id,
        "request_id": str(request_id),
        "api_key_id": key.pk,
        "model": "gpt-6-luna",
        "provider": "openai",
        "stream": False,
        "status": 200,
        "usage_source": "provider",
        "charged_nano": charged,
        "started_at": at.isoformat(),
        "duration_ms": 100,
        **fields,
    }
    send([item])
    return request_id


def send(items: list[dict[str, Any]]) -> None:
    """Settle events as JSON objects, by column."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_settle(%s::jsonb)", [json.dumps(items)])


def _hold(key: ApiKey, request_id: uuid.UUID, at: datetime, amount: int) -> None:
    """A hold of exactly `amount`: only a hold has an instant of admission that a test can choose."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_lock(ARRAY[%s::bigint])", [key.organization_id])
        if amount:
            cursor.execute(
                "SELECT billing_enter(%s, 'grant', %s, %s, 'for a test', 'test')",
                [key.organization_id, f"test {request_id}", amount],
            )
            cursor.execute(
                "UPDATE billing_wallet SET held_nano = held_nano + %s WHERE organization_id = %s",
                [amount, key.organization_id],
            )
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, project_id, member_id, amount_nano,"
            " model_requested, model, stream, admitted_at) VALUES (%s, %s, %s, %s, %s, %s, '', '', false, %s)",
            [key.organization_id, request_id, key.pk, key.project_id, key.owner_id, amount, at],
        )


def id_at(at: datetime) -> uuid.UUID:
    """A request id (UUID version 7) of that instant."""
    value = int(at.timestamp() * 1000) << 80 | secrets.randbits(80)
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)
