"""Anthropic's errors, and what the caller is told instead of what is only the operator's concern."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ApiError, ModelGoneError
from gateway.providers.anthropic import Anthropic
from gateway.translation.anthropic_errors import STATUS_OF_TYPE
from tests.gateway import streams
from tests.gateway.anthropic.rules import USER

CALL = streams.call({"messages": [USER]}, kind="anthropic")


def error(status: int, body: Any, **headers: str) -> ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Anthropic().error(CALL, status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def said(kind: str, message: str = "No.", **fields: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **fields}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "kind", "told", "type_", "code"),
    [
        (400, "invalid_request_error", 400, "invalid_request_error", None),
        (401, "authentication_error", 502, "api_error", "upstream_authentication_error"),
        (402, "billing_error", 502, "api_error", "upstream_billing_error"),
        (403, "permission_error", 502, "permission_error", "upstream_permission_error"),
        (404, "not_found_error", 404, "invalid_request_error", None),
        (408, "timeout_error", 504, "timeout_error", "upstream_timeout"),
        (409, "conflict_error", 409, "invalid_request_error", None),
        (413, "request_too_large", 413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", 429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "api_error", 502, "api_error", "upstream_error"),
        (504, "timeout_error", 504, "timeout_error", "upstream_timeout"),
        (529, "overloaded_error", 503, "api_error", "overloaded"),
        (418, "teapot", 502, "api_error", "upstream_error"),
        (302, "moved", 502, "api_error", "upstream_error"),
    ],
)
def test_what_each_status_becomes(status: int, kind: str, told: int, type_: str, code: str | None) -> None:
    made = error(status, said(kind))
    assert (made.status, made.type, made.code) == (told, type_, code)
    assert set(made.to_dict()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 529])
def test_what_is_not_the_callers_doing_is_not_told_in_the_providers_words(status: int) -> None:
    made = error(status, said("x", "invalid x-api-key of the operator"))
    assert "x-api-key" not in made.message
    assert "x-api-key" in made.hint


def test_the_callers_own_mistakes_are_told_in_the_providers_words_without_secrets() -> None:
    secret = "sk-ant-" + "k" * 20
    made = error(400, said("invalid_request_error", f"bad thing near {secret}"))
    assert made.message.startswith("bad thing near")
    assert secret not in made.message + made.hint


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 3333404 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length",
    ],
)
def test_a_prompt_that_is_too_long_has_the_code_that_clients_look_for(message: str) -> None:
    made = error(400, said("invalid_request_error", message))
    assert (made.status, made.code, made.param) == (400, "context_length_exceeded", "messages")


def test_an_account_without_credit_is_the_operators_concern() -> None:
    made = error(400, said("invalid_request_error", "Your credit balance is too low to access the Anthropic API."))
    assert (made.status, made.code) == (502, "upstream_billing_error")
    assert "credit" not in made.message


def test_a_model_that_is_gone_is_said_to_be_gone() -> None:
    made = error(404, said("not_found_error", "model: upstream-model"))
    assert isinstance(made, ModelGoneError)
    assert (made.status, made.code, made.param) == (404, "model_not_found", "model")
    assert "public-model" in made.message
    assert "upstream-model" not in made.message


def test_another_404_is_not_about_the_model() -> None:
    for message in ("file not found", "File not found: file_of_my_model"):
        assert not isinstance(error(404, said("not_found_error", message)), ModelGoneError)


@pytest.mark.parametrize(("given", "told"), [("7", "7"), ("7.2", "8"), ("600", "60"), ("soon", "1"), (None, "1")])
def test_a_rate_limit_says_when_to_come_back(given: str | None, told: str) -> None:
    headers = {} if given is None else {"retry_after": given}
    assert error(429, said("rate_limit_error"), **headers).headers["retry-after"] == told


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 502, "upstream_unavailable"),
        (404, 502, "upstream_unavailable"),
        (413, 413, "request_too_large"),
        (429, 429, "rate_limit_exceeded"),
        (502, 502, "upstream_error"),
        (529, 503, "overloaded"),
    ],
)
@pytest.mark.parametrize("body", [b"<html>https://internal.test</html>", b"", b"[]", b'{"error": "text"}', b"\xff"])
def test_a_page_from_something_in_between_is_not_shown(status: int, told: int, code: str, body: bytes) -> None:
    made = error(status, body)
    assert (made.status, made.code) == (told, code)
    assert "internal.test" not in made.message


def test_a_message_that_is_missing_leaves_a_sentence() -> None:
    assert error(400, {"type": "error", "error": {"type": "invalid_request_error"}}).message.endswith(".")


@pytest.mark.parametrize("kind", [*STATUS_OF_TYPE, "brand_new_error"])
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_event_is_told_like_the_same_error_before_the_stream(kind: str, begun: bool) -> None:
    start = b'data: {"type":"message_start","message":{"id":"m"}}\n\n' if begun else b""
    event = b"event: error\ndata: " + json.dumps(said(kind)).encode() + b"\n\n"
    outcome = streams.run(
        Anthropic(), streams.call({"messages": [USER], "stream": True}, kind="anthropic"), [start + event]
    )
    before = error(STATUS_OF_TYPE.get(kind, 500), said(kind))
    assert outcome.error is not None
    assert outcome.error.to_dict() == before.to_dict()
    assert outcome.error.status == before.status != 401
    assert len(outcome.chunks) == begun
