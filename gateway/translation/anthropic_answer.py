"""What an answer's pieces mean, whether it comes whole or as a stream."""

from __future__ import annotations

from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import Call
from gateway.translation.anthropic_calls import FREE_TEXT
from gateway.translation.anthropic_names import Reading

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "stop",
    "compaction": "length",
}

LONGEST_ESCAPE = 12  # a pair of \\uXXXX
_TIERS = {"standard": "default", "priority": "priority"}


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in a body or event. Raises `ApiError` (502)."""
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise errors.upstream_unavailable("Anthropic sent something that is not JSON") from error
    if not isinstance(payload, dict):
        raise errors.upstream_unavailable("Anthropic sent JSON that is not an object")
    return payload


def finish_reason(stop_reason: object, *, called: bool, legacy: bool) -> str:
    """A value that strict clients know, for every reason there is. `called` says whether the caller sees a call."""
    finish = FINISH.get(str(stop_reason), "stop")
    if finish in {"stop", "tool_calls"}:
        finish = "tool_calls" if called else "stop"
    return "function_call" if legacy and finish == "tool_calls" else finish


def explanation(stop_details: object) -> str | None:
    """Why the model refused, when it says so."""
    text = stop_details.get("explanation") if isinstance(stop_details, dict) else None
    return text if isinstance(text, str) and text else None


def call_header(call: Call, reading: Reading, block: dict[str, Any], number: int) -> tuple[str, str, str]:
    """Id, kind and name of the caller's call number `number`. Raises `ApiError` (502) for one without a name."""
    name = block.get("name")
    if not isinstance(name, str) or not name:
        raise errors.upstream_unavailable("Anthropic's answer calls a tool without saying which")
    given = block.get("id")
    identity = given if isinstance(given, str) and given else f"call_{call.request_id.replace('-', '')}_{number}"
    return identity, "custom" if name in reading.custom else "function", reading.names.back(name)


def citation_of(citation: object) -> dict[str, Any] | None:
    """A citation of a page as OpenAI's annotation, which knows of no others. Where it stands is still to be added."""
    if not isinstance(citation, dict) or not isinstance(citation.get("url"), str) or not citation["url"]:
        return None
    return {"url": citation["url"], "title": citation.get("title") or ""}


def annotation(cited: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, **cited}}


def service_tier(call: Call, counts: object) -> dict[str, str]:
    """The tier that served, in OpenAI's word, for a caller who named one."""
    named = call.body.get("service_tier") is not None and isinstance(counts, dict)
    tier = _TIERS.get(str(counts.get("service_tier"))) if named and isinstance(counts, dict) else None
    return {"service_tier": tier} if tier else {}


def free_text(arguments: str) -> str:
    """The text that a custom tool is called with: of arguments that were cut off, as far as it goes."""
    for cut in range(min(len(arguments), LONGEST_ESCAPE) + 1):
        for ending in ("", '"}'):
            try:
                given = orjson.loads(arguments[: len(arguments) - cut] + ending)
            except orjson.JSONDecodeError:
                continue
            text = given.get(FREE_TEXT) if isinstance(given, dict) else None
            return text if isinstance(text, str) else arguments if given else ""
    return ""
