"""The document as a whole, from the routes that there are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from pydantic import BaseModel

from gateway.openapi import answers, completions, examples, headers, refusals, words
from gateway.openapi.control_plane import CONTROL_PLANE
from gateway.openapi.data_plane import COMPOSED, DATA_PLANE
from gateway.openapi.operations import Described
from gateway.openapi.shapes import Schema, lifted, ref, schemas_of
from gateway.routes import routes

VERSION = "0.1.0"  # of the gateway, as in pyproject.toml
ABOUT = """\
One OpenAI-compatible API in front of many language model providers. Programs keep their OpenAI client library and \
change two lines: the address and the key.

A key goes into the header `Authorization: Bearer sk-2389-…`. Every answer has an `x-request-id`; every answer to a \
valid key tells the state of its limit. Everything under `/v1` fails in OpenAI's shape."""
TAGS = {
    "Chat": "Conversations, whole and streamed.",
    "Completions": "The older kind of endpoint: a text, and what comes after it.",
    "Embeddings": "Texts as vectors.",
    "Models": "Which models there are.",
    "Generations": "Receipts of requests.",
    "Usage and costs": "What an organisation used and what it was charged.",
    "Public documents": "What anybody may read.",
}
ANSWERS: list[type[BaseModel]] = [
    answers.ModelList, answers.Error, answers.QuotaError, answers.OpenGeneration, answers.EndedGeneration,
    answers.UsagePage, answers.CostPage, answers.SigningKeys, completions.ChatCompletion,
    completions.ChatCompletionChunk, completions.Completion, completions.EmbeddingList,
]  # fmt: skip


def document() -> Schema:
    return document_for(settings.PUBLIC_URL)


@cache
def document_for(public_url: str) -> Schema:
    """The document of a gateway at that address."""
    paths, requests = _paths()
    schemas = _described({**schemas_of(ANSWERS, "serialization"), **COMPOSED, **requests})
    refused = refusals.components(one.refusals for one in _all_described())
    used = _used_by([paths, refused], schemas)
    tags = {operation["tags"][0] for methods in paths.values() for operation in methods.values()}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "2389",
            "version": VERSION,
            "summary": "One API for many language models.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": public_url}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "sk-2389-…",
                    "description": "A key of an organisation. Its scopes say what it may do.",
                }
            },
            "headers": headers.components(),
            "responses": refused,
            "schemas": {name: schemas[name] for name in sorted(used)},
        },
    }


def _all_described() -> list[Described]:
    routed = [DATA_PLANE[route.operation_id] for route in routes()]
    return [*routed, *(endpoint.described for endpoint in CONTROL_PLANE)]


def _paths() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """All paths, and the schemas of what their requests hold."""
    paths: dict[str, Schema] = {}
    requests: dict[str, Schema] = {}
    for route in routes():
        body = None
        if route.body:
            name, found = lifted(route.body)
            requests |= found
            body = ref(name)
        described = DATA_PLANE[route.operation_id]
        paths.setdefault(route.path, {})[route.method.lower()] = described.operation(
            route.operation_id, route.summary, body
        )
    for endpoint in CONTROL_PLANE:
        operation = endpoint.described.operation(endpoint.operation_id, endpoint.summary)
        paths.setdefault(endpoint.path, {})["get"] = operation
    return paths, requests


def _described(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """With the words for what the models themselves do not explain, and the examples of errors."""
    found = {}
    for name, schema in schemas.items():
        told = words.FIELDS.get(name, {})
        properties = {
            field: {**one, "description": told[field]} if field in told else one
            for field, one in schema.get("properties", {}).items()
        }
        text = words.SCHEMAS.get(name, schema.get("description"))
        described = {**schema, **({"description": text} if text else {})}
        found[name] = {**described, "properties": properties} if properties else described
    found["Error"] = {**found["Error"], "examples": [examples.ERROR]}
    found["QuotaError"] = {**found["QuotaError"], "examples": [examples.QUOTA_ERROR]}
    return found


def _used_by(parts: list[dict[str, Schema]], schemas: dict[str, Schema]) -> set[str]:
    """The names of the schemas that these lead to."""
    used: set[str] = set()
    waiting = set(_referred(parts))
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting |= set(_referred(schemas[name])) - used
    return used


def _referred(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref" and value.startswith("#/components/schemas/"):
                yield value.rpartition("/")[2]
            elif key not in {"example", "examples"}:
                yield from _referred(value)
    elif isinstance(part, list):
        for one in part:
            yield from _referred(one)
