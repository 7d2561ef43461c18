"""Small requests, and what the provider makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ApiError
from gateway.providers.base import ChatCall
from gateway.providers.gemini import Gemini
from tests.gateway import streams

USER = {"role": "user", "content": "hi"}
ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {}}}}}
OLDER = {"thinking": "budget"}  # a model of the 2.5 family


def call(body: dict[str, Any] | None = None, **target: Any) -> ChatCall:
    return streams.call({"model": "public-model", "messages": [USER], **(body or {})}, kind="gemini", **target)


def sent(body: dict[str, Any] | None = None, **target: Any) -> dict[str, Any]:
    """What goes up for a request."""
    made: dict[str, Any] = json.loads(Gemini().request(call(body, **target)).body)
    return made


def config(body: dict[str, Any], **capabilities: Any) -> dict[str, Any]:
    """The `generationConfig` that goes up."""
    made: dict[str, Any] = sent(body, capabilities=capabilities).get("generationConfig", {})
    return made


def refusal(body: dict[str, Any], **capabilities: Any) -> ApiError:
    """The 400 that a request is answered with."""
    with pytest.raises(ApiError) as caught:
        Gemini().request(call(body, capabilities=capabilities))
    assert caught.value.status == 400
    assert caught.value.param
    assert f"'{caught.value.param}" in caught.value.message
    return caught.value


def tool_calls(*made: tuple[str, str, str]) -> dict[str, Any]:
    """An assistant message of calls, each an id, a name and its arguments."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in made
        ],
    }


def result(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}
