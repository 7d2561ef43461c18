"""OpenAI and the servers that speak its format: what goes up, what comes back, and what is mended on the way."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from billing.usage import Usage
from gateway.errors import ApiError, ModelGoneError
from gateway.providers.openai import OpenAI
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.sse import Event
from tests.gateway import streams, transcripts

ASK: dict[str, Any] = {"model": "public-model", "messages": [{"role": "user", "content": "hi"}]}
OWN, COMPATIBLE = transcripts.cases("openai-chat"), transcripts.cases("openai-compatible")
FAILING = {"groq-error-mid-stream", "openrouter-comments-and-error-stream"}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, **fields}).encode()


def choice(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def stream_of(*events: bytes) -> bytes:
    return b"\n\n".join([*events, b"data: [DONE]", b""])


def run(body: bytes, provider: OpenAI | None = None, *, usage: bool = True, size: int = 0) -> streams.Outcome:
    chat = streams.call({**ASK, "stream": True}, usage=usage)
    pieces = [body[at : at + size] for at in range(0, len(body), size)] if size else [body]
    return streams.run(provider or OpenAI(), chat, pieces)


PLAIN = stream_of(
    event(model="gpt", choices=[choice({"role": "assistant", "content": ""})]),
    event(model="gpt", choices=[choice({"content": "Grüße "})]),
    event(model="gpt", choices=[choice({"content": "there"})], obfuscation="xyz"),
    event(model="gpt", choices=[choice({}, "stop")]),
    event(model="gpt", choices=[], usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}),
)


def test_the_body_goes_up_as_it_came_but_for_the_name_and_the_wish_for_usage() -> None:
    body = {**ASK, "stream": True, "brand_new": {"x": [1]}, "temperature": 0.5}
    outbound = OpenAI().request(streams.call(body, usage=False))
    assert outbound.url == "http://127.0.0.1:9/v1/chat/completions"
    assert outbound.headers["authorization"] == "Bearer upstream-secret"
    assert json.loads(outbound.body) == {
        **body,
        "model": "upstream-model",
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in body


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
def test_every_endpoint_is_reached_at_the_same_place_with_the_same_credential(path: str) -> None:
    target = streams.call(ASK, base_url="http://127.0.0.1:9/v1/").target
    outbound = OpenAI().outbound(target, path, {"x": 1})
    assert outbound.url == f"http://127.0.0.1:9/v1{path}"
    assert outbound.headers["authorization"] == "Bearer upstream-secret"
    assert json.loads(outbound.body) == {"x": 1}
    open_to_all = OpenAI().outbound(streams.call(ASK, credential=None).target, path, {})
    assert "authorization" not in open_to_all.headers


def test_what_a_model_refuses_is_renamed_or_left_out_as_its_options_say() -> None:
    body = {**ASK, "max_tokens": 5, "temperature": 1, "top_p": 0.5, "seed": 1}
    options = {"rename_max_tokens": True, "drop": ["temperature"], "drop_unless_effort_none": ["top_p"]}
    sent = json.loads(OpenAI().request(streams.call(body, options=options)).body)
    assert sent == {**ASK, "model": "upstream-model", "max_completion_tokens": 5, "seed": 1}
    sent = json.loads(OpenAI().request(streams.call({**body, "reasoning_effort": "none"}, options=options)).body)
    assert sent["top_p"] == 0.5


ADD = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"tools": [ADD]}, "none"),
        ({"functions": [{"name": "add"}]}, "none"),
        ({"tools": [ADD], "reasoning_effort": None}, "none"),
        ({"tools": [ADD], "reasoning_effort": "low"}, "low"),  # refused before it comes here, or by OpenAI
        ({"tools": [{"type": "custom", "custom": {"name": "grep"}}]}, None),
        ({}, None),
    ],
)
def test_a_model_that_calls_functions_only_without_reasoning_is_told_not_to_reason(
    fields: dict[str, Any], effort: str | None
) -> None:
    body = {**ASK, "temperature": 0.5, **fields}
    options = {"drop_unless_effort_none": ["temperature"]}
    target: dict[str, Any] = {"capabilities": {"tools": "without_reasoning"}, "options": options}
    sent = json.loads(OpenAI().request(streams.call(body, **target)).body)
    assert sent.get("reasoning_effort") == effort
    assert ("temperature" in sent) == (effort == "none")


def test_a_conversation_that_gemini_began_goes_on_without_its_signatures() -> None:
    call = {"id": "call_1__thought__QUJD", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1__thought__QUJD", "content": "x"},
    ]
    sent = json.loads(OpenAI().request(streams.call({**ASK, "messages": messages})).body)["messages"]
    assert sent[1]["tool_calls"][0] == {**call, "id": "call_1"}
    assert sent[2]["tool_call_id"] == "call_1"
    assert call["id"] == "call_1__thought__QUJD"


def test_the_newer_limit_wins_over_the_renamed_one() -> None:
    chat = streams.call({**ASK, "max_tokens": 5, "max_completion_tokens": 9}, options={"rename_max_tokens": True})
    assert json.loads(OpenAI().request(chat).body)["max_completion_tokens"] == 9


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_keeps_its_text_and_shows_usage_only_when_asked(usage: bool) -> None:
    outcome = run(PLAIN, usage=usage)
    streams.assert_well_formed(outcome.chunks, usage=usage)
    assert streams.text(outcome.chunks) == "Grüße there"
    assert outcome.chunks[2]["obfuscation"] == "xyz"
    assert outcome.translator is not None
    assert outcome.translator.usage is not None
    assert outcome.translator.usage.prompt_tokens == 9


def test_the_bytes_may_be_cut_anywhere() -> None:
    whole = run(PLAIN).chunks
    for at in range(1, len(PLAIN)):
        chat = streams.call({**ASK, "stream": True})
        assert streams.run(OpenAI(), chat, [PLAIN[:at], PLAIN[at:]]).chunks == whole
    assert run(PLAIN, size=1).chunks == whole


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_a_stream_that_ends_before_its_finish_is_an_error(keep: int) -> None:
    outcome = run(b"".join(part + b"\n\n" for part in PLAIN.split(b"\n\n")[:keep]))
    assert outcome.error is not None
    assert outcome.error.code == "upstream_incomplete"
    assert not any(c["choices"] and c["choices"][0]["finish_reason"] for c in outcome.chunks)


def test_two_choices_must_both_finish() -> None:
    events = [
        event(choices=[choice({"role": "assistant"}, index=0)]),
        event(choices=[choice({"role": "assistant"}, index=1)]),
        event(choices=[choice({}, "stop", index=0)]),
    ]
    assert run(stream_of(*events)).error is not None
    assert run(stream_of(*events, event(choices=[choice({}, "stop", index=1)]))).error is None


@pytest.mark.parametrize("garbage", [b"data: {nope\n\n", b"data: 7\n\n", b"<html>busy</html>", b""])
def test_garbage_is_never_a_finished_answer(garbage: bytes) -> None:
    outcome = run(garbage)
    assert outcome.error is not None
    assert outcome.error.status == 502


def test_an_error_that_brings_the_usage_is_counted_all_the_same() -> None:
    counts = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    body = stream_of(event(choices=[choice({"content": "Hi"})]), event(error={"message": "full"}, usage=counts))
    outcome = run(body)
    assert outcome.error is not None
    assert outcome.translator is not None
    assert outcome.translator.usage == Usage(input=9, output=3)


def test_usage_that_never_came_is_counted() -> None:
    body = stream_of(
        event(choices=[choice({"role": "assistant", "content": "one two"})]), event(choices=[choice({}, "stop")])
    )
    outcome = run(body)
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert outcome.chunks[-1]["usage"]["completion_tokens"] == 2
    assert outcome.translator is not None
    assert outcome.translator.usage is None


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (
            401,
            {"error": {"message": "bad key sk-abcdefghijkl", "code": "invalid_api_key"}},
            502,
            "upstream_authentication_error",
        ),
        (402, {}, 502, "upstream_billing_error"),
        (403, {"error": {"message": "no"}}, 502, "upstream_permission_error"),
        (429, {"error": {"code": "insufficient_quota"}}, 502, "upstream_billing_error"),
        (429, {"error": {"message": "slow down"}}, 429, "rate_limit_exceeded"),
        (500, {"error": {"message": "boom"}}, 502, "upstream_error"),
        (503, "<html>", 503, "overloaded"),
        (400, {"error": {"message": "bad", "param": "n", "code": "x", "type": "t"}}, 400, "x"),
        (400, {"detail": "Invalid"}, 400, None),
        (422, {"error": "text"}, 422, None),
        (
            404,
            {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}},
            404,
            "model_not_found",
        ),
    ],
)
def test_an_error_status_becomes_the_callers_or_ours(status: int, body: Any, expected: int, code: str | None) -> None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = OpenAI().error(streams.call(ASK), status, {"retry-after": "7"}, content)
    assert (error.status, error.code) == (expected, code)
    assert "sk-abcdefghijkl" not in error.message + error.hint
    if expected == 429:
        assert error.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "delta",
    [
        {"content": [{"type": "text", "text": "hi"}]},
        {"refusal": {"why": 1}},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]},
        {"function_call": {"name": "f", "arguments": {"a": 1}}},
    ],
)
def test_what_was_produced_can_be_counted_whatever_its_shape(delta: dict[str, Any]) -> None:
    translator = OpenAI().stream(streams.call({**ASK, "stream": True}))
    translator.feed(Event("", event(choices=[choice(delta)]).removeprefix(b"data: ")))
    assert "".join(translator.produced)


def test_an_unknown_model_is_told_from_other_missing_things() -> None:
    body = json.dumps({"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}).encode()
    assert isinstance(OpenAI().error(streams.call(ASK), 404, {}, body), ModelGoneError)
    uncoded = json.dumps({"error": {"message": "model 'upstream-model' not found", "code": None}}).encode()
    assert isinstance(OpenAI().error(streams.call(ASK), 404, {}, uncoded), ModelGoneError)
    for said in ("No such file", "No such file: file-model-of-mine"):
        other = json.dumps({"error": {"message": said, "code": None}}).encode()
        assert not isinstance(OpenAI().error(streams.call(ASK), 404, {}, other), ModelGoneError)


@pytest.mark.parametrize(
    "given", ["3600", "1e9", "garbage", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "0.2", "inf", "nan"]
)
def test_retry_after_never_sends_a_client_to_sleep_for_long(given: str) -> None:
    error = OpenAI().error(streams.call(ASK), 429, {"retry-after": given}, b"{}")
    assert 1 <= int(error.headers["retry-after"]) <= 60


def test_compatible_servers_are_mended() -> None:
    body = stream_of(
        event(choices=[{"delta": {"role": "assistant", "reasoning": "hm"}, "finish_reason": ""}]),
        event(choices=[{"index": 0, "delta": {"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}, {"type": "text", "text": "yes"},
        ]}}]),
        event(choices=[choice({"tool_calls": [{"index": 1, "id": "a", "function": {"name": "f", "arguments": ""}}]})]),
        event(choices=[choice({"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]})]),
        event(choices=[choice({"tool_calls": [{"id": "b", "function": {"name": "g", "arguments": "{"}}]})]),
        event(choices=[choice({"tool_calls": [{"function": {"arguments": "}"}}]})]),
        event(choices=[choice({}, "tool_calls")], usage={"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
        ),
    )  # fmt: skip
    outcome = run(body, OpenAICompatible())
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert streams.text(outcome.chunks, "reasoning_content") == "hmso"
    assert streams.text(outcome.chunks) == "yes"
    assert sum("role" in c["choices"][0]["delta"] for c in outcome.chunks[:-1]) == 1


def test_reasoning_counted_beside_the_completion_is_put_into_it() -> None:
    counts = {
        "prompt_tokens": 466,
        "completion_tokens": 68,
        "total_tokens": 800,
        "completion_tokens_details": {"reasoning_tokens": 266},
    }
    usage = OpenAICompatible().usage(counts)
    assert (usage.output, usage.reasoning, usage.completion_tokens) == (68, 266, 334)


def test_the_buckets_never_overlap() -> None:
    usage = OpenAI().usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 20},
        }
    )
    assert (usage.input, usage.cache_read, usage.cache_write_5m, usage.output, usage.reasoning) == (30, 60, 10, 30, 20)
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 50)


def test_audio_and_images_are_counted_apart() -> None:
    usage = OpenAI().usage(
        {
            "prompt_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 40, "image_tokens": 30},
            "completion_tokens": 50,
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 20, "image_tokens": 10},
        }
    )
    assert usage == Usage(
        input=20,
        cache_read=10,
        audio_input=40,
        image_input=30,
        output=15,
        reasoning=5,
        audio_output=20,
        image_output=10,
    )
    assert usage.to_openai()["prompt_tokens_details"] == {
        "cached_tokens": 10, "cache_write_tokens": 0, "audio_tokens": 40, "image_tokens": 30,
    }  # fmt: skip


@pytest.mark.parametrize("provider", [OpenAI(), OpenAICompatible()], ids=["OpenAI", "compatible"])
@pytest.mark.parametrize(
    "details",
    [
        {"cached_tokens": 80, "audio_tokens": 80, "image_tokens": 80, "reasoning_tokens": 30},
        {"audio_tokens": 1000, "reasoning_tokens": 1000},
        {"audio_tokens": -5, "image_tokens": None, "reasoning_tokens": -1},
        None,
    ],
    ids=["overlap", "more than there is", "less than nothing", "absent"],
)
def test_the_buckets_never_differ_from_the_totals(provider: OpenAI, details: dict[str, Any] | None) -> None:
    told = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    counts = provider.usage({**told, "prompt_tokens_details": details, "completion_tokens_details": details})
    assert (counts.prompt_tokens, counts.completion_tokens) == (100, 50)
    assert min(getattr(counts, bucket.name) for bucket in fields(counts)) >= 0


def test_reasoning_beside_the_completion_leaves_room_for_audio() -> None:
    counts = {
        "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 60,
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 15},
    }  # fmt: skip
    usage = OpenAICompatible().usage(counts)
    assert (usage.output, usage.reasoning, usage.audio_output) == (5, 30, 15)


@pytest.mark.parametrize("case", [case for case in OWN + COMPATIBLE if case.stream and case.status == 200], ids=str)
@pytest.mark.parametrize("usage", [True, False])
def test_recorded_streams_come_out_whole(case: transcripts.Case, usage: bool) -> None:
    provider = OpenAI() if case in OWN else OpenAICompatible()
    chat = streams.call({**ASK, "stream": True}, usage=usage)
    outcome = streams.run(provider, chat, [case.body])
    if case.name.split("/")[1] in FAILING:
        assert outcome.error is not None
        return
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)
    for chunk in outcome.chunks:
        ChatCompletionChunk.model_validate(chunk)
    halves = [case.body[: len(case.body) // 2], case.body[len(case.body) // 2 :]]
    assert streams.run(provider, chat, halves).chunks == outcome.chunks


@pytest.mark.parametrize("case", [case for case in OWN + COMPATIBLE if not case.stream], ids=str)
def test_recorded_answers_come_out_whole(case: transcripts.Case) -> None:
    provider, chat = OpenAI() if case in OWN else OpenAICompatible(), streams.call(ASK)
    if case.status != 200:
        error = provider.error(chat, case.status, case.headers, case.body)
        assert isinstance(error, ApiError)
        assert set(error.to_dict()["error"]) == {"message", "type", "param", "code"}
        assert error.status != 401
        return
    completion = provider.response(chat, case.body)
    ChatCompletion.model_validate(completion.body)
    assert completion.body["model"] == "public-model"
    assert completion.usage is not None
    recorded = json.loads(case.body)["usage"]
    assert completion.usage.prompt_tokens == recorded["prompt_tokens"]
