"""Google's errors, before and after the first byte, as what the caller is told.

What is the operator's doing (the key, the account, the region) is never told as the caller's: it becomes a 502.
Google says some of that with a 400, so its `status` and the `reason` in the details decide, not the number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from accounts.redaction import redact
from gateway import errors
from gateway.providers.base import Call

STATUS_OF = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 403,  # a region or an account that is not served
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 500,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
BILLING_REASONS = frozenset({"BILLING_DISABLED", "CONSUMER_SUSPENDED"})
OUR_KEY = ("API key", "API Key")  # is not valid, has expired, was not found: also where the details are missing
TOO_LONG = "exceeds the maximum number of tokens"
CALLERS_FAULT = frozenset({400, 404, 409, 413})


def error_for(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
    """For an answer with an error status."""
    detail = _detail(body)
    if detail is None:
        return _unreadable(call, status, headers, body)
    return _told(call, status, detail, retry_after=headers.get("retry-after"))


def error_in_body(call: Call, error: object) -> errors.ApiError:
    """For an error object where an answer was promised: in a stream, or in a body with status 200."""
    detail = error if isinstance(error, dict) else {"message": str(error)}
    code = detail.get("code")
    return _told(call, code if isinstance(code, int) and code >= 400 else 500, detail)


def _told(call: Call, status: int, detail: Mapping[str, Any], *, retry_after: str | None = None) -> errors.ApiError:
    said = redact(str(detail.get("message") or ""))
    hint = f"{call.target.provider} answered {status} for {call.target.upstream_model}: {said}"
    meant = _meant(status, detail)
    if meant not in CALLERS_FAULT:
        return errors.from_upstream(meant, hint=hint, retry_after=_retry_delay(detail) or retry_after)
    if meant == 404 and errors.names_model(said, call.target.upstream_model):
        return errors.model_gone(call.target.model, hint=hint)
    message = said or "The provider refused the request without saying why."
    if TOO_LONG in said:
        return _refused(400, message, hint, code="context_length_exceeded", param="messages")
    return _refused(meant, message, hint, code="request_too_large" if meant == 413 else None)


def _meant(status: int, detail: Mapping[str, Any]) -> int:
    """The HTTP status that says what really happened."""
    reasons = {str(entry.get("reason")) for entry in _details(detail)}
    if any(reason.startswith("API_KEY") for reason in reasons) or str(detail.get("message")).startswith(OUR_KEY):
        return 401
    if reasons & BILLING_REASONS:
        return 402
    return STATUS_OF.get(str(detail.get("status")), status)


def _details(detail: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = detail.get("details")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _retry_delay(detail: Mapping[str, Any]) -> str | None:
    """The seconds of a `RetryInfo`, which writes them as `48s`."""
    delays = [entry["retryDelay"] for entry in _details(detail) if isinstance(entry.get("retryDelay"), str)]
    return delays[0].removesuffix("s") if delays else None


def _refused(status: int, message: str, hint: str, *, code: str | None, param: str | None = None) -> errors.ApiError:
    return errors.ApiError(status, message, type=errors.INVALID, code=code, param=param, hint=hint)


def _unreadable(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
    """A page from something in between."""
    hint = f"{call.target.provider} answered {status}: {redact(body[:300].decode('utf-8', 'replace'))}"
    if status == 413:
        message = "The request is larger than the model's provider takes."
        return _refused(413, message, hint, code="request_too_large")
    if status in CALLERS_FAULT:
        return errors.upstream_unavailable(hint)
    return errors.from_upstream(status, hint=hint, retry_after=headers.get("retry-after"))


def _detail(body: bytes) -> Mapping[str, Any] | None:
    """The error object, or None for a body that is not Google's. A stream that failed at once is a list of one."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(payload, list) and payload:
        payload = payload[0]
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else None
