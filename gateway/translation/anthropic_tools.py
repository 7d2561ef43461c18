"""The caller's tools and its choice among them, as Anthropic's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway import errors
from gateway.providers.base import ChatCall
from gateway.translation.anthropic_calls import FREE_TEXT
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_input_schema import input_schema
from gateway.translation.anthropic_names import WEB_SEARCH, Reading, ToolNames, searches
from gateway.translation.chat_request import allowed_functions, choice_mode, chosen_function

Tool = dict[str, Any]
Choice = dict[str, Any]

_MODES = {"auto": "auto", "required": "any", "none": "none"}
_SEARCHES = {"low": 1, "medium": 5, "high": 10}  # `search_context_size` as the most searches a request may make


@dataclass(frozen=True, slots=True)
class Toolset:
    tools: list[Tool]
    choice: Choice | None

    @property
    def forced(self) -> bool:
        """Whether the model must call a tool, which does not go together with thinking."""
        return self.choice is not None and self.choice["type"] in {"any", "tool"}


def toolset(call: ChatCall, *, takes: Capabilities, reading: Reading, in_history: Iterable[str]) -> Toolset:
    """Raises `ApiError` (400) that names the tool or the choice. `in_history` are wire names of calls made before."""
    body = call.body
    definitions, field = _definitions(call)
    _check_able(takes, definitions, field)
    tools = [_tool(tool, reading.names, at=at, name_at=name_at) for tool, at, name_at in definitions]
    _check_distinct(tools, definitions)
    tools, choice = _chosen(body, tools, reading.names, legacy=reading.legacy)
    if reading.answer_tool:
        tools, choice = _with_answer_tool(body, tools, choice, reading.answer_tool)
    if searches(call):
        tools = [*tools, _web_search(body["web_search_options"])]
    if not tools:
        return _remembered(in_history)
    if choice and choice["type"] in {"any", "tool"} and not takes.forced_tool_choice:
        choice = {"type": "auto"}
    return Toolset(tools, _with_parallelism(body, choice, legacy=reading.legacy))


def _definitions(call: ChatCall) -> tuple[list[tuple[Mapping[str, Any], str, str]], str]:
    """Function definitions with where they and their names stand, and the field they came in."""
    found = []
    if call.legacy_functions:
        for position, function in enumerate(call.body["functions"]):
            at = f"functions[{position}]"
            found.append((function, at, f"{at}.name"))
        return found, "functions"
    for position, tool in enumerate(call.body.get("tools") or ()):
        at, kind = f"tools[{position}]", tool.get("type")
        if kind not in ("function", "custom") or not isinstance(tool.get(kind), dict):
            raise errors.invalid(
                f"'{at}' is a tool of type '{kind}'. This model takes tools of type function or custom, each described "
                "under that name.",
                param=at,
                code="unsupported_value",
            )
        described = tool[kind] if kind == "function" else _of_free_text(tool[kind])
        marked = {"cache_control": tool.get("cache_control"), **described}
        found.append((marked, f"{at}.{kind}", f"{at}.{kind}.name"))
    return found, "tools"


def _of_free_text(custom: Mapping[str, Any]) -> dict[str, Any]:
    """A custom tool as a function of one text. A grammar can only be asked for, in words."""
    told = [custom["description"]] if isinstance(custom.get("description"), str) else []
    shape = custom.get("format")
    grammar = shape.get("grammar", shape) if isinstance(shape, dict) and shape.get("type") == "grammar" else None
    if isinstance(grammar, dict):
        told.append(f"The input must follow this {grammar.get('syntax')} grammar:\n{grammar.get('definition')}")
    text = {"type": "string", "description": "The tool's whole input, as it is."}
    schema = {"type": "object", "properties": {FREE_TEXT: text}, "required": [FREE_TEXT], "additionalProperties": False}
    return {"name": custom.get("name"), "description": "\n\n".join(filter(None, told)), "parameters": schema}


def _check_able(takes: Capabilities, definitions: list[Any], field: str) -> None:
    if definitions and not takes.tools:
        raise errors.invalid(
            f"This model does not take tools. Leave out '{field}'.", param=field, code="unsupported_parameter"
        )


def _check_distinct(tools: list[Tool], definitions: list[tuple[Mapping[str, Any], str, str]]) -> None:
    seen = set()
    for tool, (function, _, name_at) in zip(tools, definitions, strict=True):
        if tool["name"] in seen:
            raise errors.invalid(
                f"'{name_at}' is '{function['name'][:80]}', which another tool is called already. Each needs a name of "
                "its own.",
                param=name_at,
            )
        seen.add(tool["name"])


def _tool(function: Mapping[str, Any], names: ToolNames, *, at: str, name_at: str) -> Tool:
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise errors.invalid(f"'{name_at}' must be the tool's name.", param=name_at)
    tool: Tool = {"name": names.out(name)}
    if isinstance(function.get("description"), str) and function["description"]:
        tool["description"] = function["description"]
    tool["input_schema"] = input_schema(function.get("parameters"), at=f"{at}.parameters")
    if isinstance(function.get("cache_control"), dict):
        tool["cache_control"] = function["cache_control"]
    return tool


def _chosen(
    body: Mapping[str, Any], tools: list[Tool], names: ToolNames, *, legacy: bool
) -> tuple[list[Tool], Choice | None]:
    field = "function_call" if legacy else "tool_choice"
    asked = body.get(field)
    if asked is None or not tools:
        return tools, None
    if isinstance(asked, str):
        return tools, _mode(asked, field)
    if isinstance(asked, dict) and asked.get("type") == "allowed_tools" and not legacy:
        return _allowed(asked, tools, names)
    return tools, {"type": "tool", "name": chosen_function(asked, field, _offered(tools, names))}


def _mode(asked: object, field: str) -> Choice:
    return {"type": choice_mode(asked, field, _MODES)}


def _offered(tools: list[Tool], names: ToolNames) -> dict[str, str]:
    """The tools' wire names by those that the caller knows them by."""
    return {names.back(tool["name"]): tool["name"] for tool in tools}


def _allowed(asked: Mapping[str, Any], tools: list[Tool], names: ToolNames) -> tuple[list[Tool], Choice]:
    kept, mode = allowed_functions(asked, _offered(tools, names))
    return [tool for tool in tools if tool["name"] in kept], _mode(mode, "tool_choice")


def _with_answer_tool(
    body: Mapping[str, Any], tools: list[Tool], choice: Choice | None, name: str
) -> tuple[list[Tool], Choice]:
    """One more tool whose input is the structured answer. Beside other tools the model may choose which to call."""
    wanted = body["response_format"].get("json_schema")
    wanted = wanted if isinstance(wanted, dict) else {}
    at = "response_format.json_schema.schema"
    answer = {
        "name": name,
        "description": wanted.get("description") or "Give the final answer by calling this tool.",
        "input_schema": input_schema(wanted.get("schema"), at=at),
    }
    if choice and choice["type"] == "tool":
        return [*tools, answer], choice
    free = bool(tools) and not (choice and choice["type"] == "none")
    alone = {"type": "tool", "name": name, "disable_parallel_tool_use": True}  # one answer, not two
    return [*tools, answer], {"type": "any"} if free else alone


def _web_search(options: Mapping[str, Any]) -> Tool:
    tool: Tool = {"type": "web_search_20250305", "name": WEB_SEARCH}
    location = options.get("user_location")
    if isinstance(location, dict) and isinstance(location.get("approximate"), dict):
        tool["user_location"] = {"type": "approximate", **location["approximate"]}
    size = options.get("search_context_size")
    if isinstance(size, str) and size in _SEARCHES:
        tool["max_uses"] = _SEARCHES[size]
    return tool


def _remembered(in_history: Iterable[str]) -> Toolset:
    """Anthropic wants to see tools when the history has calls; none of these may be called now."""
    tools: list[Tool] = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in in_history]
    return Toolset(tools, {"type": "none"} if tools else None)


def _with_parallelism(body: Mapping[str, Any], choice: Choice | None, *, legacy: bool) -> Choice | None:
    """A caller of the legacy functions can be answered with one call only."""
    parallel = False if legacy else body.get("parallel_tool_calls")
    if not isinstance(parallel, bool) or (
        choice and (choice["type"] == "none" or "disable_parallel_tool_use" in choice)
    ):
        return choice
    return {**(choice or {"type": "auto"}), "disable_parallel_tool_use": not parallel}
