"""A fake Anthropic: messages as its API sends them today, refusals included."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.answers import Answer
from tests.fakes.openai import arguments, words
from tests.fakes.server import FakeVendor, Received

PROMPT_TOKENS = 13
WITHOUT_SAMPLING = re.compile(r"claude-(opus-4-[7-9]|[a-z]+-[5-9])")
WITHOUT_FORCED_TOOLS = re.compile(r"claude-(sonnet|opus)-5-5")
FIELDS = {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"),
    *("stop_sequences", "cache_control", "stream", "temperature", "top_p", "top_k", "service_tier"),
}


class FakeAnthropic(FakeVendor):
    credential = "anthropic-credential-for-tests"

    @property
    def base_url(self) -> str:
        return self.origin

    def refusal(self, received: Received) -> tuple[int, dict[str, Any]] | None:
        if received.headers.get("x-api-key") != self.credential:
            return 401, _error("authentication_error", "invalid x-api-key")
        if (received.method, received.path) != ("POST", "/v1/messages"):
            return 404, _error("not_found_error", "Not Found")
        if "anthropic-version" not in received.headers:
            return 400, _error("invalid_request_error", "anthropic-version: header is required")
        body = received.json
        if body.get("model") not in self.known:
            return 404, _error("not_found_error", f"model: {body.get('model')}")
        complaint = _complaint(body)
        return (400, _error("invalid_request_error", complaint)) if complaint else None

    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        calls = _tool_uses(body)
        content = calls or [{"type": "text", "text": answer.text}]
        return {**_message(body), "content": content, **_end(calls), "usage": _usage(len(words(answer.text)))}

    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        calls = _tool_uses(body)
        begun = {**_message(body), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(1)}
        events = [_event("message_start", message=begun)]
        for index, block in enumerate(calls or [{"type": "text", "text": answer.text}]):
            events += _block(index, block)
            if index == 0:
                events.insert(2, _event("ping"))
        events.append(_event("message_delta", delta=_end(calls), usage=_usage(len(words(answer.text)))))
        events.append(_event("message_stop"))
        return events

    def error_event(self) -> bytes:
        return b"event: error\ndata: %s\n\n" % json.dumps(_error("overloaded_error", "Overloaded")).encode()


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def _complaint(body: Mapping[str, Any]) -> str:
    """What is wrong with the request, in the vendor's words; empty when it is taken."""
    model = str(body["model"])
    unknown = sorted(set(body) - FIELDS)
    if unknown:
        return f"{unknown[0]}: Extra inputs are not permitted"
    if not isinstance(body.get("max_tokens"), int):
        return "max_tokens: Field required"
    if WITHOUT_SAMPLING.match(model) and {"temperature", "top_p", "top_k"} & set(body):
        return "temperature: Extra inputs are not permitted"
    if {"temperature", "top_p"} <= set(body):
        return "`temperature` and `top_p` cannot both be specified for this model."
    forced = (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
    if WITHOUT_FORCED_TOOLS.match(model) and forced:
        return "tool_choice: this model does not support forced tool use"
    return "" if body.get("messages") else "messages: at least one message is required"


def _message(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "msg_fake", "type": "message", "role": "assistant", "model": body["model"]}


def _end(calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}


def _usage(output: int) -> dict[str, Any]:
    written = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": written}
    return {"input_tokens": PROMPT_TOKENS, **cache, "output_tokens": output, "service_tier": "standard"}


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def _block(index: int, block: dict[str, Any]) -> list[bytes]:
    if block["type"] == "text":
        opened: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in words(block["text"])]
    else:
        opened = {**block, "input": {}}
        written = json.dumps(block["input"])
        pieces = ["", *(written[start : start + 5] for start in range(0, len(written), 5))]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    started = _event("content_block_start", index=index, content_block=opened)
    middle = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [started, *middle, _event("content_block_stop", index=index)]


def _tool_uses(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A use of every offered tool, until a result is there."""
    last = body["messages"][-1]["content"]
    if isinstance(last, list) and any(block["type"] == "tool_result" for block in last):
        return []
    return [
        {
            "type": "tool_use",
            "id": f"toolu_fake{number}",
            "name": tool["name"],
            "input": arguments(tool["input_schema"]),
        }
        for number, tool in enumerate(body.get("tools") or ())
    ]
