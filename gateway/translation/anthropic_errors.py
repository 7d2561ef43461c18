"""Anthropic's errors, before and after the first byte, as what the caller is told.

What is the operator's doing (the credential, the account) is never told as the caller's: it becomes a 502.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from accounts.redaction import redact
from gateway import errors
from gateway.providers.base import Call

STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
CODES = {413: "request_too_large"}
TOO_LONG = ("prompt is too long", "input length and `max_tokens` exceed context limit")
NO_CREDIT = "credit balance is too low"  # said with a 400, though it is the account that is refused
CALLERS_FAULT = frozenset({400, 404, 409, 413})


def error_for(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
    """For an answer with an error status."""
    detail = _detail(body)
    return _told(call, status, detail, retry_after=headers.get("retry-after"), raw=body)


def error_in_body(call: Call, payload: Mapping[str, Any]) -> errors.ApiError:
    """For an error object where an answer was promised: in a stream, or in a body with status 200."""
    error = payload.get("error")
    detail = error if isinstance(error, dict) else {"message": str(error)}
    return _told(call, STATUS_OF_TYPE.get(str(detail.get("type")), 500), detail)


def _told(
    call: Call, status: int, detail: Mapping[str, Any] | None, *, retry_after: str | None = None, raw: bytes = b""
) -> errors.ApiError:
    said = redact(str((detail or {}).get("message") or ""))
    shown = said or redact(raw[:300].decode("utf-8", "replace"))
    hint = f"{call.target.provider} answered {status} for {call.target.upstream_model}: {shown}"
    if NO_CREDIT in said:
        return errors.from_upstream(402, hint=hint)
    if status not in CALLERS_FAULT:
        return errors.from_upstream(status, hint=hint, retry_after=retry_after)
    if status == 413:
        return _refused(413, said or "The request is larger than the model's provider takes.", hint)
    if detail is None:
        return errors.upstream_unavailable(hint)  # a page from something in between
    if status == 404 and errors.names_model(said, call.target.upstream_model):
        return errors.model_gone(call.target.model, hint=hint)
    return _refused(status, said or "The provider refused the request without saying why.", hint)


def _refused(status: int, message: str, hint: str) -> errors.ApiError:
    code = "context_length_exceeded" if message.startswith(TOO_LONG) else CODES.get(status)
    param = "messages" if code == "context_length_exceeded" else None
    return errors.ApiError(status, message, type=errors.INVALID, code=code, param=param, hint=hint)


def _detail(body: bytes) -> Mapping[str, Any] | None:
    """The error object, or None for a body that is not Anthropic's."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else None
