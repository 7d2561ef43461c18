"""The endpoints of the control plane that programs call: usage, costs, and the keys that check statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing.api import COMPLETIONS, COSTS
from billing.usage_query import LATEST, Kind
from gateway.openapi import answers, examples
from gateway.openapi.operations import SCOPED, Described, answer, parameter
from gateway.openapi.shapes import Schema

DOCUMENT = "/v1/openapi.json"
INSTANT = {"type": "integer", "minimum": 0, "maximum": LATEST}
IDS = {"type": "array", "items": {"type": "string"}}
ONLY = {
    "project_ids": "Only these projects.",
    "user_ids": "Only keys that these people hold.",
    "api_key_ids": "Only these keys.",
    "models": "Only these models.",
    "line_items": "Only these line items, which are models.",
}
READING: Mapping[int, tuple[str, ...]] = {**SCOPED, 400: ("invalid_request_error",)}
TOGETHER = (
    "Lists are repeated, `group_by=model&group_by=project_id`, with or without `[]` behind the name. A parameter that "
    "there is not is refused.\n\nNeeds the scope `usage`."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, and what there is."""

    path: str
    operation_id: str
    summary: str
    described: Described


def _of_time(kind: Kind) -> tuple[Schema, ...]:
    """The parameters of one kind of usage, as `billing.usage_query` reads them."""
    widths = list(kind.widths.values())
    most = ", ".join(f"{width.max_limit} of `{width.name}`" for width in widths)
    default = ", ".join(f"{width.default_limit} of `{width.name}`" for width in widths)
    limits = {"type": "integer", "minimum": 1, "maximum": max(width.max_limit for width in widths)}
    found = [
        parameter("start_time", "query", "Unix seconds.", INSTANT, required=True, example=examples.CREATED),
        parameter("end_time", "query", "Unix seconds, after `start_time`; now, unless given. That instant is not part "
                  "of it any more.", INSTANT),
        parameter("bucket_width", "query", "The width of a bucket. Nothing finer is kept.",
                  {"type": "string", "enum": list(kind.widths), "default": "1d"}),
        _list("group_by", "A result for each combination of these.", {"type": "string", "enum": list(kind.groups)}),
        *(_list(name, ONLY[name], {"type": "string"}) for name in kind.filters),
        parameter("limit", "query", f"Buckets on a page: at most {most}. Unless given, {default}.", limits),
        parameter("page", "query", "`next_page` of the page before, with the other parameters as they were.",
                  {"type": "string"}),
    ]  # fmt: skip
    found += [
        parameter(name, "query", "There are no batches: `true` finds nothing.", {"type": "boolean"})
        for name in sorted(kind.switches)
    ]
    return tuple(found)


def _list(name: str, description: str, items: Schema) -> Schema:
    return parameter(name, "query", description, {"type": "array", "items": items}, style="form", explode=True)


USAGE = Endpoint(
    "/v1/organization/usage/completions", "read_completions_usage", "Read usage",
    Described(
        "Usage and costs",
        "What your organisation used, by hour or day of UTC, in the shape of OpenAI's administration API. The sums "
        f"follow requests within half a minute. {TOGETHER}",
        answer(answers.UsagePage, "A page of buckets.", example=examples.USAGE),
        READING,
        _of_time(COMPLETIONS),
    ),
)  # fmt: skip
COST = Endpoint(
    "/v1/organization/costs", "read_costs", "Read costs",
    Described(
        "Usage and costs",
        "What your organisation was charged, by day of UTC, in the shape of OpenAI's administration API. The sums "
        f"follow requests within half a minute. {TOGETHER}",
        answer(answers.CostPage, "A page of buckets.", example=examples.COSTS),
        READING,
        _of_time(COSTS),
    ),
)  # fmt: skip
KEYS = Endpoint(
    "/.well-known/2389-keys.json", "list_signing_keys", "List the signing keys",
    Described(
        "Public documents",
        "The public keys that check this gateway's monthly statements. Needs no key.",
        answer(answers.SigningKeys, "The keys.", "cache-control", example=examples.SIGNING_KEYS, keyed=False),
        needs_key=False,
    ),
)  # fmt: skip
ITSELF = Endpoint(
    DOCUMENT, "retrieve_openapi", "Retrieve this document",
    Described(
        "Public documents",
        "This API as an OpenAPI document, for the version that answers. Needs no key.",
        {
            "description": "The document.",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("etag", "cache-control")},
            "content": {"application/json": {"schema": {"type": "object", "required": ["openapi", "info", "paths"]}}},
        },
        needs_key=False,
        parameters=(parameter("If-None-Match", "header", "The `etag` of the copy that you have.", {"type": "string"}),),
        more={
            "304": {
                "description": "Your copy is this version.",
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("etag", "cache-control")},
            }
        },
    ),
)  # fmt: skip
CONTROL_PLANE = (USAGE, COST, KEYS, ITSELF)
