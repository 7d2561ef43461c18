"""What an endpoint is for, what it takes and what it answers: the parts that every one is described by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.openapi import headers, refusals
from gateway.openapi.shapes import Answer, Schema, ref

JSON, STREAM = "application/json", "text/event-stream"

# Statuses with the codes that an endpoint answers them with; without codes, all that docs/errors.md has.
KEYED: Mapping[int, tuple[str, ...]] = {
    401: (),
    403: ("address_not_allowed", "organization_suspended"),
    429: (),
    431: (),
    500: (),
    503: ("service_unavailable", "authentication_unavailable"),
}
SCOPED: Mapping[int, tuple[str, ...]] = {**KEYED, 403: ()}
WITH_BODY: Mapping[int, tuple[str, ...]] = {**SCOPED, 400: (), 408: (), 413: (), 415: ()}
GENERATING: Mapping[int, tuple[str, ...]] = {**WITH_BODY, 402: (), 404: ("model_not_found",), 502: (), 503: (), 504: ()}
REPEATABLE: Mapping[int, tuple[str, ...]] = {**GENERATING, 409: (), 422: ()}


@dataclass(frozen=True, slots=True)
class Described:
    """What the document says of an endpoint beyond its route."""

    tag: str
    description: str
    answer: Schema  # the response of 200
    refusals: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    parameters: tuple[Schema, ...] = ()
    examples: Mapping[str, Schema] = field(default_factory=dict)  # bodies
    needs_key: bool = True
    more: Mapping[str, Schema] = field(default_factory=dict)  # further responses

    def operation(self, operation_id: str, summary: str, body: Schema | None = None) -> Schema:
        """The operation object. `body` is the schema of the request."""
        found: Schema = {
            "operationId": operation_id,
            "tags": [self.tag],
            "summary": summary,
            "description": self.description,
        }
        if self.parameters:
            found["parameters"] = list(self.parameters)
        if body is not None:
            found["requestBody"] = {
                "required": True,
                "content": {JSON: {"schema": body, "examples": dict(self.examples)}},
            }
        found["responses"] = {"200": self.answer, **self.more, **refusals.responses(self.refusals)}
        if not self.needs_key:
            found["security"] = []
        return found


def answer(
    shape: type[Answer] | str,
    description: str,
    *names: str,
    example: Any,
    stream: Schema | None = None,
    keyed: bool = True,
) -> Schema:
    """A response of 200: its description, its headers, and an example; with `stream`, as a stream too."""
    content: Schema = {JSON: {"schema": ref(shape), "example": example}}
    if stream is not None:
        content[STREAM] = stream
    always = headers.named(*headers.ALWAYS, *headers.LIMITS, *headers.TOKENS, "x-ratelimit-policy") if keyed else {}
    return {"description": description, "headers": {**always, **headers.named(*names)}, "content": content}


def parameter(name: str, place: str, description: str, schema: Schema, **more: Any) -> Schema:
    return {"name": name, "in": place, "description": description, "schema": schema, **more}
