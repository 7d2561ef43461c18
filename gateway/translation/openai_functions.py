"""`functions` and `function_call` for servers that know only tools, and the answer back in the caller's words.

A caller who still speaks of functions would otherwise be answered as if it had offered none: such servers do not
refuse what they do not know, they pass over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with tools where it had functions, in what is offered and in the history."""
    told = dict(body)
    functions, choice = told.pop("functions", None), told.pop("function_call", None)
    if functions and not told.get("tools"):
        told["tools"] = [{"type": "function", "function": function} for function in functions]
        if choice is not None:
            named = isinstance(choice, dict)
            told["tool_choice"] = {"type": "function", "function": choice} if named else choice
    if any(message["role"] == "function" or message.get("function_call") for message in told["messages"]):
        told["messages"] = _History().told(told["messages"])
    return told


def as_function(choice: dict[str, Any], made: dict[str, Any]) -> None:
    """Put the first tool call of `made`, the choice's message or delta, where a caller of functions looks for it."""
    calls = made.pop("tool_calls", None)
    for call in calls or ():
        if not call.get("index"):
            function = call.get("function") or {}
            made["function_call"] = {key: function[key] for key in ("name", "arguments") if key in function}
            break
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "function_call"


class _History:
    """Gives the calls of a history ids: a result belongs to the last call of its name that has none yet."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []  # name and id
        self._count = 0

    def told(self, messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [self._message(message) for message in messages]

    def _message(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        made = message.get("function_call")
        if made and not message.get("tool_calls"):
            call = {"id": self._begin(str(made.get("name"))), "type": "function", "function": made}
            return {**{key: value for key, value in message.items() if key != "function_call"}, "tool_calls": [call]}
        if message["role"] != "function":
            return message
        rest = {key: value for key, value in message.items() if key not in {"role", "name"}}
        return {"role": "tool", "tool_call_id": self._answered(str(message.get("name"))), **rest}

    def _begin(self, name: str) -> str:
        self._count += 1
        self._open.append((name, f"call_legacy_{self._count}"))
        return self._open[-1][1]

    def _answered(self, name: str) -> str:
        for place in reversed(range(len(self._open))):
            if self._open[place][0] == name:
                return self._open.pop(place)[1]
        return self._begin(name)
