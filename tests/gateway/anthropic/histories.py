"""Histories of OpenAI's in a few words, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.anthropic.rules import sent

Message = dict[str, Any]


def text(said: str) -> Message:
    return {"type": "text", "text": said}


def assistant(content: Any = None, *calls: str, **fields: Any) -> Message:
    message: Message = {"role": "assistant", "content": content, **fields}
    if calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": "look", "arguments": json.dumps({"at": call})}}
            for call in calls
        ]
    return message


def result(call: str, content: Any = "seen") -> Message:
    return {"role": "tool", "tool_call_id": call, "content": content}


def conversation(*messages: Message, **target: Any) -> list[tuple[str, list[Message]]]:
    return [(m["role"], m["content"]) for m in sent({"messages": list(messages)}, **target)["messages"]]
