"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, all four keys always there."""

from __future__ import annotations

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
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers: dict[str, str] = dict(headers or {})
        self.hint = hint

    def to_dict(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def body(self) -> bytes:
        return orjson.dumps(self.to_dict())


class ModelGoneError(ApiError):
    """The vendor says it has no such model: the successor, if there is one, is asked instead."""


def invalid(message: str, *, param: str | None = None, code: str | None = "invalid_request_error") -> ApiError:
    return ApiError(400, message, type=INVALID, code=code, param=param)


def unauthorized(message: str) -> ApiError:
    return ApiError(401, message, type=INVALID, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def model_not_found(message: str) -> ApiError:
    return ApiError(404, message, type=INVALID, code="model_not_found", param="model")


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
