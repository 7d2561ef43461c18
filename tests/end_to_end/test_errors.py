"""Whatever goes wrong under /v1 is told in one shape, with an id, and without anything of the inside."""

from __future__ import annotations

import json
import time
import uuid
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from accounts import keys
from tests import live
from tests.end_to_end.conftest import MEGABYTE, Caller, MakeCaller
from tests.end_to_end.registry import BROKEN, CLAUDE, GPT, SLASHED, UNCONFIGURED, UNSET
from tests.factories import make_key, make_model
from tests.fakes.answers import GARBAGE, HTML, NO_ANSWER, Answer, Ending
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI

JSON = {"content-type": "application/json"}
HELLO: dict[str, Any] = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}


def error_of(answer: httpx.Response, status: int, code: str | None) -> dict[str, Any]:
    """The error, after everything that holds for all of them was checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert uuid.UUID(answer.headers["x-request-id"]).version == 7
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"].endswith((".", ".)"))
    assert "Traceback" not in answer.text
    assert "127.0.0.1" not in answer.text
    return error


def test_a_missing_key_is_401_and_says_how_to_send_one(gateway: live.Gateway) -> None:
    error = error_of(httpx.get(f"{gateway.base_url}/models"), 401, "invalid_api_key")
    assert error["type"] == "invalid_request_error"
    assert "Authorization: Bearer" in error["message"]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer sk-2389-not-a-key",
        "Basic dXNlcjpwYXNz",
        f"Bearer {keys.generate()}",  # well formed, never issued
        "Bearer " + "x" * 3000,
        "Bearer \xff\xfe",
    ],
    ids=["no key", "not a key", "not a bearer", "never issued", "very long", "not ASCII"],
)
def test_a_wrong_key_is_401(gateway: live.Gateway, header: str) -> None:
    headers = {b"authorization": header.encode("latin-1")}
    answer = httpx.post(f"{gateway.base_url}/chat/completions", json=HELLO, headers=headers)
    error_of(answer, 401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_expired_and_revoked_keys_are_401(gateway: live.Gateway, caller: Caller) -> None:
    _, expired = make_key(caller.organization, expires_at=timezone.now() - timedelta(seconds=1))
    revoked_key, revoked = make_key(caller.organization)
    revoked_key.revoke()
    for secret in (expired, revoked):
        headers = {"authorization": f"Bearer {secret}"}
        error_of(httpx.get(f"{gateway.base_url}/models", headers=headers), 401, "invalid_api_key")


def test_a_suspended_organisation_is_403(make_caller: MakeCaller) -> None:
    answer = make_caller(suspended_at=timezone.now()).chat()
    assert error_of(answer, 403, "organization_suspended")["type"] == "permission_error"
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b'{"model": NaN}', b"[" * 5000])
def test_a_malformed_body_is_400(caller: Caller, body: bytes) -> None:
    error_of(caller.http.post("/chat/completions", content=body, headers=JSON), 400, "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stop": 5}, "stop"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"metadata": {"deep": [[[]]]}}, "metadata.deep"),
        ({"stop": [""] * 20_001}, "stop"),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, fields: dict[str, Any], param: str) -> None:
    answer = caller.http.post("/chat/completions", json={**HELLO, **fields})
    error = error_of(answer, 400, "invalid_request_error")
    assert error["param"] == param
    assert f"'{param}'" in error["message"]


@pytest.mark.parametrize(
    ("messages", "param", "code"),
    [
        ([], "messages", "empty_array"),
        ([{"role": "robot", "content": "x"}], "messages[0].role", "unsupported_value"),
    ],
)
def test_a_fault_that_openai_has_a_code_for_gets_that(
    caller: Caller, messages: list[Any], param: str, code: str
) -> None:
    answer = caller.http.post("/chat/completions", json={**HELLO, "messages": messages})
    error = error_of(answer, 400, code)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert caller.row().error_code == code


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(caller: Caller, missing: str) -> None:
    body = {name: value for name, value in HELLO.items() if name != missing}
    error = error_of(caller.http.post("/chat/completions", json=body), 400, "invalid_request_error")
    assert error["param"] == missing


@pytest.mark.parametrize("model", ["no-such-model", "vendor/no/such", "GPT-TEST", "x" * 5000, "a'); DROP TABLE--", "é"])
def test_an_unknown_model_is_404(caller: Caller, model: str) -> None:
    assert error_of(caller.chat(model), 404, "model_not_found")["param"] == "model"
    assert error_of(caller.chat(model, stream=True), 404, "model_not_found")["param"] == "model"


@pytest.mark.parametrize("model", ["no-such-model", "vendor/no/such", f"{SLASHED}/more"])
def test_an_unknown_model_cannot_be_retrieved(caller: Caller, model: str) -> None:
    error_of(caller.http.get(f"/models/{model}"), 404, "model_not_found")


@pytest.mark.parametrize("path", ["/", "/nothing", "/chat", "/chat/completions/", "/chat/completions/x", "/../v1/none"])
def test_an_unknown_route_is_404(caller: Caller, path: str) -> None:
    error_of(caller.http.get(path), 404, "unknown_url")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat/completions", "POST"),
        ("DELETE", "/chat/completions", "POST"),
        ("PUT", "/chat/completions", "POST"),
        ("POST", "/models", "GET"),
        ("PATCH", "/models/sandbox/echo", "GET"),
    ],
)
def test_a_wrong_method_is_405_whatever_the_body_and_says_which_is_right(
    caller: Caller, method: str, path: str, allowed: str
) -> None:
    for content, kind in [(b"", ""), (b"x" * (MEGABYTE + 1), "text/plain"), (b"{}", "application/json")]:
        answer = caller.http.request(method, path, content=content, headers={"content-type": kind})
        error_of(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_wrong_content_type_is_415(caller: Caller, kind: str) -> None:
    answer = caller.http.post("/chat/completions", content=json.dumps(HELLO), headers={"content-type": kind})
    assert "application/json" in error_of(answer, 415, "unsupported_media_type")["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"])
def test_every_way_to_write_json_is_taken(caller: Caller, kind: str) -> None:
    answer = caller.http.post("/chat/completions", content=json.dumps(HELLO), headers={"content-type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_our_own_fault_is_500_with_a_line_in_the_log(gateway: live.Gateway, caller: Caller, stream: bool) -> None:
    answer = caller.chat(BROKEN, stream=stream)
    error = error_of(answer, 500, "internal_error")
    assert "x-request-id" in error["message"]
    assert "iterable" not in answer.text
    (fault,) = [line for line in gateway.lines_of(answer.headers["x-request-id"]) if "exception" in line]
    assert "TypeError" in fault["exception"]
    assert fault["level"] == "error"


def test_a_provider_without_a_credential_is_503_and_only_the_log_names_the_variable(
    gateway: live.Gateway, caller: Caller
) -> None:
    answer = caller.chat(UNCONFIGURED)
    assert UNCONFIGURED in error_of(answer, 503, "provider_not_configured")["message"]
    assert UNSET not in answer.text + str(answer.headers)
    assert any(UNSET in line["message"] for line in gateway.lines_of(answer.headers["x-request-id"]))


def test_a_successor_that_is_not_set_up_is_refused_under_the_name_that_was_asked_for_too(caller: Caller) -> None:
    old = make_model("old-and-unconfigured", shutdown_on=date(2026, 1, 5), successor_id=UNCONFIGURED)
    try:
        time.sleep(1)  # several times what the gateway of these tests waits before it reads the registry again
        message = error_of(caller.chat(old.pk), 503, "provider_not_configured")["message"]
    finally:
        old.delete()
    assert "'old-and-unconfigured'" in message
    assert f"'{UNCONFIGURED}'" in message


SLOW_DOWN = Answer(status=429, body=b'{"error":{"message":"slow down"}}', headers={"retry-after": "7"})
BAD_CREDENTIAL = Answer(status=401, body=b'{"error":{"message":"bad key sk-other-vendor-key"}}')
FAILURES = [
    (SLOW_DOWN, 429, "rate_limit_exceeded"),
    (BAD_CREDENTIAL, 502, "upstream_authentication_error"),
    (Answer(status=403, body=b"{}"), 502, "upstream_permission_error"),
    (Answer(status=500, body=b'{"error":{"message":"secret-host"}}'), 502, "upstream_error"),
    (Answer(status=503, body=b"{}"), 503, "overloaded"),
    (Answer(status=302, body=b"", headers={"location": "http://127.0.0.1:9/"}), 502, "upstream_unavailable"),
    (HTML, 502, "upstream_error"),
    (GARBAGE, 502, "upstream_unavailable"),
    (NO_ANSWER, 504, "upstream_timeout"),
    (Answer(keep=0, ending=Ending.RESET), 502, "upstream_unavailable"),
    (Answer(keep=0, ending=Ending.CLOSE), 502, "upstream_unavailable"),
    (Answer(keep=0, ending=Ending.SILENCE), 504, "upstream_timeout"),
]


@pytest.mark.parametrize(("failure", "status", "code"), FAILURES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_a_vendors_failure_is_an_http_status_also_for_a_stream(
    caller: Caller,
    fake_openai: FakeOpenAI,
    fake_anthropic: FakeAnthropic,
    model: str,
    stream: bool,
    failure: Answer,
    status: int,
    code: str,
) -> None:
    (fake_openai if model == GPT else fake_anthropic).script(failure)
    answer = caller.chat(model, stream=stream)
    error_of(answer, status, code)
    for hidden in ("secret-host", "internal-host-17", "sk-other-vendor-key", FakeOpenAI.credential):
        assert hidden not in answer.text
    if status == 429 and "retry-after" in failure.headers:
        assert answer.headers["retry-after"] == "7"
    assert caller.row().status == status


def test_a_vendors_word_on_the_callers_own_mistake_is_passed_on(caller: Caller, fake_openai: FakeOpenAI) -> None:
    said = {"error": {"message": "Too long.", "type": "invalid_request_error", "param": "messages", "code": "x"}}
    fake_openai.script(Answer(status=400, body=json.dumps(said).encode()))
    assert error_of(caller.chat(GPT), 400, "x") == said["error"]


def test_a_trusted_id_comes_from_a_trusted_proxy_only(gateway: live.Gateway, caller: Caller) -> None:
    answer = caller.http.get("/models", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] != "mine"


def test_the_log_never_holds_a_key_or_a_credential(gateway: live.Gateway, caller: Caller) -> None:
    caller.chat(GPT)
    caller.chat(CLAUDE)
    gateway.lines_of(caller.chat(BROKEN).headers["x-request-id"])
    written = gateway.log.read_text(encoding="utf-8")
    assert caller.secret not in written
    assert FakeOpenAI.credential not in written
    assert FakeAnthropic.credential not in written


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {"choices": [5]},
        {"deep": json.loads("[" * 300 + "]" * 300)},
    ],
    ids=["no message", "no choice", "too deep"],
)
def test_a_misshapen_answer_is_blamed_on_its_provider(
    caller: Caller, fake_openai: FakeOpenAI, fields: dict[str, Any]
) -> None:
    message = {"role": "assistant", "content": "hi"}
    whole = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **fields}
    fake_openai.script(Answer(body=json.dumps(whole).encode()))
    error_of(caller.chat(GPT), 502, "upstream_unavailable")
    assert caller.row().status == 502


def test_an_unknown_url_is_404_whatever_is_sent_to_it(caller: Caller) -> None:
    error_of(caller.http.post("/nothing", content=b"a=b", headers={"content-type": "text/plain"}), 404, "unknown_url")
