"""The headers of answers, each described once."""

from __future__ import annotations

from gateway.openapi.shapes import Schema

ALWAYS = ("x-request-id", "openai-processing-ms")
LIMITS = (
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)
TOKENS = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")
COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
MONEY = {"type": "string", "pattern": r"^-?\d+(\.\d{1,9})?$"}

# By name: what it says, its schema, and whether every answer that may have it does.
_KNOWN: dict[str, tuple[str, Schema, bool]] = {
    "x-request-id": ("The id of the request. Its receipt is found by it, and the gateway's log has it.", TEXT, True),
    "openai-processing-ms": ("How long the gateway took until it answered, in milliseconds.", COUNT, True),
    "x-ratelimit-limit": ("Requests that this key may make in any 60 seconds.", COUNT, True),
    "x-ratelimit-remaining": ("How many of them are left now.", COUNT, True),
    "x-ratelimit-reset": ("When the oldest counted request leaves the window, in unix seconds.", COUNT, True),
    "x-ratelimit-limit-requests": ("The same as `x-ratelimit-limit`, by OpenAI's name.", COUNT, True),
    "x-ratelimit-remaining-requests": ("The same as `x-ratelimit-remaining`, by OpenAI's name.", COUNT, True),
    "x-ratelimit-reset-requests": (
        "The time until `x-ratelimit-reset`, such as `59.369s`.",
        {"type": "string", "pattern": r"^\d+(\.\d+)?s$"}, True,
    ),
    "x-ratelimit-limit-tokens": ("Tokens of this key a minute. Only of keys that have such a limit.", COUNT, False),
    "x-ratelimit-remaining-tokens": ("How many of them are left, after what this request has taken.", COUNT, False),
    "x-ratelimit-reset-tokens": (
        "The time until they are all there again, such as `15.040s`.",
        {"type": "string", "pattern": r"^\d+(\.\d+)?s$"}, False,
    ),
    "x-ratelimit-policy": (
        "`degraded` while each worker process counts for itself.", {"type": "string", "const": "degraded"}, False,
    ),
    "retry-after": ("Whole seconds after which it may be tried again.", {"type": "integer", "minimum": 1}, False),
    "www-authenticate": ("What is missing: a bearer token.", {"type": "string", "const": "Bearer"}, True),
    "x-2389-cost": ("What was charged, in exact US dollars. On answers that are not streamed.", MONEY, False),
    "x-2389-max-tokens": (
        "How long the answer may become, when the request names no limit: what is held for it pays for so much.",
        COUNT, False,
    ),
    "x-2389-model-requested": ("The model that was asked for, when another one answered.", TEXT, False),
    "x-2389-model-served": ("The model that answered in its place.", TEXT, False),
    "idempotent-replayed": (
        "`true` on the answer of an earlier request with the same `Idempotency-Key`.",
        {"type": "string", "const": "true"}, False,
    ),
    "x-2389-original-request-id": ("The id of that earlier request.", TEXT, False),
    "etag": ("The version of the document, for `If-None-Match`.", TEXT, True),
    "cache-control": ("How long it may be kept.", TEXT, True),
}  # fmt: skip

OF_AN_ANSWER = ("x-2389-max-tokens", "x-2389-model-requested", "x-2389-model-served")
OF_A_REPLAY = ("idempotent-replayed", "x-2389-original-request-id")


def named(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def when_known(*names: str) -> Schema:
    """The same where an answer may be given before they are known."""
    return {name: {"$ref": f"#/components/headers/{name}.when-known"} for name in names}


def components() -> Schema:
    """All of them, for `components.headers`."""
    found = {name: _header(*described) for name, described in _KNOWN.items()}
    return {**found, **{f"{name}.when-known": {**found[name], "required": False} for name in LIMITS}}


def _header(description: str, schema: Schema, required: bool) -> Schema:
    return {"description": description, "required": required, "schema": schema}
