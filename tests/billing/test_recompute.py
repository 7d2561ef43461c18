"""Any charge can be computed again from its row alone."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from accounts.models import ApiKey
from billing import recompute
from billing.models import Price
from gateway import request_ids
from tests.factories import make_credit, make_price, make_price_list

pytestmark = pytest.mark.django_db
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def _charge(
    key: ApiKey, price: Price, *, charged: int, cost: int, listed: Price | None = None, markup: int = 0
) -> None:
    """A request of 100 tokens in and 50 out that was held a dollar for, written as the ledger writes it."""
    make_credit(key.organization, ref=uuid.uuid4().hex)
    place: list[Any] = [request_ids.new(), key.organization_id, key.pk]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM billing_reserve(ARRAY[%s::uuid], ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY[NULL::bigint],"
            " ARRAY[NULL::bigint], ARRAY[1000000000], ARRAY[0], ARRAY['m'], ARRAY['m'], ARRAY[false],"
            " ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY[%s])",
            [*place, price.pk, listed.pk if listed else None, markup],
        )
        event: dict[str, Any] = {"request_id": str(place[0]), "organization_id": place[1], "api_key_id": place[2]}
        event |= {"stream": False, "status": 200, "duration_ms": 1, "started_at": datetime.now(UTC).isoformat()}
        event |= {"input_tokens": 100, "output_tokens": 50, "rule": "complete", "charged_nano": charged}
        cursor.execute("SELECT * FROM billing_settle(%s)", [json.dumps([{**event, "cost_nano": cost}])])


def _differences(key: ApiKey) -> list[tuple[int, str]]:
    return list(recompute.differing(key.organization_id, EVER, 100))


def test_a_right_charge_is_no_difference(key: ApiKey) -> None:
    price = make_price("m", input="1", output="2")  # 100 at $1 and 50 at $2 for a million: 200,000 nano-dollars
    _charge(key, price, charged=200_000, cost=200_000)
    _charge(key, price, charged=220_000, cost=200_000, markup=1000)
    listed = make_price("m", input="3", output="4", price_list=make_price_list())
    _charge(key, price, charged=500_000, cost=200_000, listed=listed, markup=1000)
    assert _differences(key) == []


@pytest.mark.parametrize(("charged", "cost"), [(200_001, 200_000), (199_999, 200_000), (200_000, 1)])
def test_a_wrong_charge_is_found(key: ApiKey, charged: int, cost: int) -> None:
    _charge(key, make_price("m", input="1", output="2"), charged=charged, cost=cost)
    ((organization, detail),) = _differences(key)
    assert organization == key.organization_id
    assert "200000" in detail
