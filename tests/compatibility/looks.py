"""Requests to make rows of, and looks at what became of them."""

from __future__ import annotations

from typing import Any

from tests.compatibility.asking import USER, Seen
from tests.compatibility.features import ADAPTED, Body, Way, adapted, yes

BRIEF = {"role": "system", "content": "Be brief."}
ADD = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
SUBTRACT = {"type": "function", "function": {"name": "subtract"}}
GREP = {"type": "custom", "custom": {"name": "grep"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
ANSWERED: list[dict[str, Any]] = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "3"},
]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "sum",
        "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
PNG, PDF = "data:image/png;base64,iVBORw0KGgo=", "data:application/pdf;base64,JVBERi0xLjQ="
TOOL = "sandbox/tool"


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "See:"}, *parts]}]}


def block(body: Body, kind: str) -> dict[str, Any]:
    """The first block of that type in a body for Anthropic, or nothing."""
    blocks = [block for message in body["messages"] for block in message["content"]]
    return next((one for one in blocks if one["type"] == kind), {})


def part(body: Body, key: str) -> Any:
    """The first part that has `key` in a body for Gemini."""
    parts = [one for content in body["contents"] for one in content["parts"]]
    return next((one[key] for one in parts if key in one), None)


def config(name: str) -> Any:
    """Whether a body for Gemini has that in its generationConfig."""
    return lambda body: name in body.get("generationConfig", {})


def has(name: str) -> Any:
    return lambda body: name in body


def choice(kind: str) -> Any:
    return lambda body: body.get("tool_choice", {}).get("type") == kind


def mode(word: str) -> Any:
    return lambda body: body["toolConfig"]["functionCallingConfig"]["mode"] == word


def text(seen: Seen) -> bool:
    return bool(seen.message["content"])


def delta(seen: Seen, key: str) -> list[Any]:
    deltas = [one["delta"] for chunk in seen.chunks for one in chunk["choices"]]
    return [one[key] for one in deltas if one.get(key)]


def calls(seen: Seen) -> list[dict[str, Any]]:
    return list(seen.message.get("tool_calls") or ())


def details(seen: Seen) -> dict[str, Any]:
    return dict(seen.answer["usage"].get("prompt_tokens_details") or {})


SENT = yes(has("messages"))
ASKED = yes(has("contents"))
NOT_REASONING = Way(
    ADAPTED,
    lambda body: (body.get("tools") or body.get("functions")) and body.get("reasoning_effort") == "none",
    '`reasoning_effort` `"none"` is sent along, because OpenAI takes function tools of these models only without '
    "reasoning. Another effort beside tools is refused.",
    besides=True,
)
FUNCTIONS_AS_TOOLS = (
    adapted(f"Sent as tools. {NOT_REASONING.note}", lambda body: "tools" in body and NOT_REASONING.holds(body)),
    adapted("Sent as tools, and the answer put back.", has("tools")),
)
WHY_NO_TOOLS = {"openai": "OpenAI takes function tools of models that reason only at its Responses endpoint."}
