"""Schemas for servers that know no JSON schema: the same demands, in the words that they have."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import pytest

from gateway.errors import ApiError
from gateway.translation.gemini_openapi import MAX_DEPTH, reduced
from tests.gateway.gemini.asking import ADD, USER, sent

OLD = {"options": {"schemas": "openapi"}}


def made(schema: dict[str, Any]) -> dict[str, Any]:
    return reduced(schema, at="here")


def test_a_route_says_which_language_its_server_speaks() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    body = {"messages": [USER], "tools": [ADD], "response_format": wanted}
    older = sent(body, **OLD)
    assert older["tools"][0]["functionDeclarations"] == [
        {"name": "add", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}
    ]
    config = older["generationConfig"]
    assert config["responseSchema"] == {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}}
    assert "responseJsonSchema" not in config
    newer = sent(body)
    assert "responseSchema" not in newer["generationConfig"]
    assert "parametersJsonSchema" in newer["tools"][0]["functionDeclarations"][0]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "$schema": "x", "$id": "y", "$comment": "z", "strict": True}, {"type": "STRING"}),
        ({"type": "string", "minLength": 1, "pattern": "^a", "title": "T"},
         {"type": "STRING", "minLength": 1, "pattern": "^a", "title": "T"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "email"}, {"type": "STRING"}),
        ({"type": "integer", "format": "int64", "minimum": 1}, {"type": "INTEGER", "format": "int64", "minimum": 1}),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "NUMBER", "description": "(exclusiveMinimum: 0)"}),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"type": "integer", "enum": [1, 2], "description": "How many."},
         {"type": "INTEGER", "description": "How many. (enum: [1,2])"}),
        ({"const": 1.5}, {"type": "NUMBER", "description": "(const: 1.5)"}),
        ({"enum": [True]}, {"type": "BOOLEAN", "description": "(enum: [true])"}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"], "description": "x"},
         {"anyOf": [{"type": "STRING", "description": "x"}, {"type": "INTEGER", "description": "x"}],
          "description": "x"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "x"},
         {"type": "STRING", "nullable": True, "description": "x"}),
        ({"oneOf": [{"type": "string"}, {"type": "boolean"}]}, {"anyOf": [{"type": "STRING"}, {"type": "BOOLEAN"}]}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "array", "items": {"type": "number"}, "minItems": 1},
         {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": 1}),
        ({"prefixItems": [{"type": "number"}, {"type": "string"}]},
         {"type": "ARRAY", "items": {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}]}}),
        ({"properties": {"a": {}}, "required": ["a", "gone"], "additionalProperties": False},
         {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}),
        ({"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]},
         {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}}, "required": ["a", "b"]}),
        ({"$ref": "#/$defs/A", "description": "x", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "boolean"}}},
         {"type": "BOOLEAN", "description": "x"}),
        ({"properties": {"a~/b": {"$ref": "#/definitions/x~1y~0z"}}, "definitions": {"x/y~z": {"type": "integer"}}},
         {"type": "OBJECT", "properties": {"a~/b": {"type": "INTEGER"}}}),
        ({"type": "object", "properties": {"x": {"type": "string"}}, "anyOf": [{"required": ["x"]}]},
         {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}, "required": ["x"]}),
        ({"type": "object", "properties": {"type": {"type": "string"}, "enum": True}},
         {"type": "OBJECT", "properties": {"type": {"type": "STRING"}, "enum": {"type": "STRING"}}}),
        ({}, {"type": "STRING"}),
    ],
)  # fmt: skip
def test_a_schema_is_said_in_the_older_language(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert made(schema) == expected


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {}}}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def together(levels: int) -> dict[str, Any]:
    """Twice as large with each level."""
    defs = {f"L{n}": {"allOf": [{"$ref": f"#/$defs/L{n + 1}"}, {"$ref": f"#/$defs/L{n + 1}"}]} for n in range(levels)}
    return {"$ref": "#/$defs/L0", "$defs": {**defs, f"L{levels}": {"type": "string"}}}


def bomb(levels: int) -> dict[str, Any]:
    """Ten times as large with each level, once its references are written out."""
    defs = {f"L{n}": {"properties": {str(i): {"$ref": f"#/$defs/L{n + 1}"} for i in range(10)}} for n in range(levels)}
    return {"$ref": "#/$defs/L0", "$defs": {**defs, f"L{levels}": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/Gone"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/A/type", "$defs": {"A": {"type": "string"}}},
        nested(MAX_DEPTH + 1),
        bomb(8),
        together(40),
    ],
    ids=range(10),
)
def test_a_schema_that_cannot_be_written_out_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        made(schema)
    assert (caught.value.status, caught.value.param) == (400, "here")


def test_the_same_reference_may_stand_in_several_places() -> None:
    schema = {"properties": {name: {"$ref": "#/$defs/A"} for name in "ab"}, "$defs": {"A": {"type": "number"}}}
    assert made(schema)["properties"] == {"a": {"type": "NUMBER"}, "b": {"type": "NUMBER"}}
    twice = {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "number"}}}
    assert made(twice) == {"type": "NUMBER"}


def test_a_circle_through_parts_that_hold_together_is_found() -> None:
    circle = {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}}
    with pytest.raises(ApiError, match="refers to itself"):
        made(circle)


@pytest.mark.parametrize("odd", [None, True, 7, "x", [], {}, [7], [[]], [{}], {"a": 1}], ids=str)
def test_a_schema_with_anything_odd_in_it_does_no_harm(odd: Any) -> None:
    keywords = ("type", "format", "enum", "const", "anyOf", "oneOf", "allOf", "items", "prefixItems", "properties",
                "required", "$ref", "$defs", "nullable", "description")  # fmt: skip
    for keyword, kind in itertools.product(keywords, ("object", "array", "string")):
        with suppress(ApiError):  # and nothing else
            schema = made({"type": kind, "properties": {"a": {}}, "required": ["a"], keyword: odd})
            assert schema.keys() & {"type", "anyOf", "nullable"}
