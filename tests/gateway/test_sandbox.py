"""The sandbox models: deterministic, honest about tokens, and each failing in its own way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway import tokens
from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.providers.sandbox import BEHAVIOURS, Sandbox
from tests.gateway import streams

SANDBOX = Sandbox()
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "days", "unit"],
        },
    },
}
WORKING = sorted(set(BEHAVIOURS) - {"rate-limit", "error", "stream-error", "stream-cut", "slow"})


def body(text: str = "hello there", **fields: Any) -> dict[str, Any]:
    return {"model": "sandbox/x", "messages": [{"role": "user", "content": text}], **fields}


async def plain(model: str, sent: dict[str, Any]) -> dict[str, Any]:
    call = streams.call(sent, upstream_model=model)
    answer = await SANDBOX.send(call, Egress())
    content = await answer.read()
    if answer.status != 200:
        raise SANDBOX.error(call, answer.status, answer.headers, content)
    completion = SANDBOX.response(call, content)
    assert completion.usage is not None
    ChatCompletion.model_validate(completion.body)
    return completion.body


async def streamed(model: str, sent: dict[str, Any], *, usage: bool = True) -> streams.Outcome:
    call = streams.call({**sent, "stream": True}, upstream_model=model, usage=usage)
    answer = await SANDBOX.send(call, Egress())
    return streams.run(SANDBOX, call, [chunk async for chunk in answer.chunks()])


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("model", WORKING)
async def test_a_stream_says_what_the_plain_answer_says(model: str, usage: bool) -> None:
    sent = body(tools=[WEATHER])
    whole = (await plain(model, sent))["choices"][0]
    outcome = await streamed(model, sent, usage=usage)
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)
    for chunk in outcome.chunks:
        ChatCompletionChunk.model_validate(chunk)
    assert streams.text(outcome.chunks) == (whole["message"]["content"] or "")
    assert streams.text(outcome.chunks, "refusal") == (whole["message"]["refusal"] or "")
    assert outcome.translator is not None
    assert outcome.translator.finish_reason == whole["finish_reason"]


async def test_echo_repeats_the_last_user_message_and_counts_honestly() -> None:
    sent = body("Grüße, world")
    answer = await plain("echo", sent)
    said = answer["choices"][0]["message"]["content"]
    assert said == "You said: Grüße, world"
    assert answer["usage"]["completion_tokens"] == tokens.count(said)
    assert answer["usage"]["prompt_tokens"] == tokens.count_messages(sent["messages"])
    assert await plain("echo", sent) == answer


@pytest.mark.parametrize("limit", [{"max_tokens": 3}, {"max_completion_tokens": 3}])
async def test_echo_keeps_to_the_callers_limit(limit: dict[str, int]) -> None:
    answer = await plain("echo", body("one two three four five six", **limit))
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] <= 3


@pytest.mark.parametrize("stop", ["three", ["zebra", "three"]])
async def test_echo_stops_at_a_stop_sequence(stop: Any) -> None:
    answer = await plain("echo", body("one two three four", stop=stop))
    assert answer["choices"][0]["message"]["content"] == "You said: one two "
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_every_choice_that_was_asked_for_comes_and_finishes() -> None:
    answer = await plain("echo", body(n=3))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    outcome = await streamed("echo", body(n=3))
    assert outcome.error is None
    assert {c["index"] for chunk in outcome.chunks for c in chunk["choices"] if c["finish_reason"]} == {0, 1, 2}


async def test_the_tool_model_calls_with_arguments_of_the_schema() -> None:
    answer = await plain("tool", body(tools=[WEATHER]))
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "sandbox", "days": 1, "unit": "C"}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


async def test_the_tool_model_calls_the_tool_that_is_forced() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    forced = {"type": "function", "function": {"name": "other"}}
    answer = await plain("tool", body(tools=[WEATHER, other], tool_choice=forced))
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "other"


async def test_the_tool_model_answers_once_it_has_the_result() -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "tool", "tool_call_id": "c", "content": "18 degrees"}]
    answer = await plain("tool", {"model": "sandbox/tool", "messages": messages})
    assert answer["choices"][0]["message"]["content"] == "The tool answered: 18 degrees"


@pytest.mark.parametrize(
    ("model", "status", "code"), [("rate-limit", 429, "rate_limit_exceeded"), ("error", 500, "internal_error")]
)
async def test_the_failing_models_fail_as_they_are_named(model: str, status: int, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        await plain(model, body())
    assert (caught.value.status, caught.value.code) == (status, code)
    assert (caught.value.headers.get("retry-after") == "2") is (status == 429)


@pytest.mark.parametrize(("model", "code"), [("stream-error", "sandbox_error"), ("stream-cut", "upstream_incomplete")])
async def test_the_breaking_streams_say_something_and_then_break(model: str, code: str) -> None:
    outcome = await streamed(model, body("one two three four"))
    assert outcome.error is not None
    assert outcome.error.code == code
    assert streams.text(outcome.chunks).startswith("You")
    assert not any(choice["finish_reason"] for chunk in outcome.chunks for choice in chunk["choices"])


async def test_an_unknown_sandbox_model_is_an_error() -> None:
    with pytest.raises(ApiError):
        await plain("nonsense", body())


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function"}]},
        {"tools": [WEATHER], "tool_choice": {"function": 1}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": [1]}}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": [{}]}}}]},
    ],
)
async def test_tools_out_of_shape_are_the_callers_fault(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="shape") as caught:
        await plain("tool", body(**fields))
    assert (caught.value.status, caught.value.param) == (400, "tools")
