"""What went wrong, read from whatever shape a server that speaks OpenAI's format says it in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from accounts.redaction import redact
from gateway import errors

CALLERS_FAULT = frozenset({400, 404, 409, 413, 415, 422})
UNSAID = "The provider refused the request without saying why."
TOO_LONG = re.compile(r"context.{0,20}(?:length|size|window)|prompt is too long", re.IGNORECASE)
_WORDS = frozenset({"message", "type", "param", "code", "status", "status_code"})
_CODE = re.compile(r"[\w.:-]+")
# What a code or a type means where no status says it, inside an answer that began as a success.
_STATUSES = {
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 503,
    "invalid_request_error": 400,
    "BadRequestError": 400,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An error in the server's own words."""

    message: str = ""
    type: str = ""
    code: str | None = None
    param: str | None = None
    status: int | None = None  # where the error itself names one
    more: Mapping[str, Any] = field(default_factory=dict)  # what else it says, for programs

    @property
    def meaning(self) -> int | None:
        """The status it would have had, as far as that can be known."""
        return self.status or _STATUSES.get(self.code or "") or _STATUSES.get(self.type)


def read(body: bytes) -> Told:
    """The error in an answer's body. A page of HTML says nothing."""
    try:
        return told(orjson.loads(body))
    except orjson.JSONDecodeError:
        return Told()


def told(payload: object) -> Told:
    """OpenAI's object, alone or under `error`; a bare string; `detail`, also as a list; a list with one in it."""
    if isinstance(payload, list):
        payload = payload[0] if payload else {}
    if isinstance(payload, str):
        return Told(message=payload)
    if not isinstance(payload, dict):
        return Told()
    inner = payload.get("error") or payload.get("detail") or payload
    fields = inner if isinstance(inner, dict) else {"message": inner, "code": payload.get("code")}
    message, param = _said(fields.get("message") or fields.get("detail"))
    code = _code(fields.get("code"))
    found = Told(
        message=message,
        type=_text(fields.get("type")),
        code=code,
        param=_text(fields.get("param")) or param,
        status=_status(fields.get("status_code"), fields.get("status"), fields.get("code"), payload.get("statusCode")),
        more={key: value for key, value in fields.items() if key not in _WORDS} if fields is not payload else {},
    )
    return _from_behind(found, fields)


def to_caller(said: Told, status: int, *, hint: str) -> errors.ApiError:
    """A refusal that the caller can do something about, in the server's words."""
    code = said.code
    if code is None and status in {400, 413} and TOO_LONG.search(said.message):
        code = "context_length_exceeded"  # client libraries look for it
    return errors.ApiError(
        status,
        redact(said.message or UNSAID),
        type=said.type or errors.INVALID,
        code=code,
        param=said.param,
        details=_redacted(said.more),
        hint=hint,
    )


def half_way(said: Told) -> errors.ApiError:
    """One that came in an answer which began as a success, and which names no status that is known."""
    return errors.ApiError(
        502,
        redact(said.message or "The provider reported an error without saying what."),
        type=said.type or errors.SERVER,
        code=said.code,
        param=said.param,
    )


def _from_behind(found: Told, fields: Mapping[str, Any]) -> Told:
    """OpenRouter says that a provider failed; what the provider itself said is in `metadata.raw`."""
    metadata = fields.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if not isinstance(raw, str) or not raw.strip() or raw.lstrip().startswith("<"):
        return found
    try:
        inner = told(orjson.loads(raw))
    except orjson.JSONDecodeError:
        inner = Told(message=raw)
    return Told(
        message=inner.message or found.message,
        type=inner.type or found.type,
        code=inner.code or found.code,
        param=inner.param or found.param,
        status=found.status,
        more=found.more,
    )


def _said(message: object) -> tuple[str, str | None]:
    """A sentence, and the field it is about when a validator's list names one."""
    if isinstance(message, dict):
        return _said(message.get("message") or message.get("detail") or message.get("msg"))
    if not isinstance(message, list):
        return ("" if message is None else str(message)), None
    faults = [fault for fault in message if isinstance(fault, dict)]
    paths = [".".join(str(step) for step in fault.get("loc") or () if step != "body") for fault in faults]
    sentences = [f"{path}: {fault.get('msg')}" for path, fault in zip(paths, faults, strict=True)]
    return "; ".join(sentences[:3]), next((path for path in paths if path), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _code(value: object) -> str | None:
    """A word for programs. A status in its place says nothing, and neither does a sentence."""
    if value is None or isinstance(value, bool) or _status(value) is not None:
        return None
    return str(value) if _CODE.fullmatch(str(value)) else None


def _status(*values: object) -> int | None:
    for value in values:
        if isinstance(value, int | str) and re.fullmatch(r"[45]\d\d", str(value)):
            return int(value)
    return None


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    return [_redacted(inner) for inner in value] if isinstance(value, list) else value
