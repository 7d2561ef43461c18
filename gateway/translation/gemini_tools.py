"""The caller's tools and its choice among them, as Gemini's function declarations and calling mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import errors
from gateway.providers.base import ChatCall
from gateway.translation.chat_request import allowed_functions, choice_mode, chosen_function
from gateway.translation.gemini_capabilities import Capabilities
from gateway.translation.gemini_names import FunctionNames
from gateway.translation.gemini_schema import parameters_field, schema_language

Declaration = dict[str, Any]

_TAKING = ("properties", "additionalProperties", "patternProperties", "$ref", "anyOf", "oneOf", "allOf")
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


@dataclass(frozen=True, slots=True)
class Toolset:
    declarations: list[Declaration]
    mode: str | None = None  # AUTO, ANY or NONE
    only: str | None = None  # the one function that must be called

    @property
    def callable(self) -> bool:
        return bool(self.declarations) and self.mode != "NONE"

    def fields(self) -> dict[str, Any]:
        """`tools` and `toolConfig`, where there is anything to say."""
        if not self.declarations:
            return {}
        made: dict[str, Any] = {"tools": [{"functionDeclarations": self.declarations}]}
        if self.mode:
            calling = {"mode": self.mode, "allowedFunctionNames": [self.only]} if self.only else {"mode": self.mode}
            made["toolConfig"] = {"functionCallingConfig": calling}
        return made


def toolset(call: ChatCall, *, takes: Capabilities, names: FunctionNames) -> Toolset:
    """Raises `ApiError` (400) that names the tool or the choice."""
    field = "functions" if call.legacy_functions else "tools"
    functions = _definitions(call)
    if functions and not takes.tools:
        raise errors.invalid(
            f"This model does not take tools. Leave out '{field}'.", param=field, code="unsupported_parameter"
        )
    language = schema_language(call.target)
    declarations = [_declaration(function, names, language, at=at) for function, at in functions]
    field = "function_call" if call.legacy_functions else "tool_choice"
    asked = call.body.get(field)
    if asked is None or not declarations:
        return Toolset(declarations)
    offered = {names.back(declaration["name"]): str(declaration["name"]) for declaration in declarations}
    if isinstance(asked, dict) and asked.get("type") == "allowed_tools" and not call.legacy_functions:
        return _allowed(asked, declarations, offered)
    if isinstance(asked, str):
        return Toolset(declarations, choice_mode(asked, field, _MODES))
    return Toolset(declarations, "ANY", chosen_function(asked, field, offered))


def _definitions(call: ChatCall) -> list[tuple[Mapping[str, Any], str]]:
    """Function definitions, each with where it stands in the body."""
    if call.legacy_functions:
        return [(function, f"functions[{position}]") for position, function in enumerate(call.body["functions"])]
    found = []
    for position, tool in enumerate(call.body.get("tools") or ()):
        at = f"tools[{position}]"
        if tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
            raise errors.invalid(
                f"'{at}' is a tool of type '{tool.get('type')}'. This model takes tools of type function only.",
                param=at,
                code="unsupported_value",
            )
        found.append((tool["function"], f"{at}.function"))
    return found


def _declaration(function: Mapping[str, Any], names: FunctionNames, language: str, *, at: str) -> Declaration:
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise errors.invalid(f"'{at}.name' must be the function's name.", param=f"{at}.name")
    made: Declaration = {"name": names.out(name)}
    if isinstance(function.get("description"), str) and function["description"]:
        made["description"] = function["description"]
    parameters = function.get("parameters")
    where = f"{at}.parameters"
    if parameters is not None and (not isinstance(parameters, dict) or parameters.get("type", "object") != "object"):
        raise errors.invalid(f"'{where}' must be a JSON schema of type object.", param=where)
    if parameters and any(parameters.get(keyword) for keyword in _TAKING):  # without any, it is left out
        made |= parameters_field({"type": "object", **parameters}, language=language, at=where)
    return made


def _allowed(asked: Mapping[str, Any], declarations: list[Declaration], offered: Mapping[str, str]) -> Toolset:
    """Gemini knows a list of allowed names in mode ANY only, so the others are not offered at all."""
    kept, mode = allowed_functions(asked, offered)
    kept_declarations = [declaration for declaration in declarations if declaration["name"] in kept]
    return Toolset(kept_declarations, choice_mode(mode, "tool_choice", _MODES))
