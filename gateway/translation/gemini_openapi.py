"""JSON schemas in the older language that some of Google's servers speak: a part of OpenAPI's, without references.

What that language has no word for is left out, because it is refused; limits that can be said in words go into the
description, where the model reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gateway import errors

MAX_DEPTH = 64
MAX_SCHEMAS = 5000  # written out, references can make a small schema endless

_KEPT = frozenset({
    "title", "description", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "minLength", "maxLength", "pattern", "propertyOrdering", "nullable",
})  # fmt: skip
_TOLD = ("const", "enum", "default", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems")
_FORMATS = {"string": ["date-time", "enum"], "integer": ["int32", "int64"], "number": ["float", "double"]}
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})


def reduced(schema: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    """The schema in that language. Raises `ApiError` (400) for one without a bottom. `at` is where it stands."""
    return _Reduction(schema, at).of(schema, (), 0)


class _Reduction:
    def __init__(self, root: Mapping[str, Any], at: str) -> None:
        self._root = root
        self._at = at
        self._made = 0

    def of(self, given: Any, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        """`within` are the references that this schema is written out for."""
        if depth > MAX_DEPTH:
            raise errors.invalid(f"'{self._at}' is nested more than {MAX_DEPTH} levels deep.", param=self._at)
        schema, within = self._plain(given, within)
        kinds = [kind for kind in _listed(schema.get("type")) if isinstance(kind, str)]
        known = [kind for kind in kinds if kind in _TYPES]
        nullable = "null" in kinds or schema.get("nullable") is True
        branches = [one for name in ("anyOf", "oneOf") for one in _listed(schema.get(name))]
        if len(known) > 1:
            branches = [*branches, *({**schema, "type": kind, "anyOf": [], "oneOf": []} for kind in known)]
        if branches:
            nullable = nullable or any(_is_null(one) for one in branches)
            made = self._any([one for one in branches if not _is_null(one)], schema, within, depth)
        else:
            made = self._one(schema, known[0] if known else _guessed(schema), within, depth)
        return {**made, "nullable": True} if nullable else made

    def _any(
        self, branches: list[Any], schema: Mapping[str, Any], within: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        """One of several; a single one stands for itself. What holds for all of them is said of each."""
        around = {name: value for name, value in schema.items() if name in ("title", "description")}
        common = {name: schema[name] for name in ("type", "properties", "required", "items") if name in schema}
        full = [{**common, **one} if isinstance(one, dict) and "$ref" not in one else one for one in branches]
        made = [self.of(one, within, depth + 1) for one in full]
        return {**(made[0] if len(made) == 1 else {"anyOf": made}), **around} if made else around

    def _one(self, schema: Mapping[str, Any], kind: str, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {"type": kind.upper()}
        made |= {name: value for name, value in schema.items() if name in _KEPT and value is not None}
        if schema.get("format") in _FORMATS.get(kind, []):
            made["format"] = schema["format"]
        told = [name for name in _TOLD if name in schema]
        choices = [schema["const"]] if "const" in schema else _listed(schema.get("enum"))
        if kind == "string" and choices and all(isinstance(one, str) for one in choices):
            made["enum"] = choices
            told = [name for name in told if name not in ("const", "enum")]
        if told:
            noted = "; ".join(f"{name}: {orjson.dumps(schema[name]).decode()}" for name in told)
            made["description"] = f"{made.get('description') or ''} ({noted})".strip()
        if kind == "array":
            made["items"] = self._items(schema, within, depth)
        if kind == "object" and isinstance(schema.get("properties"), dict) and schema["properties"]:
            properties = schema["properties"]
            made["properties"] = {name: self.of(one, within, depth + 1) for name, one in properties.items()}
            required = [
                name for name in _listed(schema.get("required")) if isinstance(name, str) and name in properties
            ]
            made |= {"required": required} if required else {}
        return made

    def _items(self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int) -> dict[str, Any]:
        items = schema.get("items")
        if isinstance(items, dict):
            return self.of(items, within, depth + 1)
        kinds = [self.of(one, within, depth + 1) for one in _listed(schema.get("prefixItems"))]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {"type": "STRING"}

    def _plain(self, given: Any, within: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The schema with its references written out, and with all that it must follow at once in one."""
        self._made += 1
        if self._made > MAX_SCHEMAS:
            raise errors.invalid(
                f"'{self._at}' holds more than {MAX_SCHEMAS} schemas once its references are written out.",
                param=self._at,
            )
        schema = dict(given) if isinstance(given, dict) else {}
        while isinstance(schema.get("$ref"), str):
            reference = schema.pop("$ref")
            if reference in within:
                raise errors.invalid(
                    f"'{self._at}' refers to itself through '{reference[:80]}', which this model cannot follow.",
                    param=self._at,
                )
            within = (*within, reference)
            schema = {**self._found(reference), **schema}
        outside = within
        for one in _listed(schema.pop("allOf", None)):
            part, inside = self._plain(one, outside)
            within = (*within, *inside[len(outside) :])
            properties = {**_object(schema.get("properties")), **_object(part.get("properties"))}
            required = [*_listed(schema.get("required")), *_listed(part.get("required"))]
            schema = {**part, **schema}
            schema |= {"properties": properties} if properties else {}
            schema |= {"required": required} if required else {}
        return schema, within

    def _found(self, reference: str) -> dict[str, Any]:
        at: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            at = at.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(at, dict) else None
        if not reference.startswith("#") or not isinstance(at, dict):
            raise errors.invalid(f"'{self._at}' refers to '{reference[:80]}', which is not in it.", param=self._at)
        return at


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("enum") == [None])


def _guessed(schema: Mapping[str, Any]) -> str:
    """The type of a schema that names none: that language has no word for anything at all."""
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    choices = [schema["const"]] if "const" in schema else _listed(schema.get("enum"))
    if choices and all(isinstance(one, bool) for one in choices):
        return "boolean"
    if choices and all(isinstance(one, int | float) and not isinstance(one, bool) for one in choices):
        return "number"
    return "string"
