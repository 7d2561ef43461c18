"""The schema of a tool's input. Anthropic wants an object at its root, and no alternatives there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway import errors

Schema = dict[str, Any]

_ALTERNATIVES = ("anyOf", "oneOf")
_COMBINED = (*_ALTERNATIVES, "allOf")
MAX_LEVELS = 8  # of alternatives within alternatives at the root
MAX_PARTS = 256  # what stands in more of them is left out: references can make many of few
MAX_NOTE = 400


def input_schema(parameters: object, *, at: str) -> Schema:
    """Raises `ApiError` (400) for what is no schema of an object."""
    if parameters is None or parameters == {}:
        return {"type": "object", "properties": {}}
    if not isinstance(parameters, dict) or parameters.get("type") not in (None, "object"):
        raise errors.invalid(f"'{at}' must be a JSON schema of type object.", param=at)
    if any(keyword in parameters for keyword in _COMBINED):
        return _Merger(parameters).merged()
    return {**parameters, "type": "object"}


class _Merger:
    """One object with the properties of all alternatives. What is required is what every one of them requires; which
    alternatives there are is told in the description, because the model is not held to them any more."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._parts = 0
        self._properties: dict[str, list[object]] = {}

    def merged(self) -> Schema:
        required, notes = self._take(self._root, 0)
        made = {key: value for key, value in self._root.items() if key not in (*_COMBINED, "required")}
        made |= {"type": "object", "properties": {name: _either(found) for name, found in self._properties.items()}}
        if required:
            made["required"] = list(required)
        if notes:
            told = [made["description"]] if isinstance(made.get("description"), str) else []
            made["description"] = " ".join([*told, *notes])
        if made.get("additionalProperties") is False and len(self._properties) > len(_properties(self._root)):
            del made["additionalProperties"]
        return made

    def _take(self, schema: object, level: int) -> tuple[dict[str, None], list[str]]:
        """What the schema requires, and what is to be told of it; its properties are gathered."""
        self._parts += 1
        if level > MAX_LEVELS or self._parts > MAX_PARTS:
            return {}, []
        schema = self._resolved(schema)
        for name, found in _properties(schema).items():
            self._properties.setdefault(name, []).append(found)
        required, notes = _names(schema.get("required")), list[str]()
        for branch in _list(schema.get("allOf")):
            of_branch, told = self._take(branch, level + 1)
            required |= of_branch
            notes += told
        for keyword in _ALTERNATIVES:
            each = [self._take(branch, level + 1)[0] for branch in _list(schema.get(keyword))]
            if each:
                required |= {name: None for name in each[0] if all(name in of for of in each)}
                notes += _told(keyword, each)
        return required, notes

    def _resolved(self, schema: object) -> Mapping[str, Any]:
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: object = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        return {**target, **schema} if isinstance(target, dict) else schema


def _told(keyword: str, each: Iterable[Mapping[str, None]]) -> list[str]:
    sets = [list(of) for of in each if of]
    how_many = "Exactly one" if keyword == "oneOf" else "At least one"
    note = f"({how_many} of these is required: {orjson.dumps(sets).decode()})"
    return [note] if sets and len(note) <= MAX_NOTE else []


def _either(found: list[object]) -> object:
    unlike = [schema for position, schema in enumerate(found) if schema not in found[:position]]
    return unlike[0] if len(unlike) == 1 else {"anyOf": unlike}


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(required: object) -> dict[str, None]:
    return {name: None for name in _list(required) if isinstance(name, str)}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
