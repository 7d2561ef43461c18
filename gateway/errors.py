"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, all four keys always there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

INVALID = "invalid_request_error"
SERVER = "api_error"


class ApiError(Exception):
    """What the caller is told. `message` is for people: what is wrong and what would be right.

    `hint` is for the operator and goes to the log only: it may name servers, never secrets.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str,  # noqa: A002 - the wire's own word
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers: dict[str, str] = dict(headers or {})
        self.details = details or {}  # more keys of the error object, for programs
        self.hint = hint

    def to_dict(self) -> dict[str, Any]:
        shape = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": {**shape, **self.details}}

    def body(self) -> bytes:
        return orjson.dumps(self.to_dict())


class ModelGoneError(ApiError):
    """The vendor says it has no such model: the successor, if there is one, is asked instead."""


def invalid(message: str, *, param: str | None = None, code: str | None = "invalid_request_error") -> ApiError:
    return ApiError(400, message, type=INVALID, code=code, param=param)


def unauthorized(message: str) -> ApiError:
    return ApiError(401, message, type=INVALID, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def rate_limited(limit: int, retry_after: int) -> ApiError:
    return ApiError(
        429,
        f"Rate limit reached: this key may make {limit} requests in any 60 seconds. Try again in {retry_after} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(retry_after)},
    )


def out_of_tokens(limit: int, tokens: int, seconds: float) -> ApiError:
    """Of a bucket that fills again. Client libraries do not wait for longer than a minute, so nobody is told to."""
    wait = min(60, max(1, math.ceil(seconds)))
    wanted = "none is left" if tokens == 1 else f"this request may use {tokens}, more than are left"
    return ApiError(
        429,
        f"Rate limit reached: this key may use {limit} tokens a minute, and {wanted}. Try again in {wait} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(wait)},
    )


def too_many_tokens(limit: int, tokens: int) -> ApiError:
    """Of a request that no waiting helps."""
    return ApiError(
        429,
        f"This request may use {tokens} tokens, and this key may use {limit} a minute: it can never pass. "
        "Send less, ask for fewer tokens of output, or have the key's limit raised.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"x-should-retry": "false"},
    )


def model_not_allowed(model: str) -> ApiError:
    return ApiError(
        403,
        f"This key may not use the model '{model}'. GET /v1/models lists those that it may use.",
        type="permission_error",
        code="model_not_allowed",
        param="model",
        headers={"x-should-retry": "false"},
    )


def address_not_allowed(address: str) -> ApiError:
    return ApiError(
        403,
        f"This key may not be used from {address}. Call from an address that its settings allow, or change them.",
        type="permission_error",
        code="address_not_allowed",
        headers={"x-should-retry": "false"},
    )


def too_many_strangers(retry_after: int) -> ApiError:
    return ApiError(
        429,
        f"Too many requests without a valid API key came from your address. Try again in {retry_after} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(retry_after)},
    )


def insufficient_scope(scope: str) -> ApiError:
    return ApiError(
        403,
        f"This key was not issued for this: it needs the scope '{scope}'. Use a key that has it.",
        type="permission_error",
        code="insufficient_scope",
        headers={"x-should-retry": "false"},
    )


def model_not_found(message: str) -> ApiError:
    return ApiError(404, message, type=INVALID, code="model_not_found", param="model")


def names_model(said: str, upstream_model: str) -> bool:
    """Whether a provider's 404 is about the model that it was asked for.

    By that model's own name: what else was not found, and has "model" in its name, the caller may have made up,
    and a model that is marked as gone is gone for everybody.
    """
    said = said.lower()
    return "model" in said and upstream_model.lower() in said


def model_gone(model: str, *, hint: str) -> ModelGoneError:
    return ModelGoneError(
        404,
        f"The model '{model}' does not exist at its provider.",
        type=INVALID,
        code="model_not_found",
        param="model",
        hint=hint,
    )


def internal() -> ApiError:
    return ApiError(
        500,
        "Something went wrong on our side. Try again; if it stays, tell us the x-request-id of this answer.",
        type=SERVER,
        code="internal_error",
    )


def unavailable(message: str, *, code: str = "service_unavailable", hint: str = "", retry_after: int = 5) -> ApiError:
    """Our own infrastructure failed: never the caller's fault."""
    return ApiError(503, message, type=SERVER, code=code, hint=hint, headers={"retry-after": str(retry_after)})


def upstream_unavailable(hint: str) -> ApiError:
    return ApiError(
        502,
        "The model's provider could not be reached or gave an answer that cannot be read. Try again.",
        type=SERVER,
        code="upstream_unavailable",
        hint=hint,
    )


def upstream_timeout(hint: str) -> ApiError:
    return ApiError(
        504,
        "The model's provider did not answer in time. Try again.",
        type="timeout_error",
        code="upstream_timeout",
        hint=hint,
    )


def upstream_cut(hint: str) -> ApiError:
    """The stream ended before the answer did: told inside the stream, never as a finished answer."""
    return ApiError(
        502,
        "The provider's answer was cut off before it was complete. What came before this is all there is. Try again.",
        type=SERVER,
        code="upstream_incomplete",
        hint=hint,
    )


# What a provider's status means to the caller, where it is not the caller's own doing: status, type, code, message.
_UPSTREAM: dict[int, tuple[int, str, str, str]] = {
    401: (502, SERVER, "upstream_authentication_error", "The provider refused our credential. We have been told."),
    402: (502, SERVER, "upstream_billing_error", "The provider refused our account. We have been told."),
    403: (502, "permission_error", "upstream_permission_error", "The provider refused our account this model."),
    408: (504, "timeout_error", "upstream_timeout", "The model's provider did not answer in time. Try again."),
    500: (502, SERVER, "upstream_error", "The model's provider failed. Try again."),
    502: (502, SERVER, "upstream_error", "The model's provider failed. Try again."),
    503: (503, SERVER, "overloaded", "The model's provider is overloaded. Try again in a moment."),
    504: (504, "timeout_error", "upstream_timeout", "The model's provider did not answer in time. Try again."),
    529: (503, SERVER, "overloaded", "The model's provider is overloaded. Try again in a moment."),
}
MAX_RETRY_AFTER = 60  # client libraries sleep for as long as they are told


def from_upstream(status: int, *, hint: str, retry_after: str | None = None) -> ApiError:
    """The error for a provider's status that is no fault of the caller: its body is for the log only."""
    seconds = _seconds(retry_after)
    if status == 429:
        return ApiError(
            429,
            "The model's provider is at its rate limit. Try again in a moment.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            headers={"retry-after": str(seconds or 1)},
            hint=hint,
        )
    known = _UPSTREAM.get(status, _UPSTREAM[500])
    headers = {"retry-after": str(seconds)} if seconds and known[0] == 503 else {}
    return ApiError(known[0], known[3], type=known[1], code=known[2], headers=headers, hint=hint)


def _seconds(retry_after: str | None) -> int | None:
    try:
        return min(max(1, math.ceil(float(retry_after or ""))), MAX_RETRY_AFTER)
    except (ValueError, OverflowError):
        return None
