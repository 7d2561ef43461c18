"""The reduction of JSON schemas to what Anthropic's structured output takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ApiError
from gateway.translation.anthropic_schema import AT, MAX_DEPTH, reduced


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "object"}, {"type": "object", "additionalProperties": False}),
        ({"properties": {}}, closed()),
        ({"type": ["object", "null"]}, {"type": ["object", "null"], "additionalProperties": False}),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {
                "type": "object",
                "additionalProperties": False,
                "description": '(additionalProperties: {"type":"string"})',
            },
        ),
        ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": False}),
        ({"oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}]}),
        ({"anyOf": [{"type": "a"}], "oneOf": [{"type": "b"}]}, {"anyOf": [{"type": "a"}, {"type": "b"}]}),
        ({"allOf": [{"properties": {}}]}, closed()),
        (
            {"description": "d", "allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
            {**closed(a={}, b={}), "description": "d", "required": ["a"]},
        ),
        (
            {"required": ["a", "b"], "properties": {"a": {}}, "allOf": [{"properties": {"b": {}}, "required": ["b"]}]},
            {**closed(a={}, b={}), "required": ["a", "b"]},
        ),
        ({"allOf": [{"type": "string", "title": "t"}], "title": "u"}, {"type": "string", "title": "u"}),
        ({"allOf": [{"type": "a"}, {"type": "b"}]}, {"allOf": [{"type": "a"}, {"type": "b"}]}),
        (
            {"allOf": [{"properties": {"a": {"type": "a"}}}, {"properties": {"a": {"type": "b"}}}]},
            {"allOf": [closed(a={"type": "a"}), closed(a={"type": "b"})]},
        ),
        ({"type": "array", "items": {"properties": {}}}, {"type": "array", "items": closed()}),
        ({"items": [{"type": "a"}, {"type": "b"}]}, {"items": {"anyOf": [{"type": "a"}, {"type": "b"}]}}),
        ({"items": []}, {"items": {}}),
        ({"items": True}, {"items": {}}),
        ({"enum": ["a", 1, None, True], "const": "a"}, {"enum": ["a", 1, None, True], "const": "a"}),
        ({"enum": [{"a": 1}]}, {"description": '(enum: [{"a":1}])'}),
        ({"const": [1]}, {"description": "(const: [1])"}),
        ({"type": "string", "format": "regex"}, {"type": "string", "description": '(format: "regex")'}),
        ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 1}),
        ({"type": "array", "minItems": 2}, {"type": "array", "description": "(minItems: 2)"}),
        ({"type": "string", "default": "x"}, {"type": "string", "description": '(default: "x")'}),
        ({"anyOf": [], "discriminator": {"propertyName": "k"}}, {"anyOf": []}),
        ({"$schema": "x", "$id": "y", "title": "t", "format": "date"}, {"title": "t", "format": "date"}),
        ({"properties": {"minimum": {"type": "a"}}}, closed(minimum={"type": "a"})),
        ({"minimum": 1, "description": "d"}, {"description": "d (minimum: 1)"}),
        ({"minLength": 1, "maxLength": 2}, {"description": "(minLength: 1; maxLength: 2)"}),
        ({"not": {"enum": ["x" * 300]}}, {"description": "(not)"}),
    ],
)
def test_reductions(schema: dict[str, Any], made: dict[str, Any]) -> None:
    before = json.dumps(schema)
    assert reduced(schema) == made
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "keyword",
    [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "pattern", "examples", "nullable", "readOnly", "contentEncoding",
        "contains", "prefixItems", "minProperties", "maxProperties",
        "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas", "if", "then", "else", "not",
    ],
)  # fmt: skip
def test_every_limit_that_is_taken_out_is_put_in_words(keyword: str) -> None:
    assert reduced({"type": "string", keyword: 1}) == {"type": "string", "description": f"({keyword}: 1)"}


def test_references_are_written_out_with_what_stands_beside_them() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A", "description": "mine"}, "b": {"$ref": "#/definitions/B~1C"}},
        "$defs": {"A": {"type": "string", "description": "theirs", "maxLength": 3}},
        "definitions": {"B/C": {"$ref": "#/$defs/A"}},
    }
    assert reduced(schema) == closed(
        a={"type": "string", "description": "mine (maxLength: 3)"},
        b={"type": "string", "description": "theirs (maxLength: 3)"},
    )


def test_one_definition_may_be_used_twice() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "string"}},
    }
    assert reduced(schema) == closed(a={"type": "string"}, b={"type": "string"})


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def bomb() -> dict[str, Any]:
    """Twenty definitions, each of which refers to the next one ten times."""
    inner = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(20)}
    return {"$ref": "#/$defs/d0", "$defs": {**inner, "d20": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#"}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}},
        {"$ref": "#/$defs/B"},
        {"$ref": "https://x.test/schema.json"},
        {"$ref": "#/$defs/A", "$defs": {"A": True}},
        nested(MAX_DEPTH + 1),
        bomb(),
    ],
    ids=["itself", "recursive", "absent", "elsewhere", "not an object", "deep", "bomb"],
)
def test_what_cannot_be_written_out_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        reduced(schema)
    assert (caught.value.status, caught.value.param) == (400, AT)


def test_a_schema_that_refers_to_itself_is_told_where() -> None:
    with pytest.raises(ApiError, match="refers to itself at '#/\\$defs/A'"):
        reduced({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}})
