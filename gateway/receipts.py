"""`GET /v1/generations/{request_id}`: the receipt of one request, from the ledger."""

from __future__ import annotations

import uuid
from dataclasses import fields
from typing import Any

import psycopg
from psycopg.rows import dict_row

from accounts.directory import Principal
from accounts.pool import Pool
from billing import money
from billing.usage import Usage
from gateway import errors

_EVENT = "SELECT * FROM billing_usageevent WHERE organization_id = %s AND request_id = %s"
_HOLD = "SELECT * FROM billing_hold WHERE organization_id = %s AND request_id = %s"
BUCKETS = tuple(bucket.name for bucket in fields(Usage))


async def receipt(pool: Pool, principal: Principal, request_id: str) -> dict[str, Any]:
    """Raises `ApiError`: 404 for what is not there, and for what belongs to somebody else."""
    try:
        place = [principal.organization_id, uuid.UUID(request_id)]
    except ValueError as error:
        raise _unknown(request_id) from error
    try:
        async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            event = await (await cursor.execute(_EVENT, place)).fetchone()
            hold = None if event else await (await cursor.execute(_HOLD, place)).fetchone()
    except (psycopg.Error, OSError) as error:
        raise errors.unavailable(
            "The receipt cannot be read right now. Try again in a few seconds.",
            hint=f"the ledger did not answer: {type(error).__name__}",
        ) from error
    row = event or hold
    if row is None or not (row["api_key_id"] == principal.api_key_id or principal.may("usage")):
        raise _unknown(request_id)
    return _ended(row) if event else _under_way(row)


def _unknown(request_id: str) -> errors.ApiError:
    return errors.ApiError(
        404,
        f"There is no request '{request_id[:60]}' of this key. Use the x-request-id of an answer; a key with the scope "
        "usage sees those of its whole organisation.",
        type=errors.INVALID,
        code="generation_not_found",
        param="request_id",
    )


def _common(row: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": str(row["request_id"]),
        "object": "generation",
        "status": status,
        "model_requested": row["model_requested"],
        "model": row["model"],
        "provider": row["provider"],
        "upstream_model": row["upstream_model"],
        "stream": row["stream"],
        "api_key_id": row["api_key_id"],
        "project_id": row["project_id"],
        "max_tokens": row["max_tokens"],
        "price_version": row["price_id"],
        "charge_price_version": row["charge_price_id"],
        "markup_basis_points": row["markup_basis_points"],
        "admitted_at": row["admitted_at"].isoformat(),
    }


def _under_way(row: dict[str, Any]) -> dict[str, Any]:
    return {**_common(row, "in_progress"), "held": money.dollars(row["amount_nano"])}


def _ended(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **_common(row, "ended"),
        "http_status": row["status"],
        "error_code": row["error_code"] or None,
        "finish_reason": row["finish_reason"] or None,
        "tokens": {bucket: row[f"{bucket}_tokens"] for bucket in BUCKETS},
        "usage_source": row["usage_source"],
        "rule": row["rule"],
        "held": money.dollars(row["held_nano"]),
        "cost": money.dollars(row["charged_nano"]),
        "first_token_ms": row["first_token_ms"],
        "duration_ms": row["duration_ms"],
        "ended_at": row["ended_at"].isoformat(),
        "attempts": [
            {name: attempt.get(name) for name in ("provider", "status", "error_code", "ms")}
            for attempt in row["attempts"]
        ],
    }
