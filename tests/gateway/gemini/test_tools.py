"""Tools, the choice among them, and the schemas of what they take."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.translation.gemini_names import FunctionNames
from gateway.translation.gemini_schema import MAX_DEPTH
from tests.gateway.gemini.asking import ADD, USER, refusal, result, sent, tool_calls


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


def declared(**function: Any) -> dict[str, Any]:
    made: dict[str, Any] = sent({"tools": [tool("f", **function)]})["tools"][0]["functionDeclarations"][0]
    return made


def test_tools_are_function_declarations() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert declared(description="Weather.", parameters=parameters, strict=True) == {
        "name": "f",
        "description": "Weather.",
        "parametersJsonSchema": parameters,
    }


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_tool_that_takes_nothing_has_no_parameters(parameters: dict[str, Any] | None) -> None:
    assert declared(parameters=parameters) == {"name": "f"}


@pytest.mark.parametrize(
    "parameters", [{"additionalProperties": {"type": "string"}}, {"$ref": "#/$defs/A", "$defs": {"A": {}}}]
)
def test_a_tool_that_takes_something_without_naming_it_keeps_its_schema(parameters: dict[str, Any]) -> None:
    kept = declared(parameters={"type": "object", **parameters})["parametersJsonSchema"]
    assert kept.items() >= {"type": "object"}.items()
    assert set(parameters) & {"additionalProperties", "$defs"} <= set(kept)


def test_a_schema_without_its_type_is_of_an_object() -> None:
    schema = declared(parameters={"properties": {"a": {"type": "integer"}}})["parametersJsonSchema"]
    assert schema == {"type": "object", "properties": {"a": {"type": "integer"}}}


def test_a_schema_keeps_all_but_what_gemini_refuses() -> None:
    given = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "strict": {"type": "boolean"},
            "$id": {"type": "string", "minLength": 1},
            "who": {"$ref": "#/$defs/Who", "description": "Whom to ask."},
            "all": {"type": "array", "items": {"$ref": "#/$defs/Who"}},
        },
        "$defs": {"Who": {"$id": "who", "anyOf": [{"type": "string"}, {"type": "null", "$comment": "x"}]}},
    }
    assert declared(parameters=given)["parametersJsonSchema"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "strict": {"type": "boolean"},
            "$id": {"type": "string", "minLength": 1},
            "who": {"anyOf": [{"$ref": "#/$defs/Who"}], "description": "Whom to ask."},
            "all": {"type": "array", "items": {"$ref": "#/$defs/Who"}},
        },
        "$defs": {"Who": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    }


def test_a_schema_without_a_bottom_is_refused() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {}}}
    for _ in range(MAX_DEPTH + 1):
        schema = {"type": "object", "properties": {"a": schema}}
    assert refusal({"tools": [tool("f", parameters=schema)]}).param == "tools[0].function.parameters"


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (None, None),
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        ({"type": "function", "function": {"name": "add"}}, {"mode": "ANY", "allowedFunctionNames": ["add"]}),
    ],
)
def test_the_choice_is_a_mode(choice: Any, calling: dict[str, Any] | None) -> None:
    made = sent({"tools": [ADD, tool("sub")], "tool_choice": choice})
    assert made.get("toolConfig", {}).get("functionCallingConfig") == calling


def test_only_allowed_tools_are_offered() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "sub"}}]}
    made = sent({"tools": [ADD, tool("sub")], "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}})
    assert made["tools"] == [{"functionDeclarations": [{"name": "sub"}]}]
    assert made["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}


def test_legacy_functions_are_tools() -> None:
    made = sent({"functions": [{"name": "f", "description": "F."}], "function_call": {"name": "f"}})
    assert made["tools"] == [{"functionDeclarations": [{"name": "f", "description": "F."}]}]
    assert made["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["f"]}


def test_names_in_another_alphabet_are_renamed_alike_everywhere() -> None:
    body = {
        "messages": [USER, tool_calls(("a", "files/read", "{}")), result("a", "x")],
        "tools": [tool("files/read"), tool("files_read")],
        "tool_choice": {"type": "function", "function": {"name": "files/read"}},
    }
    made = sent(body)
    assert [one["name"] for one in made["tools"][0]["functionDeclarations"]] == ["files_read_2", "files_read"]
    assert made["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["files_read_2"]
    assert made["contents"][1]["parts"][0]["functionCall"]["name"] == "files_read_2"
    assert made["contents"][2]["parts"][0]["functionResponse"]["name"] == "files_read_2"


@pytest.mark.parametrize("name", ["1st", "größe", "-x", "a" * 80, "mcp__srv.tool:v-1", "a b", "a/b"])
def test_every_name_comes_back_as_it_was(name: str) -> None:
    names = FunctionNames([name, "a_b", "a" * 64])
    wire = names.out(name)
    assert names.back(wire) == name
    assert len(wire) <= 64
    assert wire.isascii()
    assert wire[0].isalpha() or wire[0] == "_"
