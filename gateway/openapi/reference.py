"""The document as people read it: what the reference page shows, in its order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import slugify

from gateway.markdown import Renderer
from gateway.openapi.code_samples import CodeSample, asked_by, samples_of
from gateway.openapi.document import document_for
from gateway.openapi.operations import JSON, STREAM
from gateway.openapi.shapes import Schema

DEEPEST = 8
_BOUNDS = (("minimum", "maximum", ""), ("minLength", "maxLength", "characters"), ("minItems", "maxItems", "entries"))
_LARGE = 2**53  # bounds beyond it are those of computers: they tell people nothing


@dataclass(frozen=True, slots=True)
class Property:
    """One field of an object, or one parameter."""

    name: str
    kind: str  # such as `array of objects or null`
    required: bool
    text: SafeString
    notes: tuple[str, ...]
    values: tuple[str, ...]  # all that it may be, when that is a few
    inner: tuple[Property, ...]
    inner_of: str  # what has the inner ones


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the things that a body may be."""

    label: str
    text: SafeString
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A request in all languages."""

    slug: str
    label: str
    samples: tuple[CodeSample, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status that is not a success."""

    status: str
    phrase: str
    text: SafeString


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation."""

    slug: str
    method: str
    path: str
    summary: str
    text: SafeString
    needs_key: bool
    parameters: tuple[tuple[str, tuple[Property, ...]], ...]  # by where they stand
    request: tuple[Property, ...]
    answer_text: SafeString
    answers: tuple[Shape, ...]
    headers: tuple[Property, ...]
    refusals: tuple[Refusal, ...]
    examples: tuple[Example, ...]
    shown: tuple[tuple[str, str], ...]  # answers as they look, with what each is called


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together."""

    slug: str
    name: str
    text: str
    endpoints: tuple[Endpoint, ...]


@cache
def groups(public_url: str) -> tuple[Group, ...]:
    return Reader(document_for(public_url)).groups()


@cache
def html(public_url: str) -> SafeString:
    """All endpoints as a part of a page. The same for everybody, so it is made once."""
    return render_to_string("gateway/api_endpoints.html", {"groups": groups(public_url)})


class Reader:
    """Follows a document's references."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def groups(self) -> tuple[Group, ...]:
        found = [
            Group(slugify(tag["name"]), tag["name"], tag["description"], tuple(self._tagged(tag["name"])))
            for tag in self._document["tags"]
        ]
        return tuple(found)

    def _tagged(self, tag: str) -> Iterator[Endpoint]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag]:
                    yield self._endpoint(path, method, operation)

    def _endpoint(self, path: str, method: str, operation: Schema) -> Endpoint:
        slug = slugify(operation["operationId"].replace("_", "-"))
        success = operation["responses"]["200"]
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
        examples = asked_by(self._document["servers"][0]["url"], path, method, operation)
        return Endpoint(
            slug=slug,
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            text=_html(operation["description"]),
            needs_key=operation.get("security") != [],
            parameters=tuple(self._parameters(operation.get("parameters", ()))),
            request=self._properties(self._followed(body), ()) if body else (),
            answer_text=_html(success["description"]),
            answers=tuple(self._answers(success["content"])),
            headers=tuple(self._headers(success["headers"])),
            refusals=tuple(self._refusals(operation["responses"])),
            examples=tuple(
                Example(f"{slug}-{slugify(label)}", label, tuple(samples_of(asked))) for label, asked in examples
            ),
            shown=tuple(_shown(success["content"])),
        )

    # -- parts of an operation ---------------------------------------------------------------------

    def _parameters(self, parameters: Iterable[Schema]) -> Iterator[tuple[str, tuple[Property, ...]]]:
        listed = list(parameters)
        for place, label in (("path", "Path"), ("query", "Query"), ("header", "Headers")):
            found = tuple(
                self._property(one["name"], {**one["schema"], "description": one["description"]}, one.get("required"))
                for one in listed
                if one["in"] == place
            )
            if found:
                yield label, found

    def _answers(self, content: Schema) -> Iterator[Shape]:
        for media, described in content.items():
            schema = self._followed(described["schema"])
            if media == STREAM:
                yield self._shape("Each event of a stream", self._chunk(schema))
            elif "oneOf" in schema:
                told_by = schema["discriminator"]["propertyName"]
                for variant in map(self._followed, schema["oneOf"]):
                    value = variant["properties"][told_by]["const"]
                    yield self._shape(f"Body, where {told_by} is {value}", variant)
            elif "properties" in schema:
                yield self._shape("Body", schema)

    def _chunk(self, event: Schema) -> Schema:
        """What the data of an event is, when it is neither an error nor the end."""
        data = event["properties"]["data"]
        (content,) = (one["contentSchema"] for one in data["anyOf"] if "contentSchema" in one)
        return self._followed(content["anyOf"][0])

    def _shape(self, label: str, schema: Schema) -> Shape:
        return Shape(label, _html(schema["description"]), self._properties(schema, ()))

    def _headers(self, headers: Schema) -> Iterator[Property]:
        for name, reference in headers.items():
            header = self._followed(reference)
            schema = {**header["schema"], "description": header["description"]}
            schema.pop("pattern", None)
            yield self._property(name, schema, header["required"])

    def _refusals(self, responses: Schema) -> Iterator[Refusal]:
        for status, response in responses.items():
            if status != "200":
                phrase, _, rest = self._followed(response)["description"].partition("\n\n")
                told = HTTPStatus(int(status)).phrase
                yield Refusal(status, told, _html(rest or phrase))

    # -- schemas -----------------------------------------------------------------------------------

    def _properties(self, schema: Schema, above: tuple[str, ...]) -> tuple[Property, ...]:
        needed = set(schema.get("required", ()))
        return tuple(
            self._property(name, one, name in needed, above) for name, one in schema.get("properties", {}).items()
        )

    def _property(self, name: str, schema: Schema, required: bool | None, above: tuple[str, ...] = ()) -> Property:
        whole = self._followed(schema)
        options = [self._followed(one) for one in _options(whole)]
        values = [str(value) for one in options for value in one.get("enum", [])]
        holder = self._holder(schema)
        inner: tuple[Property, ...] = ()
        inner_of = ""
        if holder is not None and holder[0] not in above and len(above) < DEEPEST:
            inner = self._properties(holder[1], (*above, holder[0]))
            inner_of = holder[2]
        return Property(
            name=name,
            kind=self._kind(schema),
            required=bool(required),
            text=_html(schema.get("description") or whole.get("description", "")),
            notes=tuple(dict.fromkeys(note for one in (whole, *options) for note in _notes(one))),
            values=tuple(values),
            inner=inner,
            inner_of=inner_of,
        )

    def _holder(self, schema: Schema) -> tuple[str, Schema, str] | None:
        """The object that is in a field, by name, and what it is there."""
        for one in _options(schema):
            found = self._followed(one)
            if found.get("properties"):
                return one.get("$ref", ""), found, "Fields"
            if "items" in found:
                held = self._holder(found["items"])
                if held:
                    return held[0], held[1], "Fields of each"
        return None

    def _kind(self, schema: Schema) -> str:
        whole = self._followed(schema)
        if "anyOf" in whole or "oneOf" in whole:
            kinds = [self._kind(one) for one in _options(whole)]
            return " or ".join(dict.fromkeys(kinds))
        if "const" in whole:
            return json.dumps(whole["const"], ensure_ascii=False)
        if whole.get("type") == "array":
            return f"array of {self._plural(whole['items'])}"
        if whole.get("format") in {"date", "date-time", "uuid"}:
            return str(whole["format"])
        return str(whole.get("type", "anything"))

    def _plural(self, items: Schema) -> str:
        kind = self._kind(items)
        return re.sub(r"^(\w+)", lambda match: "arrays" if match[1] == "array" else f"{match[1]}s", kind)

    def _followed(self, part: Schema) -> Schema:
        """What a reference leads to. What stands beside it counts more."""
        if "$ref" not in part:
            return part
        found: Any = self._document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def _options(schema: Schema) -> list[Schema]:
    """What it may be, one by one."""
    options: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return options


def _notes(schema: Schema) -> Iterator[str]:
    for lowest, highest, what in _BOUNDS:
        bounds = [schema.get(lowest), schema.get(highest)]
        low, high = [None if bound is None or abs(bound) >= _LARGE else bound for bound in bounds]
        text = (
            f"{low} to {high}" if None not in (low, high) else f"at least {low}" if high is None else f"at most {high}"
        )
        if (low, high, what) == (1, None, "entries"):
            yield "not empty"
        elif (low, high) != (None, None) and (low, high, what) != (1, None, "characters"):
            yield f"{text} {what}".strip()
    if schema.get("default") is not None:
        default = schema["default"]
        yield f"default {default if isinstance(default, str) else json.dumps(default)}"


def _shown(content: Schema) -> Iterator[tuple[str, str]]:
    for media, described in content.items():
        example = described.get("example")
        if isinstance(example, str):
            yield "The answer as a stream", example.rstrip("\n")
        elif example is not None:
            label = "The answer" if media == JSON else media
            yield label, json.dumps(example, indent=2, ensure_ascii=False)


def _html(text: str) -> SafeString:
    return Renderer(lambda target: target).blocks(text.splitlines())
