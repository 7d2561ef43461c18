"""A chat completion request as the body of Anthropic's `/v1/messages`.

The body is built from nothing: what Anthropic has no word for is left out, because it refuses what it does not know.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from gateway import errors
from gateway.providers.base import ChatCall
from gateway.translation.anthropic_cache import marked
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_messages import Conversation, converse
from gateway.translation.anthropic_names import Reading
from gateway.translation.anthropic_reasoning import reasoning
from gateway.translation.anthropic_schema import AT, reduced
from gateway.translation.anthropic_tools import toolset
from gateway.translation.chat_request import answer_limit

VERSION = "2023-06-01"  # of the API; the option `anthropic_version` names another
ONLY_JSON = "Answer with one JSON object and nothing else: no other text around it and no code fence."


def version(call: ChatCall) -> str:
    return str(call.target.options.get("anthropic_version") or VERSION)


def message_request(call: ChatCall) -> dict[str, Any]:
    """Raises `ApiError` (400, with `param`) for what this model cannot be asked."""
    body, takes = call.body, Capabilities.of(call.target.capabilities)
    _check_answerable(body)
    reading = Reading.of(call, takes)
    conversation = converse(body["messages"], takes=takes, names=reading.names, options=call.target.options)
    tools = toolset(call, takes=takes, reading=reading, in_history=conversation.tool_names)
    max_tokens = answer_limit(call) or call.target.max_output_tokens or settings.GATEWAY_MAX_OUTPUT_TOKENS
    unthought = takes.thinking == "manual" and conversation.breaks_thinking  # adaptive models do not miss them
    may_think = not (tools.forced or conversation.prefilled or unthought)
    thought = reasoning(body, takes=takes, max_tokens=max_tokens, may_think=may_think)
    answer_format = _answer_format(body, takes)
    made: dict[str, Any] = {
        "model": call.target.upstream_model,
        "max_tokens": max_tokens,
        "system": _system(body, conversation),
        "messages": conversation.messages,
        "tools": tools.tools,
        "tool_choice": tools.choice,
        "thinking": thought.thinking,
        "output_config": _present({"effort": thought.effort, "format": answer_format}),
        "stop_sequences": _stop_sequences(body.get("stop")),
        "metadata": _metadata(call),
        "cache_control": body["cache_control"] if isinstance(body.get("cache_control"), dict) else None,
        "stream": call.streaming or None,
        **_sampling(call, takes, thinking=thought.thinking is not None),
    }
    return marked(_present(made), call)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {})}


def _check_answerable(body: Mapping[str, Any]) -> None:
    if body.get("n") not in {None, 1}:
        raise errors.invalid(
            "'n' must be 1: this model gives one answer a request.", param="n", code="unsupported_value"
        )
    modalities = body.get("modalities")
    if body.get("audio") is not None or (isinstance(modalities, list) and "audio" in modalities):
        raise errors.invalid(
            "'modalities' must be [\"text\"]: this model does not speak.", param="modalities", code="unsupported_value"
        )


def _system(body: Mapping[str, Any], conversation: Conversation) -> list[dict[str, Any]]:
    wanted = body.get("response_format") or {}
    extra = [{"type": "text", "text": ONLY_JSON}] if wanted.get("type") == "json_object" else []
    return conversation.system + extra


def _answer_format(body: Mapping[str, Any], takes: Capabilities) -> dict[str, Any] | None:
    wanted = body.get("response_format") or {}
    kind = wanted.get("type", "text")
    if kind not in ("text", "json_object", "json_schema"):
        raise errors.invalid(
            "'response_format.type' must be text, json_object or json_schema.", param="response_format.type"
        )
    if kind != "json_schema":
        return None
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise errors.invalid(f"'{AT}' must be a JSON schema.", param=AT)
    return {"type": "json_schema", "schema": reduced(schema)} if takes.json_schema else None


def _stop_sequences(stop: object) -> list[str]:
    given = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    return [text for text in given if isinstance(text, str) and text.strip()]  # blank ones are refused


def _sampling(call: ChatCall, takes: Capabilities, *, thinking: bool) -> dict[str, Any]:
    """Versions of the API after the first know no sampling parameters, whatever the model."""
    if takes.sampling == "none" or thinking or version(call) > VERSION:
        return {}
    body = call.body
    found = {name: body[name] for name in ("temperature", "top_p", "top_k") if _is_number(body.get(name))}
    if "temperature" in found:
        found["temperature"] = min(found["temperature"], 1)  # OpenAI's scale ends at 2
        if takes.sampling == "one":
            found.pop("top_p", None)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _metadata(call: ChatCall) -> dict[str, str] | None:
    """A pseudonym of the end user: keyed, so that an e-mail address cannot be guessed from it, and by organisation,
    so that two customers' user 1 are two users."""
    user = call.body.get("safety_identifier") or call.body.get("user")
    if not isinstance(user, str) or not user:
        return None
    key = (call.target.credential or "").encode()
    return {"user_id": hmac.new(key, f"{call.organization_id}:{user}".encode(), hashlib.sha256).hexdigest()}
