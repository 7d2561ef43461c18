"""JSON schemas reduced to the language of Anthropic's structured output. A limit that is taken out is put in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gateway import errors

AT = "response_format.json_schema.schema"
MAX_NODES = 5000  # references are written out, and a small schema of references can unfold into a huge one
MAX_DEPTH = 64
MAX_NOTE = 200

_KEPT = frozenset({"type", "const", "title", "description", "required"})
_SILENT = frozenset({"$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "$ref", "discriminator"})
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)  # fmt: skip


def reduced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without what Anthropic refuses. Raises `ApiError` (400) for references that cannot be written out."""
    return _Reduction(schema).of(schema, ())


class _Reduction:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0
        self._depth = 0

    def of(self, schema: object, within: tuple[str, ...]) -> dict[str, Any]:
        """`within` are the references being written out around this place."""
        self._enter()
        if not isinstance(schema, dict):
            made: dict[str, Any] = {}  # `true`: anything
        elif isinstance(schema.get("$ref"), str):
            made = self._followed(schema, within)
        else:
            made = self._copied(schema, within)
        self._depth -= 1
        return made

    def _copied(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        notes = []
        for keyword, value in schema.items():
            if keyword not in _SILENT and not self._keep(made, keyword, value, within):
                notes.append(_note(keyword, value))
        if _is_object(schema):
            made.setdefault("type", "object")
            made["additionalProperties"] = False
        if notes:
            limits = f"({'; '.join(notes)})"
            made["description"] = f"{made['description']} {limits}" if made.get("description") else limits
        return _joined(made)

    def _keep(self, made: dict[str, Any], keyword: str, value: object, within: tuple[str, ...]) -> bool:
        """Whether the keyword is dealt with; if not, it is put in words."""
        if keyword == "properties" and isinstance(value, dict):
            made[keyword] = {name: self.of(inner, within) for name, inner in value.items()}
        elif keyword == "items":
            made[keyword] = self._items(value, within)
        elif keyword in _LISTS and isinstance(value, list):
            made.setdefault(_LISTS[keyword], []).extend(self.of(inner, within) for inner in value)
        elif _is_taken(keyword, value):
            made[keyword] = value
        else:
            return keyword == "additionalProperties" and isinstance(value, bool)
        return True

    def _items(self, value: object, within: tuple[str, ...]) -> dict[str, Any]:
        if isinstance(value, list):  # positions, as older drafts wrote them
            return {"anyOf": [self.of(inner, within) for inner in value]} if value else {}
        return self.of(value, within)

    def _followed(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        reference = schema["$ref"]
        if reference in within:
            raise errors.invalid(
                f"'{AT}' refers to itself at '{reference[:80]}'. This model takes no recursive schemas.", param=AT
            )
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        return self.of({**self._target(reference), **beside}, (*within, reference))

    def _target(self, reference: str) -> Mapping[str, Any]:
        target: object = self._root
        for step in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ["#"]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            raise errors.invalid(
                f"'{AT}' refers to '{reference[:80]}', which is not in it. Use references like #/$defs/Name.", param=AT
            )
        return target

    def _enter(self) -> None:
        self._nodes += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise errors.invalid(f"'{AT}' is nested more than {MAX_DEPTH} levels deep.", param=AT)
        if self._nodes > MAX_NODES:
            raise errors.invalid(
                f"'{AT}' unfolds into more than {MAX_NODES} parts. Simplify it or use fewer references.", param=AT
            )


def _is_taken(keyword: str, value: object) -> bool:
    """As Anthropic's own library has it."""
    if keyword == "enum":
        return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value)
    if keyword == "format":
        return isinstance(value, str) and value in _FORMATS
    if keyword == "minItems":
        return value in (0, 1)
    return keyword in _KEPT and (keyword != "const" or not isinstance(value, dict | list))


def _joined(made: dict[str, Any]) -> dict[str, Any]:
    """Parts that all hold, as one: each is closed by itself, and nothing could be in two closed objects at once.
    Where parts contradict each other they stay apart."""
    whole = {keyword: value for keyword, value in made.items() if keyword != "allOf"}
    for part in made.get("allOf", ()):
        for keyword, value in part.items():
            if keyword not in whole:
                whole[keyword] = value
            elif keyword == "properties" and all(whole[keyword].get(name, of) == of for name, of in value.items()):
                whole[keyword] = {**whole[keyword], **value}
            elif keyword == "required" and isinstance(value, list) and isinstance(whole[keyword], list):
                whole[keyword] = list(dict.fromkeys([*whole[keyword], *value]))
            elif keyword == "description":
                whole[keyword] = f"{whole[keyword]} {value}"
            elif keyword != "title" and whole[keyword] != value:
                return made
    return whole


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )


def _note(keyword: str, value: object) -> str:
    text = orjson.dumps(value).decode()
    return f"{keyword}: {text}" if len(text) <= MAX_NOTE else keyword
