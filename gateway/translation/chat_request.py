"""What a chat request says, in OpenAI's format: read here once for every vendor that it is translated for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall

MAX_DEPTH = 200  # of a call's arguments; the writer of JSON gives up at 254, and they stand some levels down


def content_parts(content: object, at: str) -> list[tuple[Mapping[str, Any], str]]:
    """A message's parts, each with where it stands in the body. A plain string is one part."""
    if content is None:
        return []
    if isinstance(content, str):
        return [({"type": "text", "text": content}, at)]
    if not isinstance(content, list):
        raise errors.invalid(f"'{at}' must be a string or a list of content parts.", param=at)
    found: list[tuple[Mapping[str, Any], str]] = []
    for position, part in enumerate(content):
        where = f"{at}[{position}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise errors.invalid(f"'{where}' must be an object with a type, such as text.", param=where)
        found.append((part, where))
    return found


def call_arguments(arguments: object) -> dict[str, Any]:
    """A call's arguments as an object, which vendors want. What is none is kept under `_raw`: a history with
    arguments that were cut off must stay usable. So is what is nested deeper than JSON can be written."""
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"_raw": arguments}
    if parsed is None:
        return {}
    fits = isinstance(parsed, dict) and (
        arguments.count("[") + arguments.count("{") <= MAX_DEPTH or not deeper(parsed, MAX_DEPTH)
    )
    return parsed if fits else {"_raw": arguments}


def deeper(value: object, levels: int) -> bool:
    """Whether more than `levels` arrays and objects stand within each other. Level by level, without recursion."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(inner, dict | list) for inner in level)


def function_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Every name of a function or custom tool in the request: offered first, then those of the history."""
    offered = [tool for tool in body.get("tools") or () if isinstance(tool, dict)]
    named = [tool.get(kind) for tool in offered for kind in ("function", "custom")]
    named += body.get("functions") or ()
    for message in body["messages"]:
        calls = message.get("tool_calls") or ()
        named += [call.get(kind) for call in calls for kind in ("function", "custom")]
        named.append(message.get("function_call"))
    for one in named:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"]


def custom_names(body: Mapping[str, Any]) -> Iterator[str]:
    """The names of the tools that are offered and take free text."""
    for tool in body.get("tools") or ():
        custom = tool.get("custom") if isinstance(tool, dict) and tool.get("type") == "custom" else None
        if isinstance(custom, dict) and isinstance(custom.get("name"), str):
            yield custom["name"]


def offers_functions(body: Mapping[str, Any]) -> bool:
    """Whether the model may call functions. Custom tools and those that a provider runs are another thing."""
    return bool(body.get("functions")) or any(tool.get("type") == "function" for tool in body.get("tools") or ())


def answer_limit(call: ChatCall) -> int | None:
    """How long the answer may be, never more than the model can; None when neither the caller nor its money says."""
    most = call.target.max_output_tokens
    for param in ("max_completion_tokens", "max_tokens"):
        asked = call.body.get(param)
        if asked is None:
            continue
        if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
            raise errors.invalid(f"'{param}' must be a whole number of at least 1.", param=param)
        return min(asked, most) if most else asked
    return call.output_limit


def choice_mode(asked: object, field: str, modes: Mapping[str, str]) -> str:
    """The vendor's word in `modes` for auto, required or none."""
    if not isinstance(asked, str) or asked not in modes:
        raise errors.invalid(f"'{field}' must be auto, required, none or an object that names a function.", param=field)
    return modes[asked]


def chosen_function(asked: object, field: str, wire_names: Mapping[str, str]) -> str:
    """The wire name of the function that a choice names. `wire_names` are those that are offered, by the caller's."""
    function = asked.get("function") or asked.get("custom") or asked if isinstance(asked, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise errors.invalid(f"'{field}' must name one of the functions that are offered.", param=field)
    if name not in wire_names:
        raise errors.invalid(f"'{field}' names the function '{name[:80]}', which is not offered.", param=field)
    return wire_names[name]


def allowed_functions(asked: Mapping[str, Any], wire_names: Mapping[str, str]) -> tuple[set[str], object]:
    """Of a choice of type allowed_tools: the wire names that may be called, and its mode as the caller wrote it."""
    nested = asked.get("allowed_tools")
    allowed = nested if isinstance(nested, dict) else asked
    listed = allowed.get("tools")
    if not isinstance(listed, list) or not listed:
        raise errors.invalid(
            "'tool_choice.allowed_tools.tools' must list the tools that may be called.", param="tool_choice"
        )
    kept = {chosen_function(entry, "tool_choice", wire_names) for entry in listed}
    return kept, allowed.get("mode", "auto")


def textual_parts(content: object, *, at: str, kinds: tuple[str, ...]) -> list[tuple[Mapping[str, Any], str, str]]:
    """Where only text can be: each part, its kind (one of `kinds`), and where its text stands in the body."""
    found = []
    for part, where in content_parts(content, at):
        kind = part["type"]
        if kind not in kinds:
            raise errors.invalid(
                f"'{where}' is a part of type '{kind}'. In this message only {' and '.join(kinds)} can be.", param=where
            )
        found.append((part, kind, f"{where}.{kind}"))
    return found
