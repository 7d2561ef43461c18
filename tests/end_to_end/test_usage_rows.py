"""Every admitted request for a completion leaves exactly one row that says how it ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.end_to_end.conftest import Caller
from tests.end_to_end.registry import BROKEN, CLAUDE, FALLBACK, GPT, OLD, UNCONFIGURED
from tests.fakes.answers import Answer
from tests.fakes.openai import PROMPT_TOKENS, FakeOpenAI


def test_an_answer_leaves_one_row_with_the_providers_counts(caller: Caller) -> None:
    answer = caller.chat(GPT)
    row = caller.row()
    assert (row.status, row.error_code, row.finish_reason, row.stream) == (200, "", "stop", False)
    assert (row.model_requested, row.model, row.provider, row.upstream_model) == (GPT, GPT, "openai", GPT)
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (PROMPT_TOKENS, 5, "provider")
    assert row.api_key_id == caller.key.pk
    assert str(row.request_id) == answer.headers["x-request-id"]
    assert row.first_token_ms is not None
    assert row.first_token_ms <= row.duration_ms


@pytest.mark.parametrize("model", [GPT, CLAUDE, "sandbox/echo"])
def test_a_stream_leaves_one_row_whether_or_not_usage_was_asked_for(caller: Caller, model: str) -> None:
    caller.chat(model, stream=True)
    caller.chat(model, stream=True, stream_options={"include_usage": True})
    first, second = caller.rows(2)
    for row in (first, second):
        assert (row.status, row.finish_reason, row.stream, row.usage_source) == (200, "stop", True, "provider")
        assert row.input_tokens > 0
    assert first.output_tokens == second.output_tokens > 0


def test_counts_that_a_provider_does_not_give_are_made_here(caller: Caller, fake_openai: FakeOpenAI) -> None:
    said = {"index": 0, "message": {"role": "assistant", "content": "one two three"}, "finish_reason": "stop"}
    body = httpx.Response(200, json={"id": "x", "object": "chat.completion", "created": 1, "choices": [said]}).content
    fake_openai.script(Answer(body=body))
    assert caller.chat(GPT).status_code == 200
    row = caller.row()
    assert (row.usage_source, row.output_tokens) == ("counted", 3)
    assert row.input_tokens > 0


@pytest.mark.parametrize(
    ("model", "fields", "status", "code"),
    [
        (GPT, {"temperature": "warm"}, 400, "invalid_request_error"),
        ("no-such-model", {}, 404, "model_not_found"),
        (UNCONFIGURED, {}, 503, "provider_not_configured"),
        ("sandbox/rate-limit", {}, 429, "rate_limit_exceeded"),
        ("sandbox/error", {}, 500, "internal_error"),
        (BROKEN, {}, 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_leaves_one_row_too(
    caller: Caller, model: str, fields: dict[str, str], status: int, code: str, stream: bool
) -> None:
    answer = caller.chat(model, stream=stream, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    row = caller.row()
    assert (row.status, row.error_code) == (status, code)
    assert row.output_tokens == 0


def test_malformed_json_leaves_one_row(caller: Caller) -> None:
    caller.http.post("/chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert caller.row().status == 400


def test_a_second_route_leaves_one_row_that_names_who_served(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.script(Answer(status=503, body=b"{}"))
    assert caller.chat(FALLBACK).status_code == 200
    row = caller.row()
    assert (row.provider, row.upstream_model, row.model) == ("anthropic", CLAUDE, FALLBACK)


def test_a_successor_is_in_the_row_beside_the_name_that_was_asked_for(caller: Caller) -> None:
    caller.chat(OLD)
    row = caller.row()
    assert (row.model_requested, row.model) == (OLD, GPT)


def test_listing_models_leaves_no_row(caller: Caller) -> None:
    caller.http.get("/models")
    caller.chat()
    assert caller.row().model == "sandbox/echo"


def test_many_at_once_leave_a_row_each(caller: Caller) -> None:
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda n: caller.chat(stream=n % 2 == 0).status_code, range(120)))
    assert set(statuses) == {200}
    rows = caller.rows(120)
    assert len({row.request_id for row in rows}) == 120
