"""A fake OpenAI: chat completions as its API sends them today, refusals included."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from tests.fakes import openai_prompts
from tests.fakes.answers import Answer
from tests.fakes.server import FakeVendor, Received

REASONING = re.compile(r"o\d|gpt-[5-9]")
DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
PROMPT_TOKENS = 11
CHAT = "/v1/chat/completions"
PATHS = {CHAT, "/v1/completions", "/v1/embeddings"}


class FakeOpenAI(FakeVendor):
    credential = "openai-credential-for-tests"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def refusal(self, received: Received) -> tuple[int, dict[str, Any]] | None:
        if received.headers.get("authorization") != f"Bearer {self.credential}":
            return 401, _error("Incorrect API key provided.", code="invalid_api_key")
        if received.method != "POST" or received.path not in PATHS:
            return 404, _error(f"Invalid URL ({received.method} {received.path})", code=None)
        body = received.json
        model = body.get("model")
        if model not in self.known:
            said = f"The model `{model}` does not exist or you do not have access to it."
            return 404, _error(said, code="model_not_found")
        if received.path == CHAT and not body.get("messages"):
            return 400, _error("Invalid 'messages': empty array.", code="empty_array", param="messages")
        return _unsupported(str(model), body)

    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        if "input" in body:
            return openai_prompts.embeddings(body)
        if "prompt" in body:
            return openai_prompts.completion(body, answer)
        calls = _tool_calls(body)
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else answer.text, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        finish = "tool_calls" if calls else "stop"
        choice = {"index": 0, "message": {**message, "annotations": []}, "logprobs": None, "finish_reason": finish}
        return {**_head(body, "chat.completion"), "choices": [choice], "usage": _usage(answer)}

    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        if "prompt" in body:
            return openai_prompts.completion_events(body, answer)
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        calls = _tool_calls(body)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if calls else "", "refusal": None}]
        deltas += _tool_deltas(calls) if calls else [{"content": word} for word in words(answer.text)]
        chunks = [_chunk(body, delta, None) for delta in deltas]
        chunks.append(_chunk(body, {}, "tool_calls" if calls else "stop"))
        if wants_usage:
            chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({**_head(body, "chat.completion.chunk"), "choices": [], "usage": _usage(answer)})
        return [b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks] + [b"data: [DONE]\n\n"]

    def error_event(self) -> bytes:
        said = _error("The server had an error while processing your request.", code=None, kind="server_error")
        return b"data: %s\n\n" % json.dumps(said).encode()


def words(text: str) -> list[str]:
    """Pieces that join to `text` again."""
    return re.findall(r"\S+\s*", text)


def _error(
    message: str, *, code: str | None, param: str | None = None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _unsupported(model: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """What a reasoning model does not take."""
    if not REASONING.match(model):
        return None
    if "max_tokens" in body:
        said = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return 400, _error(said, code="unsupported_parameter", param="max_tokens")
    for name, default in DEFAULTS.items():
        if body.get(name, default) != default and body.get("reasoning_effort") != "none":
            said = f"Unsupported value: '{name}' does not support {body[name]} with this model."
            return 400, _error(said, code="unsupported_value", param=name)
    return None


def _head(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    head = {"id": "chatcmpl-fake", "object": kind, "created": int(time.time()), "model": f"{body['model']}-2026-01-01"}
    return {**head, "service_tier": "default", "system_fingerprint": "fp_fake"}


def _chunk(body: Mapping[str, Any], delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_head(body, "chat.completion.chunk"), "choices": [choice]}


def _usage(answer: Answer) -> dict[str, Any]:
    completion = len(words(answer.text))
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion,
        "total_tokens": PROMPT_TOKENS + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _tool_calls(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A call of every offered tool, until a result is there."""
    if body["messages"][-1].get("role") == "tool":
        return []
    functions = [tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"]
    return [
        {
            "id": f"call_fake{number}",
            "type": "function",
            "function": {
                "name": function["name"],
                "arguments": json.dumps(arguments(function.get("parameters") or {})),
            },
        }
        for number, function in enumerate(functions)
    ]


def arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each property: its name, or a number where a number is wanted. A schema that is none has none."""
    kinds: dict[str, Any] = {"integer": 7, "number": 1.5, "boolean": True, "array": [], "object": {}}
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    wanted = {name: one.get("type") if isinstance(one, dict) else None for name, one in properties.items()}
    return {name: kinds.get(str(kind), f"some {name}") for name, kind in wanted.items()}


def _tool_deltas(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        text = call["function"]["arguments"]
        opened = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        pieces = [{"index": index, "function": {"arguments": text[at : at + 5]}} for at in range(0, len(text), 5)]
        deltas += [{"tool_calls": [part]} for part in (opened, *pieces)]
    return deltas
