"""Anthropic's whole answer as a `chat.completion`."""

from __future__ import annotations

from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall, Completion
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_errors import error_in_body
from gateway.translation.anthropic_names import Reading
from gateway.translation.anthropic_usage import usage_of

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


def completion(call: ChatCall, body: bytes) -> Completion:
    """Raises `ApiError` when the body is an error after all or cannot be read."""
    answer = read_object(body)
    if answer.get("type") == "error" or answer.get("error"):
        raise error_in_body(call, answer)
    if not isinstance(answer.get("content"), list):
        raise errors.upstream_unavailable("Anthropic answered 200 without content")
    reading = Reading.of(call, Capabilities.of(call.target.capabilities))
    gathered = _Gathered(reading)
    for block in answer["content"]:
        if isinstance(block, dict):
            gathered.take(block)
    finish = finish_reason(answer.get("stop_reason"), called=bool(gathered.calls), legacy=reading.legacy)
    counts = answer.get("usage")
    usage = usage_of(counts) if isinstance(counts, dict) else None
    made = {
        "id": f"chatcmpl-{call.request_id}",
        "object": "chat.completion",
        "created": call.created,
        "model": call.target.model,
        "choices": [
            {
                "index": 0,
                "message": gathered.message(refusal=explanation(answer.get("stop_details"))),
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "system_fingerprint": None,
    }
    if usage is not None:
        made["usage"] = usage.to_openai()
    return Completion(made, usage, finish)


class _Gathered:
    """The blocks of an answer, sorted into what a message is made of."""

    def __init__(self, reading: Reading) -> None:
        self.calls: list[dict[str, Any]] = []
        self._reading = reading
        self._text = ""
        self._thinking: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def take(self, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self._say(block)
        elif kind == "tool_use":
            self._call(block)
        elif kind in ("thinking", "redacted_thinking"):
            self._thinking.append(block)
        # Tools that ran at the provider, and their results, are nothing the caller could act on.

    def message(self, *, refusal: str | None) -> dict[str, Any]:
        content = self._text or (None if self.calls else "")
        made: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
        thoughts = "".join(_text(block.get("thinking")) for block in self._thinking)
        if thoughts:
            made["reasoning_content"] = thoughts
        if self._thinking:
            made["thinking_blocks"] = self._thinking
        if self._annotations:
            made["annotations"] = self._annotations
        if self.calls and self._reading.legacy:
            made["function_call"] = self.calls[0]["function"]
        elif self.calls:
            made["tool_calls"] = self.calls
        return made

    def _say(self, block: dict[str, Any]) -> None:
        start = len(self._text)
        self._text += _text(block.get("text"))
        citations = block.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            if isinstance(citation, dict) and citation.get("url"):
                span = {"start_index": start, "end_index": len(self._text)}
                named = {"url": citation["url"], "title": citation.get("title") or ""}
                self._annotations.append({"type": "url_citation", "url_citation": {**span, **named}})

    def _call(self, block: dict[str, Any]) -> None:
        arguments = orjson.dumps(block.get("input") or {}).decode()
        if block.get("name") == self._reading.answer_tool:
            self._text += arguments
            return
        function = {"name": self._reading.names.back(str(block.get("name"))), "arguments": arguments}
        self.calls.append({"id": block.get("id"), "type": "function", "function": function})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
