"""Google's errors: whose fault they are, and what the caller is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ApiError, ModelGoneError
from gateway.providers.gemini import Gemini
from tests.gateway import transcripts
from tests.gateway.gemini.answers import failure
from tests.gateway.gemini.asking import call

KEY = "AIza-of-nobody-0123456789"
UNKNOWN_MODEL = "models/upstream-model is not found for API version v1beta, or is not supported for generateContent."
TOO_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


def info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


def retry(delay: object) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def error(status: int, body: object, headers: dict[str, str] | None = None) -> ApiError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Gemini().error(call(), status, headers or {}, content)


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (400, failure(400, "INVALID_ARGUMENT", "Bad.", info("API_KEY_INVALID")), 502, "upstream_authentication_error"),
        (400, failure(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), 502,
         "upstream_authentication_error"),
        (400, failure(400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key."), 502,
         "upstream_authentication_error"),
        (403, failure(403, "PERMISSION_DENIED", "No.", info("API_KEY_SERVICE_BLOCKED")), 502,
         "upstream_authentication_error"),
        (401, failure(401, "UNAUTHENTICATED"), 502, "upstream_authentication_error"),
        (403, failure(403, "PERMISSION_DENIED"), 502, "upstream_permission_error"),
        (403, failure(403, "PERMISSION_DENIED", "No.", info("BILLING_DISABLED")), 502, "upstream_billing_error"),
        (400, failure(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), 502,
         "upstream_permission_error"),
        (400, failure(400, "INVALID_ARGUMENT"), 400, None),
        (400, failure(400, "INVALID_ARGUMENT", TOO_LONG), 400, "context_length_exceeded"),
        (400, failure(400, "OUT_OF_RANGE"), 400, None),
        (404, failure(404, "NOT_FOUND", UNKNOWN_MODEL), 404, "model_not_found"),
        (404, failure(404, "NOT_FOUND", "No such file."), 404, None),
        (409, failure(409, "ABORTED"), 409, None),
        (413, failure(413, "", "Too large."), 413, "request_too_large"),
        (413, b"<html>413</html>", 413, "request_too_large"),
        (429, failure(429, "RESOURCE_EXHAUSTED"), 429, "rate_limit_exceeded"),
        (429, [failure(429, "RESOURCE_EXHAUSTED")], 429, "rate_limit_exceeded"),
        (499, failure(499, "CANCELLED"), 502, "upstream_error"),
        (500, failure(500, "INTERNAL"), 502, "upstream_error"),
        (503, failure(503, "UNAVAILABLE"), 503, "overloaded"),
        (504, failure(504, "DEADLINE_EXCEEDED"), 504, "upstream_timeout"),
        (503, b"<html>busy</html>", 503, "overloaded"),
        (404, b"<html>not here</html>", 502, "upstream_unavailable"),
        (400, b"", 502, "upstream_unavailable"),
        (400, [], 502, "upstream_unavailable"),
        (418, {"error": "teapot"}, 502, "upstream_error"),
    ],
)  # fmt: skip
def test_an_error_status_becomes_the_callers_or_ours(status: int, body: Any, expected: int, code: str | None) -> None:
    made = error(status, body)
    assert (made.status, made.code) == (expected, code)
    assert isinstance(made, ModelGoneError) is (code == "model_not_found")


def test_a_context_that_is_too_long_names_the_messages() -> None:
    assert error(400, failure(400, "INVALID_ARGUMENT", TOO_LONG)).param == "messages"


@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "INTERNAL", "PERMISSION_DENIED"])
def test_no_error_tells_a_secret(status: str) -> None:
    made = error(400, failure(400, status, f"API key {KEY} is odd"))
    assert KEY not in made.message + made.hint


@pytest.mark.parametrize(
    ("delay", "header", "expected"),
    [
        ("48s", None, "48"),
        ("48.939935699s", None, "49"),
        ("0.2s", None, "1"),
        ("7200s", None, "60"),
        ("48s", "3", "48"),
        (None, "3", "3"),
        (48, "3", "3"),
        ("soon", None, "1"),
    ],
)
def test_a_retry_delay_becomes_retry_after(delay: object, header: str | None, expected: str) -> None:
    details = [] if delay is None else [retry(delay)]
    headers = {} if header is None else {"retry-after": header}
    assert error(429, failure(429, "RESOURCE_EXHAUSTED", "Slow.", *details), headers).headers["retry-after"] == expected


@pytest.mark.parametrize("details", ["x", [7], [{"reason": 7}], None])
def test_details_of_any_shape_do_no_harm(details: object) -> None:
    body = {"error": {"code": 400, "message": "Bad.", "status": "INVALID_ARGUMENT", "details": details}}
    assert error(400, body).status == 400


FAILED = {case.name.removeprefix("gemini/"): case for case in transcripts.cases("gemini") if case.status >= 400}


@pytest.mark.parametrize("name", sorted(FAILED))
def test_recorded_errors_are_told_for_what_they_are(name: str) -> None:
    expected = {
        "error-400-key": (502, "upstream_authentication_error", None),
        "error-429-quota": (429, "rate_limit_exceeded", "48"),
    }
    made = error(FAILED[name].status, FAILED[name].body, FAILED[name].headers)
    assert (made.status, made.code, made.headers.get("retry-after")) == expected[name]
