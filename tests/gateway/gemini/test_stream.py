"""Streams: chunks that official clients put together, however the bytes are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from billing.usage import Usage
from gateway.providers.gemini import Gemini
from tests.gateway import streams, transcripts
from tests.gateway.gemini.answers import body_of, calls, counts, failure, item, words
from tests.gateway.gemini.asking import call


def run(body: bytes, request: dict[str, Any] | None = None, *, usage: bool = True, size: int = 0) -> streams.Outcome:
    chat = call({**(request or {}), "stream": True}, usage=usage)
    pieces = [body[at : at + size] for at in range(0, len(body), size)] if size else [body]
    outcome = streams.run(Gemini(), chat, pieces)
    for chunk in outcome.chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return outcome


def deltas(outcome: streams.Outcome) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in outcome.chunks for choice in chunk["choices"]]


SPOKEN = body_of(
    item(words("hm", thought=True), **counts(9, 0, thoughtsTokenCount=3)),
    item(words("Grüße "), **counts(9, 2, thoughtsTokenCount=3)),
    item(words("there"), words(""), finish="STOP", **counts(9, 4, thoughtsTokenCount=3)),
)
CALLED = body_of(
    item(words("so: "), **counts(5, 1)),
    item(calls("add", a=1), **counts(5, 2)),
    item(calls("now"), {"functionCall": {}}, finish="STOP", **counts(5, 3)),
)
TWO = body_of(
    {"candidates": [item(words("a"), index=None)["candidates"][0], item(words("b"), index=1)["candidates"][0]]},
    item(calls("add"), finish="STOP", index=1),
    item(finish="MAX_TOKENS", index=0, **counts(5, 3)),
)


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("body", [SPOKEN, CALLED, TWO])
def test_a_stream_is_well_formed(body: bytes, usage: bool) -> None:
    outcome = run(body, usage=usage)
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)


def test_words_and_thoughts_come_apart_and_in_order() -> None:
    outcome = run(SPOKEN)
    assert deltas(outcome) == [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "hm"},
        {"content": "Grüße "},
        {"content": "there"},
        {},
    ]
    assert outcome.translator is not None
    assert outcome.translator.usage == Usage(input=9, output=4, reasoning=3)
    assert outcome.translator.finish_reason == "stop"
    assert outcome.chunks[-1]["usage"] == Usage(input=9, output=4, reasoning=3).to_openai()


def test_a_call_is_one_delta_with_all_its_arguments() -> None:
    made = [one for delta in deltas(run(CALLED)) for one in delta.get("tool_calls", ())]
    assert [(one["index"], one["function"]) for one in made] == [
        (0, {"name": "add", "arguments": '{"a":1}'}),
        (1, {"name": "now", "arguments": "{}"}),
    ]


def test_each_choice_has_its_role_its_calls_and_its_end() -> None:
    outcome = run(TWO, {"n": 2})
    roles = [choice["index"] for chunk in outcome.chunks for choice in chunk["choices"] if "role" in choice["delta"]]
    ends = {choice["index"]: choice["finish_reason"] for chunk in outcome.chunks for choice in chunk["choices"]}
    assert roles == [0, 1]
    assert ends == {0: "length", 1: "tool_calls"}


def test_choices_begin_in_their_order_whichever_is_heard_of_first() -> None:
    outcome = run(body_of(item(words("c"), finish="STOP", index=2), item(words("a"), finish="STOP", index=0)), {"n": 3})
    assert [c["index"] for chunk in outcome.chunks for c in chunk["choices"]] == [0, 1, 2, 2, 0]
    assert outcome.error is not None  # the second was begun and never came
    whole = run(body_of(*(item(words("x"), finish="STOP", index=index) for index in (2, 0, 1))), {"n": 3})
    streams.assert_well_formed(whole.chunks, usage=True)
    state = ChatCompletionStreamState()
    for chunk in whole.chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    assert [choice.index for choice in state.get_final_completion().choices] == [0, 1, 2]


@pytest.mark.parametrize("index", [-1, 128, 10**9])
def test_a_candidate_that_nobody_can_have_asked_for_is_an_error(index: int) -> None:
    outcome = run(body_of(item(words("a"), finish="STOP", index=index)))
    assert outcome.error is not None
    assert (outcome.error.status, outcome.chunks) == (502, [])


@pytest.mark.parametrize("body", [SPOKEN, CALLED, TWO])
def test_the_bytes_may_be_cut_anywhere(body: bytes) -> None:
    whole = run(body).chunks
    for at in range(1, len(body)):
        assert streams.run(Gemini(), call({"stream": True}), [body[:at], body[at:]]).chunks == whole
    assert run(body, size=1).chunks == whole


@pytest.mark.parametrize("body", [SPOKEN, CALLED])
def test_the_official_client_puts_the_chunks_together(body: bytes) -> None:
    state = ChatCompletionStreamState()
    outcome = run(body)
    for chunk in outcome.chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    message = state.get_final_completion().choices[0].message
    assert message.content == streams.text(outcome.chunks)
    assert len(message.tool_calls or ()) == sum("tool_calls" in delta for delta in deltas(outcome))


@pytest.mark.parametrize("body", [SPOKEN, CALLED])
def test_streamed_equals_not_streamed(body: bytes) -> None:
    items = [json.loads(line.removeprefix(b"data: ")) for line in body.split(b"\r\n\r\n") if line]
    parts = [part for one in items for part in one["candidates"][0]["content"]["parts"]]
    whole = {**items[-1], **item(*parts, finish="STOP")}
    made = Gemini().response(call(), json.dumps(whole).encode()).body
    message, outcome = made["choices"][0]["message"], run(body)
    assert streams.text(outcome.chunks) == message["content"]
    assert streams.text(outcome.chunks, "reasoning_content") == message.get("reasoning_content", "")
    streamed = [one for delta in deltas(outcome) for one in delta.get("tool_calls", ())]
    assert [{**one, "index": None} for one in streamed] == [
        {**one, "index": None} for one in message.get("tool_calls", ())
    ]
    assert outcome.chunks[-1]["usage"] == made["usage"]


def test_a_caller_of_legacy_functions_hears_of_one_call() -> None:
    outcome = run(CALLED, {"functions": [{"name": "add"}, {"name": "now"}]})
    said = [delta["function_call"] for delta in deltas(outcome) if "function_call" in delta]
    assert said == [{"name": "add", "arguments": '{"a":1}'}]
    assert not any("tool_calls" in delta for delta in deltas(outcome))
    assert outcome.chunks[-2]["choices"][0]["finish_reason"] == "function_call"


def test_a_reason_to_stop_with_every_item_is_believed_at_the_end() -> None:
    outcome = run(body_of(item(words("a"), finish="STOP"), item(words("b"), finish="MAX_TOKENS")))
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert streams.text(outcome.chunks) == "ab"
    assert outcome.chunks[-2]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_a_stream_that_ends_without_a_reason_is_an_error(keep: int) -> None:
    outcome = run(b"".join(one + b"\r\n\r\n" for one in SPOKEN.split(b"\r\n\r\n")[:keep]))
    assert outcome.error is not None
    assert outcome.error.code == "upstream_incomplete"
    assert all(c["finish_reason"] is None for chunk in outcome.chunks for c in chunk["choices"])


@pytest.mark.parametrize(
    "body",
    [
        body_of(item(words("a"), finish="STOP", index=0), item(words("b"), index=1)),
        body_of(item(words("a"), finish="FINISH_REASON_UNSPECIFIED")),
        body_of(counts(1, 1)),
        b"",
    ],
)
def test_a_stream_without_all_of_its_ends_is_an_error(body: bytes) -> None:
    outcome = run(body)
    assert outcome.error is not None
    assert outcome.error.code == "upstream_incomplete"


@pytest.mark.parametrize("garbage", [b"data: {nope\n\n", b"data: 7\n\n", b"data: [1]\n\n", b"<html>busy</html>"])
def test_garbage_is_never_a_finished_answer(garbage: bytes) -> None:
    outcome = run(garbage)
    assert outcome.error is not None
    assert outcome.error.status == 502


@pytest.mark.parametrize("before", [0, 1, 2])
def test_an_error_in_the_stream_is_told_and_nothing_after_it(before: int) -> None:
    items = SPOKEN.split(b"\r\n\r\n")[:before]
    failed = body_of(failure(503, "UNAVAILABLE", "The model is overloaded."), item(words("x"), finish="STOP"))
    outcome = run(b"".join(one + b"\r\n\r\n" for one in items) + failed)
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.code) == (503, "overloaded")
    assert all(c["finish_reason"] is None for chunk in outcome.chunks for c in chunk["choices"])


@pytest.mark.parametrize("before", [body_of(), body_of(item(words("a")))])
def test_a_blocked_prompt_ends_in_a_filter(before: bytes) -> None:
    outcome = run(before + body_of({"promptFeedback": {"blockReason": "SAFETY"}, **counts(3, 0)}))
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert outcome.chunks[-2]["choices"][0]["finish_reason"] == "content_filter"
    assert "SAFETY" in streams.text(outcome.chunks, "refusal")


def test_counts_stay_when_a_later_item_leaves_them_out() -> None:
    outcome = run(
        body_of(
            item(words("a"), **counts(9, 1, cachedContentTokenCount=4)),
            item(finish="STOP", usageMetadata={"candidatesTokenCount": 2}),
        )
    )
    assert outcome.translator is not None
    assert outcome.translator.usage == Usage(input=5, cache_read=4, output=2)


def test_usage_that_never_came_is_counted() -> None:
    outcome = run(body_of(item(words("one two"), finish="STOP")))
    assert outcome.chunks[-1]["usage"]["completion_tokens"] == 2
    assert outcome.translator is not None
    assert outcome.translator.usage is None


def test_a_stream_sent_as_a_list_is_read_all_the_same() -> None:
    items = [item(words("a")), item(words("b"), finish="STOP")]
    outcome = run(b"data: " + json.dumps(items).encode() + b"\n\ndata: [DONE]\n\n")
    assert streams.text(outcome.chunks) == "ab"
    assert outcome.error is None


def test_log_probabilities_are_told_once_an_item() -> None:
    spoken = item(words("a"), words("b"), finish="STOP")
    spoken["candidates"][0]["logprobsResult"] = {"chosenCandidates": [{"token": "ab", "logProbability": -1}]}
    found = [c["logprobs"] for chunk in run(body_of(spoken)).chunks for c in chunk["choices"] if c["logprobs"]]
    assert [one["content"][0]["token"] for one in found] == ["ab"]


def test_log_probabilities_go_with_words_and_are_never_lost() -> None:
    told = {"logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": -1}]}}
    thinking = item(words("hm", thought=True), words("a"))
    silent, last = item(), item(calls("add"), finish="STOP")
    for one in (thinking, silent, last):
        one["candidates"][0] |= told
    outcome = run(body_of(thinking, silent, last))
    streams.assert_well_formed(outcome.chunks, usage=True)
    bearers = [c["delta"] for chunk in outcome.chunks for c in chunk["choices"] if c["logprobs"]]
    assert bearers[:2] == [{"content": "a"}, {"content": ""}]
    assert list(bearers[2]) == ["tool_calls"]
    assert len(bearers) == 3


def test_why_an_answer_was_held_back_is_told_before_its_end() -> None:
    held = item(words("so f"), finish="SAFETY")
    held["candidates"][0]["finishMessage"] = "Too dangerous."
    outcome = run(body_of(held))
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert deltas(outcome)[-2:] == [{"refusal": "Too dangerous."}, {}]
    made = item(calls("add"), finish="STOP")
    made["candidates"][0]["finishMessage"] = "Model generated function call(s)."
    assert streams.text(run(body_of(made)).chunks, "refusal") == ""


STREAMS = [case for case in transcripts.cases("gemini") if case.status == 200 and case.stream]


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_recorded_streams_are_read_however_they_are_cut(case: transcripts.Case) -> None:
    outcome = run(case.body)
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=True)
    items = [json.loads(line[6:]) for line in case.body.splitlines() if line.startswith(b"data: ")]
    assert outcome.chunks[-1]["usage"]["total_tokens"] == items[-1]["usageMetadata"]["totalTokenCount"]
    step = 1 if len(case.body) < 1500 else 37
    for at in range(1, len(case.body), step):
        cut = streams.run(Gemini(), call({"stream": True}), [case.body[:at], case.body[at:]])
        assert cut.chunks == outcome.chunks
