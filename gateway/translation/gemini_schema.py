"""JSON schemas as Gemini takes them: nearly as they came, since it reads JSON schema itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.providers.base import Target
from gateway.translation.gemini_openapi import reduced

MAX_DEPTH = 64
OPENAPI = "openapi"

_DROPPED = frozenset({"$schema", "$id", "$comment", "strict"})
_NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_LISTED = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NESTED = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})


def schema_language(target: Target) -> str:
    """The route's option `schemas`: json, or openapi for a server that knows the older fields only."""
    return str(target.options.get("schemas") or "json")


def parameters_field(schema: Mapping[str, Any], *, language: str, at: str) -> dict[str, Any]:
    """What a function takes, under the name that the server knows."""
    if language == OPENAPI:
        return {"parameters": reduced(schema, at=at)}
    return {"parametersJsonSchema": adapted(schema, at=at)}


def answer_field(schema: Mapping[str, Any], *, language: str, at: str) -> dict[str, Any]:
    """What the answer must follow, under the name that the server knows."""
    if language == OPENAPI:
        return {"responseSchema": reduced(schema, at=at)}
    return {"responseJsonSchema": adapted(schema, at=at)}


def adapted(schema: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    """A copy without what Gemini refuses. `at` is where the schema stands in the body, for errors.

    References stay, but Gemini takes nothing beside a `$ref`: what stands there is put around it.
    """
    return _object(schema, at=at, depth=0)


def _object(schema: Mapping[str, Any], *, at: str, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise errors.invalid(f"'{at}' is nested more than {MAX_DEPTH} levels deep.", param=at)
    made = {
        keyword: _value(keyword, value, at=at, depth=depth + 1)
        for keyword, value in schema.items()
        if keyword not in _DROPPED
    }
    if isinstance(made.get("$ref"), str):
        return _beside_reference(made)
    return made


def _value(keyword: str, value: object, *, at: str, depth: int) -> object:
    if keyword in _NAMED and isinstance(value, dict):
        return {name: _schema(inner, at=at, depth=depth) for name, inner in value.items()}
    if keyword in _LISTED and isinstance(value, list):
        return [_schema(inner, at=at, depth=depth) for inner in value]
    if keyword in _NESTED:
        return _schema(value, at=at, depth=depth)
    return value


def _schema(value: object, *, at: str, depth: int) -> object:
    return _object(value, at=at, depth=depth) if isinstance(value, dict) else value


def _beside_reference(schema: dict[str, Any]) -> dict[str, Any]:
    beside = {keyword: value for keyword, value in schema.items() if not keyword.startswith("$")}
    if not beside:
        return schema
    reference = {keyword: value for keyword, value in schema.items() if keyword == "$ref"}
    kept = {keyword: value for keyword, value in schema.items() if keyword.startswith("$") and keyword != "$ref"}
    return {**beside, **kept, "anyOf": [reference, *beside.get("anyOf", [])]}
