"""Money moved by the functions of billing/sql, and rows changed behind their backs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.models import ApiKey, Organization
from billing.models import Budget, UsageEvent
from gateway import request_ids

DOLLAR = 10**9
COUNTS = [field.name for field in UsageEvent._meta.fields if field.name.endswith("_tokens")] + ["cost_nano"]


def ask(sql: str, *values: Any) -> Any:
    """The first column of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def tamper(sql: str, *values: Any) -> None:
    """As somebody who owns the database could: with no trigger to stop it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        assert cursor.rowcount == 1, f"{cursor.rowcount} rows were changed by {sql}"


def top_up(organization: Organization, amount: int = 10 * DOLLAR, ref: str = "invoice 1") -> int:
    return int(ask("SELECT id FROM billing_enter(%s, 'topup', %s, %s, '', '')", organization.pk, ref, amount))


def adjust(organization: Organization, amount: int, ref: str) -> int:
    sql = "SELECT id FROM billing_enter(%s, 'adjustment', %s, %s, 'agreed', 'root@example.com')"
    return int(ask(sql, organization.pk, ref, amount))


def reverse(organization: Organization, entry: int) -> int:
    return int(ask("SELECT id FROM billing_reverse(%s, %s, 'a mistake', 'root@example.com')", organization.pk, entry))


def reserve(key: ApiKey, amount: int = DOLLAR) -> UUID:
    """A request under way."""
    request = request_ids.new()
    outcome = ask(
        "SELECT outcome FROM billing_reserve(ARRAY[%s::uuid], ARRAY[%s::bigint], ARRAY[%s::bigint],"
        " ARRAY[NULL::bigint], ARRAY[NULL::bigint], ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY['small'],"
        " ARRAY['small'], ARRAY[false], ARRAY[NULL::bigint], ARRAY[NULL::bigint], ARRAY[0])",
        request, key.organization_id, key.pk, amount, amount,
    )  # fmt: skip
    assert outcome == "ok"
    return request


def settle(key: ApiKey, request: UUID, charged: int = DOLLAR // 4, source: str = "provider") -> str:
    item = {
        "organization_id": key.organization_id,
        "request_id": str(request),
        "api_key_id": key.pk,
        "stream": False,
        "status": 200,
        "usage_source": source,
        "charged_nano": charged,
        "started_at": datetime.now(UTC).isoformat(),
        "duration_ms": 5,
        **dict.fromkeys(COUNTS, 1),
        **dict.fromkeys(("provider", "upstream_model", "finish_reason"), "any"),
    }
    return str(ask("SELECT outcome FROM billing_settle(%s::jsonb)", json.dumps([item])))


def spend(key: ApiKey, charged: int = DOLLAR // 4) -> UUID:
    request = reserve(key)
    assert settle(key, request, charged) == "new"
    return request


def sweep(request: UUID) -> None:
    """As if nothing had been heard of this request for long."""
    tamper("UPDATE billing_hold SET heard_at = now() - interval '1 day' WHERE request_id = %s", request)
    assert ask("SELECT billing_sweep(interval '10 minutes', 10)") == 1


def make_budget(organization: Organization, **fields: Any) -> Budget:
    known = {"name": "all of it", "limit_nano": 8 * DOLLAR, "period": "month"}
    budget = Budget.objects.create(organization=organization, **{**known, **fields})
    tamper("UPDATE billing_budget SET created_at = now() - interval '90 days' WHERE id = %s", budget.pk)
    return budget


def enter_at(organization: Organization, at: datetime, amount: int = DOLLAR, ref: str = "") -> None:
    """A top-up at an instant that has passed."""
    ask(
        "INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano, created_at)"
        " VALUES (%s, 'topup', %s, 'cash', 'wallet', %s, %s) RETURNING id",
        organization.pk, ref or f"at {at:%Y-%m-%d %H:%M}", amount, at,
    )  # fmt: skip
