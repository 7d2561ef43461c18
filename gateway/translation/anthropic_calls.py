"""The tool calls of a history: each gets an id that Anthropic takes, and exactly one result in the turn after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import errors
from gateway.translation.anthropic_content import Block
from gateway.translation.anthropic_names import Distinct, ToolNames
from gateway.translation.chat_request import call_arguments

MAX_ID = 64
FREE_TEXT = "input"  # the property that holds the text of a custom tool's call


@dataclass(slots=True)
class Call:
    """A call that waits for its result."""

    id: str  # the caller's
    name: str  # the caller's
    block: Block
    at: str
    answered: bool = False


class Calls:
    """Pairs calls with results. However many calls there are, and however they are named, each costs the same."""

    def __init__(self, names: ToolNames) -> None:
        self.names: dict[str, None] = {}  # of all calls, as they stand on the wire
        self._names = names
        self._ids = Distinct(length=MAX_ID)
        self._legacy = 0
        self._open: list[Call] = []
        self._by_id: dict[str, deque[Call]] = {}
        self._by_name: dict[str, list[Call]] = {}

    def of(self, message: Mapping[str, Any], at: str) -> list[Call]:
        """The calls of an assistant message. They wait for nothing before `wait_for` is told of them."""
        found = []
        for position, call in enumerate(message.get("tool_calls") or ()):
            where = f"{at}.tool_calls[{position}]"
            found.append(self._call(call["id"], *_named(call, where), at=f"{where}.id"))
        legacy = message.get("function_call")
        if isinstance(legacy, dict) and isinstance(legacy.get("name"), str):
            self._legacy += 1
            given = call_arguments(legacy.get("arguments"))
            found.append(self._call(f"call_legacy_{self._legacy}", legacy["name"], given, at=f"{at}.function_call"))
        return found

    def wait_for(self, calls: list[Call]) -> None:
        for call in calls:
            self._open.append(call)
            self._by_id.setdefault(call.id, deque()).append(call)
            self._by_name.setdefault(call.name, []).append(call)

    def answer(self, message: Mapping[str, Any], at: str) -> str:
        """The wire id of the call that a tool's or function's message answers."""
        if message["role"] == "function":
            name = str(message.get("name"))
            called = self._by_name.get(name)
            while called and called[-1].answered:
                called.pop()
            return _answered(called, called[-1] if called else None, name, at=f"{at}.name")
        wanted = message.get("tool_call_id")
        if not isinstance(wanted, str):
            raise errors.invalid(
                f"'{at}.tool_call_id' is missing: it names the tool call that the message answers.",
                param=f"{at}.tool_call_id",
            )
        waiting = self._by_id.get(wanted)
        while waiting and waiting[0].answered:
            waiting.popleft()
        return _answered(waiting, waiting[0] if waiting else None, wanted, at=f"{at}.tool_call_id")

    def check_answered(self) -> None:
        """Raises `ApiError` (400) for a call without a result. The calls so far are then done with."""
        for call in self._open:
            if not call.answered:
                raise errors.invalid(
                    f"The tool call '{call.id[:80]}' has no result. Follow the assistant message with a tool message "
                    "for each of its calls, before the next assistant message.",
                    param=call.at,
                )
        self._open, self._by_id, self._by_name = [], {}, {}

    def _call(self, given_id: str, name: str, given: dict[str, Any], *, at: str) -> Call:
        wire_name = self._names.out(name)
        self.names[wire_name] = None
        block = {"type": "tool_use", "id": self._ids.take(given_id), "name": wire_name, "input": given}
        return Call(given_id, name, block, at)


def _named(call: Mapping[str, Any], at: str) -> tuple[str, dict[str, Any]]:
    """The name of a call and what it was given."""
    function, custom = call.get("function"), call.get("custom")
    if isinstance(function, dict):
        return function["name"], call_arguments(function.get("arguments"))
    if call.get("type") == "custom" and isinstance(custom, dict) and isinstance(custom.get("name"), str):
        text = custom.get("input")
        return custom["name"], {FREE_TEXT: text if isinstance(text, str) else ""}
    raise errors.invalid(
        f"'{at}' must be a call of a function or of a custom tool: this model has no other tools.", param=at
    )


def _answered(called: object, waiting: Call | None, wanted: str, *, at: str) -> str:
    if waiting is None:
        problem = "is not in the assistant message before it" if called is None else "is answered already"
        raise errors.invalid(
            f"'{at}' is '{wanted[:80]}', a call that {problem}. "
            "Each tool message answers one call of the assistant message that precedes it.",
            param=at,
        )
    waiting.answered = True
    return str(waiting.block["id"])
