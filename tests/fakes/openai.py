"""A fake OpenAI: chat completions as its API sends them today, refusals included."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from tests.fakes import openai_prompts
from tests.fakes.acting import Finish, Question, Tool, Turn, words
from tests.fakes.answers import Answer
from tests.fakes.server import FakeVendor, Received

REASONING = re.compile(r"o\d|gpt-[5-9]")
DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
PROMPT_TOKENS = 11
CHAT = "/v1/chat/completions"
UNRECOGNIZED = "Unrecognized request argument supplied"
PATHS = {CHAT, "/v1/completions", "/v1/embeddings"}
FINISH = {Finish.STOP: "stop", Finish.LENGTH: "length", Finish.CALLS: "tool_calls"}
FIELDS = {
    *("model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens"),
    *("n", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "user"),
    *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "store"),
    *("reasoning_effort", "verbosity", "modalities", "audio", "prediction", "metadata", "service_tier"),
    *("web_search_options", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
}


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
        if received.path != CHAT:
            return _unsupported(str(model), body)
        if not body.get("messages"):
            return 400, _error("Invalid 'messages': empty array.", code="empty_array", param="messages")
        return _unknown(body) or _misplaced_part(body["messages"]) or _unsupported(str(model), body)

    def question(self, body: Mapping[str, Any]) -> Question:
        wanted = body.get("response_format") or {}
        functions = [tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"]
        functions += body.get("functions") or ()
        stops = body.get("stop") or ()
        return Question(
            said=_said(body["messages"], "user"),
            instructed=_said(body["messages"], "system", "developer"),
            tools=tuple(Tool(function["name"], function.get("parameters") or {}) for function in functions),
            choice=_choice(body.get("tool_choice") or body.get("function_call")),
            parallel=body.get("parallel_tool_calls") is not False and not body.get("functions"),
            called=_called(body["messages"]),
            results=_results(body["messages"]),
            schema=wanted["json_schema"]["schema"] if wanted.get("type") == "json_schema" else None,
            wants_json=wanted.get("type") == "json_object",
            thinks=body.get("reasoning_effort", "none") != "none",
            limit=body.get("max_completion_tokens") or body.get("max_tokens"),
            stops=(stops,) if isinstance(stops, str) else tuple(stops),
        )

    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        if "input" in body:
            return openai_prompts.embeddings(body)
        if "prompt" in body:
            return openai_prompts.completion(body, answer)
        turn = self.turn(body, answer)
        calls = _tool_calls(turn, body)
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else turn.text, "refusal": None}
        if calls:
            message |= {"function_call": calls[0]["function"]} if body.get("functions") else {"tool_calls": calls}
        choice = {"message": {**message, "annotations": []}, "logprobs": None, "finish_reason": _finish(turn, body)}
        choices = [{"index": index, **choice} for index in range(body.get("n") or 1)]
        return {**_head(body, "chat.completion"), "choices": choices, "usage": _usage(turn)}

    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        if "prompt" in body:
            return openai_prompts.completion_events(body, answer)
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        turn = self.turn(body, answer)
        calls = _tool_calls(turn, body)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if calls else "", "refusal": None}]
        if body.get("functions"):
            deltas += [{"function_call": call["function"]} for call in calls]
        else:
            deltas += _tool_deltas(calls)
        deltas += [] if calls else [{"content": word} for word in words(turn.text)]
        each = range(body.get("n") or 1)
        chunks = [_chunk(body, delta, None, index) for delta in deltas for index in each]
        chunks += [_chunk(body, {}, _finish(turn, body), index) for index in each]
        if wants_usage:
            chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({**_head(body, "chat.completion.chunk"), "choices": [], "usage": _usage(turn)})
        return [b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks] + [b"data: [DONE]\n\n"]

    def error_event(self) -> bytes:
        said = _error("The server had an error while processing your request.", code=None, kind="server_error")
        return b"data: %s\n\n" % json.dumps(said).encode()


def _error(
    message: str, *, code: str | None, param: str | None = None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _unknown(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
    unknown = sorted(set(body) - FIELDS)
    return (400, _error(f"{UNRECOGNIZED}: {unknown[0]}", code=None)) if unknown else None


def _misplaced_part(messages: Sequence[Mapping[str, Any]]) -> tuple[int, dict[str, Any]] | None:
    """Tools answer in text, and no model here has ears."""
    for number, message in enumerate(messages):
        content = message.get("content")
        kinds = {part["type"] for part in content} if isinstance(content, list) else set()
        wrong = kinds & {"input_audio"} if message.get("role") == "user" else kinds - {"text", "refusal"}
        if wrong:
            kind, at = min(wrong), f"messages[{number}]"
            said = f"Invalid '{at}'. Content of type '{kind}' is not allowed for the role '{message['role']}' here."
            return 400, _error(said, code="invalid_value", param=at)
    return None


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


def _chunk(body: Mapping[str, Any], delta: dict[str, Any], finish: str | None, index: int) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_head(body, "chat.completion.chunk"), "choices": [choice]}


def _finish(turn: Turn, body: Mapping[str, Any]) -> str:
    return "function_call" if turn.calls and body.get("functions") else FINISH[turn.finish]


def _usage(turn: Turn) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": turn.tokens,
        "total_tokens": PROMPT_TOKENS + turn.tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": turn.thought_tokens, "audio_tokens": 0},
    }


def _said(messages: Sequence[Mapping[str, Any]], *roles: str) -> str:
    content = next((message.get("content") for message in reversed(messages) if message.get("role") in roles), "")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part.get("type") == "text")


def _called(messages: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    since = messages[max((at for at, one in enumerate(messages) if one.get("role") == "user"), default=0) :]
    return frozenset(call["function"]["name"] for message in since for call in message.get("tool_calls") or ())


def _results(messages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    last = list(takewhile(lambda message: message.get("role") in {"tool", "function"}, reversed(messages)))
    return tuple(str(message.get("content")) for message in reversed(last))


def _choice(asked: object) -> str:
    if isinstance(asked, dict):
        named = asked.get("name") or asked.get("function", {}).get("name")
        return str(named or asked.get("allowed_tools", {}).get("mode") or "auto")
    return str(asked or "auto")


def _tool_calls(turn: Turn, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    earlier = sum(len(message.get("tool_calls") or ()) for message in body["messages"])
    return [
        {
            "id": f"call_fake{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for number, call in enumerate(turn.calls, start=earlier)
    ]


def _tool_deltas(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        text = call["function"]["arguments"]
        opened = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        pieces = [{"index": index, "function": {"arguments": text[at : at + 5]}} for at in range(0, len(text), 5)]
        deltas += [{"tool_calls": [part]} for part in (opened, *pieces)]
    return deltas
