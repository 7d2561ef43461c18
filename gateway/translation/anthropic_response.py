"""Anthropic's whole answer as a `chat.completion`."""

from __future__ import annotations

from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall, Completion
from gateway.translation.anthropic_answer import (
    annotation,
    call_header,
    citation_of,
    explanation,
    finish_reason,
    free_text,
    read_object,
    service_tier,
)
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_errors import error_in_body
from gateway.translation.anthropic_names import Reading
from gateway.translation.anthropic_thoughts import KINDS, thought
from gateway.translation.anthropic_usage import usage_of


def completion(call: ChatCall, body: bytes) -> Completion:
    """Raises `ApiError` when the body is an error after all or cannot be read."""
    answer = read_object(body)
    if answer.get("type") == "error" or answer.get("error"):
        raise error_in_body(call, answer)
    if not isinstance(answer.get("content"), list):
        raise errors.upstream_unavailable("Anthropic answered 200 without content")
    reading = Reading.of(call, Capabilities.of(call.target.capabilities))
    gathered = _Gathered(call, reading)
    for block in answer["content"]:
        if isinstance(block, dict):
            gathered.take(block)
    finish = finish_reason(answer.get("stop_reason"), called=bool(gathered.calls), legacy=reading.legacy)
    counts = answer.get("usage")
    usage = usage_of(counts) if isinstance(counts, dict) else None
    made: dict[str, Any] = {
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
        **service_tier(call, counts),
    }
    if usage is not None:
        made["usage"] = usage.to_openai()
    return Completion(made, usage, finish)


class _Gathered:
    """The blocks of an answer, sorted into what a message is made of."""

    def __init__(self, call: ChatCall, reading: Reading) -> None:
        self.calls: list[dict[str, Any]] = []
        self._for = call
        self._reading = reading
        self._text = ""
        self._thoughts = ""
        self._thinking: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def take(self, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self._say(block)
        elif kind == "tool_use":
            self._call(block)
        elif str(kind) in KINDS:
            self._think(block)
        # Tools that ran at the provider, and their results, are nothing the caller could act on.

    def message(self, *, refusal: str | None) -> dict[str, Any]:
        content = self._text or (None if self.calls else "")
        made: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
        if self._thoughts:
            made["reasoning_content"] = self._thoughts
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
            cited = citation_of(citation)
            if cited is not None:
                self._annotations.append(annotation(cited, start, len(self._text)))

    def _think(self, block: dict[str, Any]) -> None:
        """What can be sent back is kept; what cannot is only shown."""
        self._thoughts += _text(block.get("thinking"))
        kept = thought(block.get("type"), block.get("thinking"), block.get("signature"), block.get("data"))
        if kept is not None:
            self._thinking.append(kept)

    def _call(self, block: dict[str, Any]) -> None:
        given = block.get("input") or {}
        if self._reading.answer_tool is not None and block.get("name") == self._reading.answer_tool:
            self._text += orjson.dumps(given).decode()
            return
        identity, kind, name = call_header(self._for, self._reading, block, len(self.calls))
        arguments = orjson.dumps(given).decode()
        told = {"arguments": arguments} if kind == "function" else {"input": free_text(arguments)}
        self.calls.append({"id": identity, "type": kind, kind: {"name": name, **told}})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
