"""Requests with prices, as the ledger has them, and what pages say of them."""

from __future__ import annotations

import html
import json
import re
import uuid
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import ApiKey
from billing.models import Price
from billing.pricing import PRICES, tariff
from billing.quotes import Quote
from billing.usage import Usage
from tests.billing.events import id_at
from tests.factories import make_credit

LIST = "/o/acme/requests/"
MOMENT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def receipt(request_id: uuid.UUID) -> str:
    return f"{LIST}{request_id}/"


def text(response: Any) -> str:
    """What the page says, without markup, with single spaces."""
    assert response.status_code == 200, response
    page = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def listed(response: Any) -> list[uuid.UUID]:
    """The requests of a list, in its order."""
    assert response.status_code == 200, response
    found = re.findall(r'<td class="moment"><a href="/o/acme/requests/([0-9a-f-]+)/">', response.content.decode())
    return [uuid.UUID(one) for one in found]


def hold(
    key: ApiKey, price: Price | None = None, *, amount: int = 0, at: datetime = MOMENT, markup: int = 0,
    listed: Price | None = None,
) -> uuid.UUID:  # fmt: skip
    """A request of `key` that is under way since some instant."""
    request_id, organization = id_at(at), key.organization
    if amount:
        make_credit(organization, 1000, ref=str(request_id))
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_lock(ARRAY[%s::bigint])", [organization.pk])
        cursor.execute(
            "UPDATE billing_wallet SET held_nano = held_nano + %s WHERE organization_id = %s", [amount, organization.pk]
        )
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, project_id, member_id, amount_nano,"
            " model_requested, model, stream, price_id, charge_price_id, markup_basis_points, provider, admitted_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'gpt-6-luna', 'gpt-6-luna', true, %s, %s, %s, 'openai', %s)",
            [organization.pk, request_id, key.pk, key.project_id, key.owner_id, amount, price.pk if price else None,
             listed.pk if listed else None, markup, at],
        )  # fmt: skip
    return request_id


def end(
    key: ApiKey, price: Price | None = None, usage: Usage | None = None, *, amount: int = 10**9, at: datetime = MOMENT,
    markup: int = 0, listed: Price | None = None, **fields: Any,
) -> uuid.UUID:  # fmt: skip
    """A request that ended, and was charged by its price."""
    usage = usage or Usage()
    request_id = hold(key, price, amount=amount, at=at, markup=markup, listed=listed)
    charged = _quote(price, listed, markup).charge(usage) if price else 0
    item = {
        "organization_id": key.organization_id, "request_id": str(request_id), "api_key_id": key.pk,
        "model_requested": "gpt-6-luna", "model": "gpt-6-luna", "provider": "openai", "upstream_model": "gpt-6-luna-1",
        "stream": True, "status": 200, "finish_reason": "stop", "usage_source": "provider", "rule": "complete",
        "charged_nano": charged, "started_at": (at - timedelta(milliseconds=4)).isoformat(),
        "ended_at": (at + timedelta(seconds=2)).isoformat(), "duration_ms": 1900, "first_token_ms": 412,
        "attempts": [
            {"provider": "openai", "upstream_model": "gpt-6-luna-1", "status": 200, "error_code": "", "ms": 380}
        ],
        **{f"{bucket}_tokens": tokens for bucket, tokens in asdict(usage).items()}, **fields,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_settle(%s::jsonb)", [json.dumps([item])])
    return request_id


def _quote(price: Price, listed: Price | None, markup: int) -> Quote:
    usual, own = (
        None
        if one is None
        else tariff(
            version=one.pk, model=one.model, prices={name: getattr(one, name) for name in PRICES}, tiers=one.tiers,
            free=one.free,
        )
        for one in (price, listed)
    )  # fmt: skip
    assert usual is not None
    return Quote(usual, own, markup)
