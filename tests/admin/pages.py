"""The admin's pages, and how tests walk them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Model as Row
from django.test import Client

from accounts.models import ApiKey, Organization
from billing import statements
from billing.models import AuditRun, Statement, UsageEvent
from tests.billing.moves import ask, enter_at

UPSTREAM = "sk-upstream-secret-0123456789"
STORED = "sk-stored-secret-9876543210"
EDITABLE = [
    "accounts/user", "accounts/organization", "accounts/membership", "accounts/project", "accounts/apikey",
    "auth/group",
    "gateway/provider", "gateway/model", "gateway/route", "gateway/webhook", "gateway/statusnote",
    "billing/price", "billing/pricelist",
    "billing/budget",
]  # fmt: skip
READ_ONLY = ["billing/usageevent", "billing/transfer", "billing/hold", "billing/outboxmessage"]
READ_ONLY += ["billing/auditrun", "billing/block", "billing/statement", "accounts/keptmail"]
READ_ONLY += ["billing/payment", "billing/document", "billing/stripeevent"]
PAGES = [*EDITABLE, *READ_ONLY, "billing/wallet"]
NEVER_DELETED = [
    "accounts/user", "accounts/organization", "accounts/project", "accounts/apikey", "billing/price",
    "billing/pricelist",
    "billing/budget", "billing/wallet",
    *READ_ONLY,
]  # fmt: skip


def change_url(page: str, rows: dict[str, Row]) -> str:
    return f"/admin/{page}/{rows[page].pk}/change/"


def html(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def run(client: Client, page: str, action: str, row: Row) -> str:
    response = client.post(f"/admin/{page}/", {"action": action, "_selected_action": [row.pk]}, follow=True)
    return response.content.decode()


def make_usage(key: ApiKey, **fields: Any) -> UsageEvent:
    now = datetime.now(UTC)
    known = {
        "request_id": uuid.uuid4(),
        "model_requested": "old-name",
        "model": "small",
        "provider": "openai",
        "stream": False,
        "status": 200,
        "input_tokens": 1200,
        "output_tokens": 34,
        "started_at": now,
        "ended_at": now,
        "duration_ms": 56,
    }
    return UsageEvent.objects.create(organization=key.organization, api_key=key, **{**known, **fields})


def make_audit(*details: str) -> AuditRun:
    """An audit that found these."""
    violations = [{"check": "wallet_held", "organization_id": 7, "detail": detail} for detail in details]
    known = {"full": True, "started_at": datetime.now(UTC), "checks": 17, "differences": len(details)}
    return AuditRun.objects.create(violations=violations, **known)


def make_statement(organization: Organization) -> Statement:
    """March, and the block that it is about."""
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", organization.pk)
    enter_at(organization, datetime(2026, 3, 2, 9, tzinfo=UTC))
    return statements.make(organization, date(2026, 3, 1))
