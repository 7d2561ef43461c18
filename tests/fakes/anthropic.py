"""A fake Anthropic: messages as its API sends them today, refusals included."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tests.fakes.acting import Finish, Question, Tool, Turn, words
from tests.fakes.answers import Answer
from tests.fakes.server import FakeVendor, Received

PROMPT_TOKENS = 13
CHOICES = {"auto": "auto", "any": "required", "none": "none"}
STOP_REASONS = {Finish.STOP: "end_turn", Finish.LENGTH: "max_tokens", Finish.CALLS: "tool_use"}
WITHOUT_SAMPLING = re.compile(r"claude-(opus-4-[7-9]|[a-z]+-[5-9])")
WITHOUT_FORCED_TOOLS = re.compile(r"claude-(sonnet|opus)-5-5")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
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

    def question(self, body: Mapping[str, Any]) -> Question:
        choice, last = body.get("tool_choice") or {}, _blocks(body["messages"][-1])
        wanted = (body.get("output_config") or {}).get("format")
        return Question(
            said=_said(body["messages"]),
            instructed=_text(body.get("system")),
            tools=tuple(Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or ()),
            choice=str(choice.get("name") or CHOICES.get(str(choice.get("type")), "auto")),
            parallel=not choice.get("disable_parallel_tool_use"),
            called=_called(body["messages"]),
            results=tuple(_text(block.get("content")) for block in last if block["type"] == "tool_result"),
            schema=wanted["schema"] if wanted else None,
            wants_json="one JSON object" in _text(body.get("system")),
            thinks=body.get("thinking", {}).get("type", "disabled") != "disabled",
            limit=body["max_tokens"],
            stops=tuple(body.get("stop_sequences") or ()),
        )

    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        turn = self.turn(body, answer)
        return {
            **_message(body),
            "content": _content(turn, body),
            **_end(turn),
            "usage": _usage(turn.tokens, turn.thought_tokens),
        }

    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        turn = self.turn(body, answer)
        begun = {**_message(body), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(1)}
        events = [_event("message_start", message=begun)]
        for index, block in enumerate(_content(turn, body)):
            events += _block(index, block)
            if index == 0:
                events.insert(2, _event("ping"))
        events.append(_event("message_delta", delta=_end(turn), usage=_usage(turn.tokens, turn.thought_tokens)))
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
    if forced and (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    if not body.get("messages"):
        return "messages: at least one message is required"
    return _open_schema((body.get("output_config") or {}).get("format")) or _misnamed_tool(body) or _unanswered(body)


def _open_schema(wanted: Mapping[str, Any] | None) -> str:
    """Structured output takes closed objects only, at every level."""
    at_hand: list[Any] = [wanted["schema"]] if wanted else []
    while at_hand:
        one = at_hand.pop()
        if isinstance(one, dict):
            if one.get("type") == "object" and one.get("additionalProperties") is not False:
                said = "For 'object' type, 'additionalProperties' must be explicitly set to false"
                return f"output_config.format.schema: {said}"
            at_hand += one.values()
        elif isinstance(one, list):
            at_hand += one
    return ""


def _misnamed_tool(body: Mapping[str, Any]) -> str:
    for number, tool in enumerate(body.get("tools") or ()):
        if not TOOL_NAME.fullmatch(tool["name"]):
            return f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool["input_schema"].get("type") != "object":
            return f"tools.{number}.custom.input_schema.type: Field required"
    return ""


def _unanswered(body: Mapping[str, Any]) -> str:
    """The next turn must hold the result of every call, and of no other."""
    turns = [*body["messages"], {"role": "user", "content": []}]
    for number, (turn, following) in enumerate(pairwise(turns)):
        called = {block["id"] for block in _blocks(turn) if block["type"] == "tool_use"}
        answered = {block["tool_use_id"] for block in _blocks(following) if block["type"] == "tool_result"}
        if called - answered:
            missing = ", ".join(sorted(called - answered))
            return f"messages.{number}: `tool_use` ids were found without `tool_result` blocks after: {missing}"
        if answered - called:
            return f"messages.{number + 1}: unexpected `tool_use_id` found in `tool_result` blocks"
    return ""


def _message(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "msg_fake", "type": "message", "role": "assistant", "model": body["model"]}


def _end(turn: Turn) -> dict[str, Any]:
    return {"stop_reason": STOP_REASONS[turn.finish], "stop_sequence": None}


def _usage(output: int, thought: int = 0) -> dict[str, Any]:
    written = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    thinking = {"output_tokens_details": {"thinking_tokens": thought}} if thought else {}
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": written}
    return {"input_tokens": PROMPT_TOKENS, **cache, "output_tokens": output, **thinking, "service_tier": "standard"}


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def _block(index: int, block: dict[str, Any]) -> list[bytes]:
    opened, deltas = OPENED[block["type"]](block)
    started = _event("content_block_start", index=index, content_block=opened)
    middle = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [started, *middle, _event("content_block_stop", index=index)]


def _text_opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in words(block["text"])]


def _thinking_opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    thought = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [*thought, signed]


def _tool_use_opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    written = json.dumps(block["input"]) if block["input"] else ""
    pieces = ["", *(written[start : start + 5] for start in range(0, len(written), 5))]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


OPENED = {"text": _text_opened, "thinking": _thinking_opened, "tool_use": _tool_use_opened}


def _content(turn: Turn, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    earlier = sum(block["type"] == "tool_use" for message in body["messages"] for block in _blocks(message))
    thought = [{"type": "thinking", "thinking": turn.thought, "signature": "c2lnbmVk"}] if turn.thought else []
    calls = [
        {"type": "tool_use", "id": f"toolu_fake{number}", "name": call.name, "input": call.arguments}
        for number, call in enumerate(turn.calls, start=earlier)
    ]
    return [*thought, *(calls or [{"type": "text", "text": turn.text}])]


# -- reading the request ----------------------------------------------------------------------------


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content) if isinstance(content, list) else ""


def _spoken(message: Mapping[str, Any]) -> str:
    """The words of a user's turn, if it has more than results."""
    return _text([block for block in _blocks(message) if block["type"] == "text"]) if message["role"] == "user" else ""


def _said(messages: list[dict[str, Any]]) -> str:
    return next((said for message in reversed(messages) if (said := _spoken(message))), "")


def _called(messages: list[dict[str, Any]]) -> frozenset[str]:
    since = messages[max((at for at, message in enumerate(messages) if _spoken(message)), default=0) :]
    return frozenset(block["name"] for one in since for block in _blocks(one) if block["type"] == "tool_use")
