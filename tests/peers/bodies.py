"""The words that chat requests are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROMPT = "the prompt"  # stands for what makes the replayed server answer
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJcOkw7zDtsOfCg=="
SIGNATURE = "c2lnbmF0dXJlIG9mIHRoZSB0ZXN0cw=="
WEATHER: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
            "required": ["city"],
        },
    },
}
CLOCK: Mapping[str, Any] = {"type": "function", "function": {"name": "get_time", "description": "Get the time."}}
PERSON: Mapping[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Request:
    """A body without its model."""

    name: str
    models: Sequence[str]
    messages: Sequence[Mapping[str, Any]]
    fields: Mapping[str, Any] = field(default_factory=dict)

    def body(self, model: str) -> dict[str, Any]:
        return {"model": model, "messages": list(self.messages), **self.fields}


def said(role: str, content: Any = PROMPT, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def ask(name: str, models: Sequence[str], **fields: Any) -> Request:
    """The prompt alone, with parameters."""
    return Request(name, models, [said("user")], fields)


def call(name: str, arguments: str = '{"city": "Paris"}', *, id: str = "call_1", **fields: Any) -> dict[str, Any]:  # noqa: A002 - the wire's own name
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def called(*calls: Mapping[str, Any], content: Any = None, **fields: Any) -> dict[str, Any]:
    return said("assistant", content, tool_calls=list(calls), **fields)


def result(content: Any, *, of: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": of, "content": content}


def with_tools(name: str, models: Sequence[str], *messages: Mapping[str, Any], **fields: Any) -> Request:
    return Request(name, models, messages, {"tools": [WEATHER, CLOCK], **fields})
