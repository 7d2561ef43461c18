"""Errors in every shape that servers say them in: whose they are, and what the caller is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ApiError
from gateway.providers import providers
from gateway.providers.openai import OpenAI
from gateway.translation.openai_errors import UNSAID
from tests.gateway import streams

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


def provider(kind: str) -> OpenAI:
    found = providers()[kind]
    assert isinstance(found, OpenAI)
    return found


def error(kind: str, status: int, body: object, headers: dict[str, str] | None = None) -> ApiError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return provider(kind).error(streams.call(ASK), status, headers or {}, content)


OWN = [  # what refuses the gateway's own account, and must not look like the caller's key
    ("openai", 401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}),
    (
        "deepseek",
        401,
        {"error": {"message": "Authentication Fails", "type": "authentication_error", "code": "invalid_request_error"}},
    ),
    ("mistral", 401, {"detail": "Invalid API Key"}),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "x"}),
    ("openrouter", 401, {"error": {"message": "Missing Authentication header", "code": 401}}),
    (
        "groq",
        401,
        {"error": {"message": "Invalid API Key", "type": "invalid_request_error", "code": "invalid_api_key"}},
    ),
    ("xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***45."}),
    ("ollama", 401, {"error": {"message": "unauthorized", "type": "api_error", "param": None, "code": None}}),
    ("openai_compatible", 401, b"<html><body>401 Authorization Required</body></html>"),
    ("openai_compatible", 401, b""),
]


@pytest.mark.parametrize(("kind", "status", "body"), OWN)
def test_a_refused_credential_is_the_operators_and_never_a_401(kind: str, status: int, body: object) -> None:
    told = error(kind, status, body)
    assert (told.status, told.code) == (502, "upstream_authentication_error")
    assert "xa***45" not in told.message


CALLERS = [
    # kind, status, body; then status, message, type, code and param as told
    (
        "openai",
        400,
        {"error": {"message": "bad n", "type": "invalid_request_error", "param": "n", "code": "unsupported_value"}},
        (400, "bad n", "invalid_request_error", "unsupported_value", "n"),
    ),
    ("openai_compatible", 400, {"error": "bad"}, (400, "bad", "invalid_request_error", None, None)),
    ("openai_compatible", 400, "bad", (400, "bad", "invalid_request_error", None, None)),
    ("openai_compatible", 400, [{"error": {"message": "bad"}}], (400, "bad", "invalid_request_error", None, None)),
    ("openai_compatible", 400, {"message": "bad"}, (400, "bad", "invalid_request_error", None, None)),
    ("openai_compatible", 400, {"detail": "bad"}, (400, "bad", "invalid_request_error", None, None)),
    (
        "vllm",
        400,
        {"object": "error", "message": "bad", "type": "BadRequestError", "param": None, "code": 400},
        (400, "bad", "BadRequestError", None, None),
    ),
    (
        "vllm",
        422,
        {"detail": [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}]},
        (422, "messages.0.role: Field required", "invalid_request_error", None, "messages.0.role"),
    ),
    (
        "mistral",
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "logit_bias"], "msg": "Not permitted"}]},
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
        (422, "logit_bias: Not permitted", "invalid_request_error", None, "logit_bias"),
    ),
    (
        "mistral",
        400,
        {"object": "error", "message": "no such tool", "type": "invalid_function_call", "param": None, "code": "3280"},
        (400, "no such tool", "invalid_function_call", "3280", None),
    ),
    (
        "xai",
        400,
        {"code": "Client specified an invalid argument", "error": "Argument not supported: stop"},
        (400, "Argument not supported: stop", "invalid_request_error", None, None),
    ),
    (
        "openrouter",
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "provider_name": "P",
                    "raw": '{"error": {"message": "too hot", "code": "hot", "param": "temperature"}}',
                },
            },
            "user_id": "user_1",
        },
        (400, "too hot", "invalid_request_error", "hot", "temperature"),
    ),
    (
        "openrouter",
        400,
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "plain words"}}},
        (400, "plain words", "invalid_request_error", None, None),
    ),
    (
        "openrouter",
        400,
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "<html>no</html>"}}},
        (400, "Provider returned error", "invalid_request_error", None, None),
    ),
    (
        "openrouter",
        403,
        {"error": {"message": "Input was flagged", "code": 403, "metadata": {"reasons": ["violence"]}}},
        (400, "Input was flagged", "invalid_request_error", "content_filter", None),
    ),
    ("openai_compatible", 400, b"<html>Bad Request</html>", (400, UNSAID, "invalid_request_error", None, None)),
    ("openai_compatible", 400, b"", (400, UNSAID, "invalid_request_error", None, None)),
    ("openai_compatible", 400, b"null", (400, UNSAID, "invalid_request_error", None, None)),
    ("openai_compatible", 400, b"[]", (400, UNSAID, "invalid_request_error", None, None)),
    ("openai_compatible", 400, {"error": {"message": None}}, (400, UNSAID, "invalid_request_error", None, None)),
    (
        "llamacpp",
        400,
        {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "too_long"}},
        (400, "the request exceeds the available context size", "too_long", "context_length_exceeded", None),
    ),
    (
        "vllm",
        400,
        {"error": {"message": "This model's maximum context length is 4096 tokens.", "code": 400}},
        (
            400,
            "This model's maximum context length is 4096 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
            None,
        ),
    ),
]


@pytest.mark.parametrize(("kind", "status", "body", "expected"), CALLERS)
def test_what_the_caller_can_mend_is_told_in_the_servers_words(
    kind: str, status: int, body: object, expected: tuple[Any, ...]
) -> None:
    told = error(kind, status, body)
    assert (told.status, told.message, told.type, told.code, told.param) == expected


OURS = [
    ("openai", 429, {"error": {"code": "insufficient_quota"}}, (502, "upstream_billing_error")),
    ("deepseek", 402, {"error": {"message": "Insufficient Balance"}}, (502, "upstream_billing_error")),
    ("openrouter", 402, {"error": {"message": "Insufficient credits", "code": 402}}, (502, "upstream_billing_error")),
    ("openrouter", 403, {"error": {"message": "Key limit exceeded", "code": 403}}, (502, "upstream_permission_error")),
    (
        "groq",
        413,
        {"error": {"message": "Request too large in organization `org_1`", "code": "rate_limit_exceeded"}},
        (429, "rate_limit_exceeded"),
    ),
    ("groq", 498, {"error": {"message": "capacity"}}, (503, "overloaded")),
    ("openai_compatible", 524, b"<html>524: A timeout occurred</html>", (504, "upstream_timeout")),
    ("openai_compatible", 520, b"<html>", (502, "upstream_error")),
    ("openai_compatible", 500, {"error": {"message": "stack trace at /srv"}}, (502, "upstream_error")),
]


@pytest.mark.parametrize(("kind", "status", "body", "expected"), OURS)
def test_what_the_caller_cannot_mend_is_told_in_ours(
    kind: str, status: int, body: object, expected: tuple[int, str]
) -> None:
    told = error(kind, status, body)
    assert (told.status, told.code) == expected
    assert "org_1" not in told.message
    assert "/srv" not in told.message


def test_a_rate_limit_behind_openrouter_keeps_its_retry_after() -> None:
    body = {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "slow down"}}}
    told = error("openrouter", 429, body, {"retry-after": "7"})
    assert (told.status, told.headers["retry-after"]) == (429, "7")
    assert "slow down" in told.hint


def test_what_else_an_error_says_reaches_the_caller() -> None:
    said = {"message": "no", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": '{"a": 1'}
    assert error("groq", 400, {"error": said}).to_dict()["error"] == {**said, "param": None}


@pytest.mark.parametrize("kind", ["openai", "openrouter"])
def test_a_server_that_repeats_the_credential_repeats_it_to_nobody(kind: str) -> None:
    said = {"message": "bad: upstream-secret", "metadata": {"sent": ["Bearer upstream-secret", 'x "Bearer abc"']}}
    told = error(kind, 400, {"error": said})
    assert "upstream-secret" not in json.dumps(told.to_dict()) + told.hint
    assert told.to_dict()["error"]["metadata"]["sent"][1] == 'x "Bearer [redacted]"'


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"code": 429, "message": "Provider returned error"}, (429, "rate_limit_exceeded")),
        ({"code": 401, "message": "No auth"}, (502, "upstream_authentication_error")),
        ({"code": 502, "message": "Provider disconnected"}, (502, "upstream_error")),
        ({"code": 400, "message": "Token limit reached"}, (400, None)),
        ({"code": "insufficient_quota", "message": "no credit"}, (502, "upstream_billing_error")),
        ({"type": "invalid_request_error", "message": "bad"}, (400, None)),
        ({"type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400}, (400, "tool_use_failed")),
        ({"type": "server_error", "message": "boom", "code": None}, (502, None)),
        ("boom", (502, None)),
        (None, (502, None)),
        (["boom"], (502, None)),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "openai_compatible"])
def test_an_error_in_an_answer_that_began_well_has_the_status_it_speaks_of(
    kind: str, detail: object, expected: tuple[int, str | None]
) -> None:
    told = provider(kind).stream_error(detail)
    assert (told.status, told.code) == expected
    assert told.message


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "openrouter"])
@pytest.mark.parametrize(
    "payload", [{"error": {"code": 429, "message": "x"}}, {"object": "error", "code": 429, "message": "x"}]
)
def test_an_error_that_came_as_a_success_is_one(kind: str, payload: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        provider(kind).response(streams.call(ASK), json.dumps(payload).encode())
    assert caught.value.status == 429
    stream = streams.run(
        provider(kind), streams.call({**ASK, "stream": True}), [b"data: %s\n\n" % json.dumps(payload).encode()]
    )
    assert stream.error is not None
    assert stream.error.status == 429


def test_an_event_that_is_named_an_error_is_one_whatever_is_in_it() -> None:
    body = b'event: error\ndata: {"message": "gone", "status_code": 503}\n\n'
    outcome = streams.run(provider("groq"), streams.call({**ASK, "stream": True}), [body])
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.code) == (503, "overloaded")
