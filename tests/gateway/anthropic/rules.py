"""What Anthropic demands of a request, written down apart from the code that is to meet it."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from gateway.errors import ApiError
from gateway.providers.anthropic import Anthropic
from tests.gateway import streams

BASE_URL = "https://anthropic.test"
ID = re.compile(r"[a-zA-Z0-9_-]+")
THOUGHTS = {"thinking", "redacted_thinking"}
MAX_MARKS = 4
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
FIELDS = {
    "model", "max_tokens", "system", "messages", "tools", "tool_choice", "thinking", "output_config",
    "stop_sequences", "metadata", "cache_control", "stream", "temperature", "top_p", "top_k",
}  # fmt: skip
OLD = {
    "sampling": "one",
    "thinking": "manual",
    "efforts": [],
    "mid_conversation_system": False,
    "prefill": True,
    "json_schema": False,
}
USER = {"role": "user", "content": "hi"}


def sent(body: dict[str, Any], **target: Any) -> dict[str, Any]:
    """What goes upstream for `body`, checked against the rules. `body` may leave out what does not matter."""
    asked = {"model": "public-model", "messages": [USER], **body}
    before = copy.deepcopy(asked)
    outbound = Anthropic().request(
        streams.call(asked, kind="anthropic", usage=False, **{"base_url": BASE_URL, **target})
    )
    assert asked == before, "the caller's body was changed"
    made: dict[str, Any] = json.loads(outbound.body)
    assert_valid(made)
    return made


def refusal(body: dict[str, Any], **target: Any) -> ApiError:
    """The 400 that `body` gets."""
    with pytest.raises(ApiError) as caught:
        sent(body, **target)
    assert caught.value.status == 400
    assert caught.value.type == "invalid_request_error"
    assert caught.value.message.endswith(".")
    return caught.value


def assert_valid(request: dict[str, Any]) -> None:
    assert set(request) <= FIELDS
    assert request["max_tokens"] >= 1
    assert_conversation(request["messages"])
    for block in request.get("system", ()):
        assert block["type"] == "text"
        assert block["text"].strip()
    _assert_tools(request)
    _assert_thinking(request)
    _assert_marks(request)


def assert_conversation(messages: list[dict[str, Any]]) -> None:
    assert messages[0]["role"] == "user"
    waiting: list[str] = []
    seen: set[str] = set()
    for position, message in enumerate(messages):
        role, content = message["role"], message["content"]
        assert content, "a message must say something"
        if position:
            assert role != messages[position - 1]["role"]
        if role == "system":
            assert messages[position - 1]["role"] == "user"
            assert position == len(messages) - 1 or messages[position + 1]["role"] == "assistant"
        _assert_texts(content)
        if role == "user":
            _assert_results(content, waiting)
            waiting = []
        uses = [block["id"] for block in content if block["type"] == "tool_use"]
        assert role == "assistant" or not uses
        assert all(ID.fullmatch(use) and use not in seen for use in uses)
        assert len(set(uses)) == len(uses)
        seen.update(uses)
        waiting += uses
    assert not waiting, "a call has no result"


def _assert_marks(request: dict[str, Any]) -> None:
    """At most four cache marks, none of them on a thought or inside a tool's result."""
    said = [block for message in request["messages"] for block in message["content"]]
    blocks = [*request.get("system", ()), *request.get("tools", ()), *said]
    assert sum("cache_control" in bearer for bearer in (request, *blocks)) <= MAX_MARKS
    assert not any("cache_control" in block for block in said if block["type"] in THOUGHTS)
    inner = [part for block in said if isinstance(block.get("content"), list) for part in block["content"]]
    assert not any("cache_control" in part for part in inner)


def _assert_texts(content: list[dict[str, Any]]) -> None:
    for block in content:
        if block["type"] == "text":
            assert block["text"].strip()
        if block["type"] == "tool_use":
            assert isinstance(block["input"], dict)
            assert NAME.fullmatch(block["name"])


def _assert_results(content: list[dict[str, Any]], waiting: list[str]) -> None:
    """Every call of the turn before is answered once, and the answers come first."""
    kinds = [block["type"] == "tool_result" for block in content]
    assert kinds == sorted(kinds, reverse=True)
    assert sorted(block["tool_use_id"] for block in content if block["type"] == "tool_result") == sorted(waiting)


def _assert_tools(request: dict[str, Any]) -> None:
    names = [tool["name"] for tool in request.get("tools", ())]
    assert all(NAME.fullmatch(name) for name in names)
    assert len(set(names)) == len(names)
    assert names or "tool_choice" not in request
    blocks = [block for message in request["messages"] for block in message["content"]]
    assert names or not any(block["type"] in {"tool_use", "tool_result"} for block in blocks)
    for tool in request.get("tools", ()):
        schema = tool.get("input_schema", {"type": "object"})
        assert "input_schema" in tool or tool["type"] == "web_search_20250305"
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf"} & set(schema)
    if request.get("tool_choice", {}).get("type") == "tool":
        assert request["tool_choice"]["name"] in names


def _assert_thinking(request: dict[str, Any]) -> None:
    turns = [message["content"] for message in request["messages"] if message["role"] == "assistant"]
    for turn in turns:
        kinds = [block["type"] for block in turn]
        assert kinds[0] in THOUGHTS or not THOUGHTS & set(kinds)
    if request["messages"][-1]["role"] == "assistant":
        assert not THOUGHTS & {block["type"] for block in turns[-1]}
    thinking = request.get("thinking")
    if thinking is None:
        return
    assert request.get("tool_choice", {}).get("type") not in {"any", "tool"}
    assert not {"temperature", "top_p", "top_k"} & set(request)
    assert request["messages"][-1]["role"] != "assistant"
    if thinking["type"] == "enabled":
        assert 1024 <= thinking["budget_tokens"] < request["max_tokens"]
        last = [block["type"] for block in turns[-1]] if turns else []
        assert "tool_use" not in last or last[0] in THOUGHTS
