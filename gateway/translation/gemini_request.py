"""A chat completion request as the body of Gemini's `generateContent`.

The body is built from nothing: what Gemini has no word for is left out, because it refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.providers.base import ChatCall
from gateway.translation.chat_request import answer_limit
from gateway.translation.gemini_capabilities import Capabilities
from gateway.translation.gemini_messages import converse
from gateway.translation.gemini_names import FunctionNames
from gateway.translation.gemini_schema import answer_field, schema_language
from gateway.translation.gemini_thinking import thinking_config
from gateway.translation.gemini_tools import Toolset, toolset

SCHEMA_AT = "response_format.json_schema.schema"
JSON = "application/json"
MAX_STOPS = 5
SEEDS = 2**31  # Gemini's are 32 bits wide


def generate_request(call: ChatCall) -> dict[str, Any]:
    """Raises `ApiError` (400, with `param`) for what this model cannot be asked."""
    body, takes, names = call.body, Capabilities.of(call.target.capabilities), FunctionNames.of(call.body)
    _check_answerable(body, takes)
    conversation = converse(body["messages"], takes=takes, names=names)
    tools = toolset(call, takes=takes, names=names)
    answer = _answer_format(call, takes)
    if answer and not takes.tools_with_json:
        tools = _without_conflict(tools)
    config = {
        "maxOutputTokens": answer_limit(call),
        "candidateCount": body.get("n") if body.get("n") != 1 else None,
        "stopSequences": _stop_sequences(body.get("stop")),
        "seed": body["seed"] % SEEDS if isinstance(body.get("seed"), int) else None,
        "thinkingConfig": thinking_config(body, takes=takes),
        **(_sampling(body) if takes.sampling != "none" else {}),
        **(_logprobs(body) if takes.logprobs else {}),
        **answer,
    }
    made = {
        "contents": conversation.contents,
        "systemInstruction": {"parts": conversation.system} if conversation.system else None,
        **tools.fields(),
        "generationConfig": _present(config),
    }
    return _present(made)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {})}


def _check_answerable(body: Mapping[str, Any], takes: Capabilities) -> None:
    if body.get("n") not in {None, 1} and not takes.n:
        raise errors.invalid(
            "'n' must be 1: this model gives one answer a request.", param="n", code="unsupported_value"
        )
    modalities = body.get("modalities")
    if body.get("audio") is not None or (isinstance(modalities, list) and set(map(str, modalities)) - {"text"}):
        raise errors.invalid(
            "'modalities' must be [\"text\"]: this model answers in text only.",
            param="modalities",
            code="unsupported_value",
        )
    if body.get("web_search_options") is not None:
        raise errors.invalid(
            "'web_search_options' cannot be used with this model: it does not search the web here. Leave it out.",
            param="web_search_options",
            code="unsupported_parameter",
        )


def _stop_sequences(stop: object) -> list[str]:
    given = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    found = [text for text in given if isinstance(text, str) and text]
    if len(found) > MAX_STOPS:
        raise errors.invalid(f"'stop' can name at most {MAX_STOPS} sequences.", param="stop")
    return found


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    """A penalty of 0 is none, and some models refuse to hear of penalties at all."""
    words = {"temperature": "temperature", "top_p": "topP", "top_k": "topK"}
    found = {wire: body[name] for name, wire in words.items() if _is_number(body.get(name))}
    penalties = {"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}
    return found | {wire: body[name] for name, wire in penalties.items() if _is_number(body.get(name)) and body[name]}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    if body.get("logprobs") is not True:
        return {}
    return {"responseLogprobs": True, "logprobs": body.get("top_logprobs") or None}


def _answer_format(call: ChatCall, takes: Capabilities) -> dict[str, Any]:
    wanted = call.body.get("response_format") or {}
    kind = wanted.get("type", "text")
    if kind not in ("text", "json_object", "json_schema"):
        raise errors.invalid(
            "'response_format.type' must be text, json_object or json_schema.", param="response_format.type"
        )
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": JSON}
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise errors.invalid(f"'{SCHEMA_AT}' must be a JSON schema.", param=SCHEMA_AT)
    if not takes.json_schema:
        raise errors.invalid(
            "'response_format.type' cannot be json_schema with this model. Use json_object, or another model.",
            param="response_format.type",
            code="unsupported_value",
        )
    return {"responseMimeType": JSON, **answer_field(schema, language=schema_language(call.target), at=SCHEMA_AT)}


def _without_conflict(tools: Toolset) -> Toolset:
    """Before Gemini 3 a request with tools cannot ask for JSON as well."""
    if tools.callable:
        raise errors.invalid(
            "'response_format' cannot ask this model for JSON in a request that offers tools. "
            "Leave one of the two out, or use a newer model.",
            param="response_format",
            code="unsupported_value",
        )
    return Toolset([])
