"""Anthropic's stream, event by event, as the chunks that OpenAI's clients expect."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from billing.usage import Usage
from gateway.providers.anthropic import Anthropic
from gateway.sse import Event as SseEvent
from tests.gateway import streams
from tests.gateway.anthropic.events import PING, Event, closed, delta, ended, opened, start, text, thinking, tool, wire
from tests.gateway.anthropic.reading import arguments, chunks, deltas, run
from tests.gateway.anthropic.rules import USER


def test_the_frame_of_a_chunk() -> None:
    head = {
        "id": "chatcmpl-0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": "public-model",
    }
    role, said, finish = chunks(start(), *text(0, "hi"), *ended())
    frame = {"index": 0, "logprobs": None, "finish_reason": None}
    assert role == {**head, "choices": [{**frame, "delta": {"role": "assistant", "content": "", "refusal": None}}]}
    assert said == {**head, "choices": [{**frame, "delta": {"content": "hi"}}]}
    assert finish == {**head, "choices": [{**frame, "delta": {}, "finish_reason": "stop"}]}


def test_a_call_without_an_id_gets_one_that_no_other_call_has() -> None:
    made = deltas(
        start(),
        opened(0, "tool_use", name="look", input={}),
        closed(0),
        opened(1, "tool_use", id=None, name="look", input={}),
        closed(1),
        *ended("tool_use"),
    )
    ids = [delta["tool_calls"][0]["id"] for delta in made if "id" in delta["tool_calls"][0]]
    assert ids == ["call_0199aaaabbbb7ccc8dddeeeeffff0000_0", "call_0199aaaabbbb7ccc8dddeeeeffff0000_1"]


@pytest.mark.parametrize("name", [None, "", 7])
def test_a_call_of_nothing_is_an_error(name: Any) -> None:
    outcome = run(start(), opened(0, "tool_use", id="a", name=name, input={}))
    assert outcome.error is not None
    assert outcome.error.code == "upstream_unavailable"


def test_a_block_that_begins_twice_is_one_call() -> None:
    begun, *rest = tool(0, '{"a":1}')
    assert arguments(chunks(start(), begun, begun, *rest, *ended("tool_use"))) == {0: '{"a":1}'}


def test_a_block_that_begins_where_another_is_open_closes_that() -> None:
    first, second = tool(0, at="a")[:-1], tool(0, at="b")
    assert arguments(chunks(start(), *first, *second, *ended("tool_use"))) == {0: "{}", 1: "{}"}


def test_an_event_without_data_is_passed_over() -> None:
    body = wire([start()]) + b"event: ping\ndata:\n\n" + b"event: ping\ndata:  \n\n" + wire([*text(0, "a"), *ended()])
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic")
    outcome = streams.run(Anthropic(), call, [body])
    assert outcome.error is None
    assert streams.text(outcome.chunks) == "a"


def test_the_tier_that_served_is_told_to_those_who_named_one() -> None:
    begun = start({"input_tokens": 1, "output_tokens": 1, "service_tier": "standard"})
    made = chunks(begun, *text(0, "a"), *ended(), asked={"service_tier": "auto"})
    assert {chunk["service_tier"] for chunk in made} == {"default"}
    assert not any("service_tier" in chunk for chunk in chunks(begun, *text(0, "a"), *ended()))


def test_what_is_newer_than_this_code_is_passed_over() -> None:
    made = deltas(
        {"type": "brand_new"},
        start(),
        opened(0, "text", text=""),
        delta(0, "citations", citation={"type": "char_location"}),
        delta(0, "brand_new", x=1),
        delta(9, "input_json", partial_json="{"),
        closed(9),
        *text(0, "a"),
        *ended(),
    )
    assert made == [{"content": "a"}]


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_stop_reasons(stop: str | None, finish: str) -> None:
    outcome = run(start(), *ended(stop))
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == finish
    assert outcome.translator is not None
    assert outcome.translator.finish_reason == finish


def test_a_refusal_without_content_says_why_before_the_end() -> None:
    details = {"type": "refusal", "explanation": "Not this."}
    outcome = run(start(), *ended("refusal", stop_details=details))
    assert [chunk["choices"][0]["delta"] for chunk in outcome.chunks[1:]] == [{"refusal": "Not this."}, {}]


def used(*events: Event) -> Usage | None:
    outcome = run(*events)
    assert outcome.translator is not None
    return outcome.translator.usage


@pytest.mark.parametrize(
    ("first", "last", "usage"),
    [
        ({"input_tokens": 10, "output_tokens": 1}, {"output_tokens": 5}, Usage(input=10, output=5)),
        ({"input_tokens": 43, "output_tokens": 1}, {"input_tokens": 61, "output_tokens": 2}, Usage(input=61, output=2)),
        (
            {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1},
            {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 5},
            Usage(input=10, cache_read=4, output=5),
        ),
        (
            {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1},
            {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 5},
            Usage(input=10, cache_read=4, output=5),
        ),
        ({}, {"input_tokens": 3, "output_tokens": 5}, Usage(input=3, output=5)),
    ],
)
def test_counts_are_replaced_and_never_added(first: dict[str, Any], last: dict[str, Any], usage: Usage) -> None:
    assert used(start(first), *text(0, "a"), *ended(usage=last)) == usage


def test_the_usage_chunk_comes_last_and_only_when_asked_for() -> None:
    made = chunks(start(), *text(0, "a"), *ended(), usage=True)
    assert made[-1]["usage"] == Usage(input=10, output=5).to_openai()
    assert not any("usage" in chunk for chunk in chunks(start(), *text(0, "a"), *ended()))


def test_a_server_that_gives_no_counts_is_counted_for() -> None:
    begun = start()
    del begun["message"]["usage"]
    finish = ended()
    del finish[0]["usage"]
    outcome = run(begun, *text(0, "a word or two"), *finish, usage=True)
    assert outcome.chunks[-1]["usage"]["completion_tokens"] > 0
    assert outcome.translator is not None
    assert outcome.translator.usage is None


def test_what_was_produced_is_known_for_counting() -> None:
    outcome = run(start(), *thinking(0, "hm"), *text(1, "a"), *tool(2, '{"b":1}'))
    assert outcome.translator is not None
    assert "".join(outcome.translator.produced) == 'hmalook{"b":1}'
    assert outcome.translator.usage == Usage(input=10, output=1)


EVERYTHING = [start(), PING, *thinking(0, "hm"), *text(1, "Grüße 🙂"), *tool(2, '{"ä":', "1}"), *ended("tool_use")]
WHOLE = [start(), *text(0, "a"), *tool(1, '{"b":', "1}"), *ended("tool_use")]


@pytest.mark.parametrize("kept", range(len(WHOLE)))
def test_a_stream_that_is_cut_anywhere_is_never_a_finished_answer(kept: int) -> None:
    outcome = run(*WHOLE[:kept])
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.code) == (502, "upstream_incomplete")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in outcome.chunks)


@pytest.mark.parametrize(
    "events",
    [
        text(0, "a"),
        [*ended()],
        [start(), *text(0, "a"), start(message_id="msg_2")],
    ],
)
def test_a_stream_out_of_order_is_an_error(events: list[Event]) -> None:
    outcome = run(*events)
    assert outcome.error is not None
    assert outcome.error.code == "upstream_unavailable"


def test_a_start_that_comes_twice_counts_once() -> None:
    assert deltas(start(), start(), *text(0, "a"), *ended()) == [{"content": "a"}]


def test_nothing_follows_the_end() -> None:
    made = chunks(start(), *text(0, "a"), *ended(), *text(1, "b"), *ended(), usage=True)
    assert streams.text(made) == "a"


@pytest.mark.parametrize("data", [b"{", b"[]", b"null", b'"x"'])
def test_an_event_that_is_not_an_object_is_a_502(data: bytes) -> None:
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic")
    outcome = streams.run(Anthropic(), call, [wire([start()]) + b"data: " + data + b"\n\n"])
    assert outcome.error is not None
    assert outcome.error.code == "upstream_unavailable"


@pytest.mark.parametrize("junk", [None, True, 7, 1.5, "x", [], ["x"], {}, {"x": 1}], ids=repr)
@pytest.mark.parametrize("field", ["type", "index", "delta", "content_block", "message", "usage"])
def test_a_field_that_is_not_what_it_should_be_breaks_nothing_else(field: str, junk: Any) -> None:
    """Whatever a compatible server writes, the stream ends in an answer or in an error of ours."""
    for position, event in enumerate(EVERYTHING):
        if field in event:
            outcome = run(*EVERYTHING[:position], {**event, field: junk}, *EVERYTHING[position + 1 :])
            finishes = [choice["finish_reason"] for chunk in outcome.chunks for choice in chunk["choices"]]
            assert (outcome.error is None) == (finishes[-1:] != [None] and bool(finishes))


def test_a_proxys_event_without_type_goes_by_its_name() -> None:
    bare = [{key: value for key, value in event.items() if key != "type"} for event in WHOLE]
    body = b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(stripped).encode() + b"\n\n"
        for event, stripped in zip(WHOLE, bare, strict=True)
    )
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic", usage=False)
    assert streams.run(Anthropic(), call, [body]).chunks == chunks(*WHOLE)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_answer_does_not_depend_on_where_the_bytes_are_cut(newline: str) -> None:
    body = wire(EVERYTHING, newline)
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic")
    whole = streams.run(Anthropic(), call, [body]).chunks
    streams.assert_well_formed(whole, usage=True)
    assert streams.run(Anthropic(), call, [body[at : at + 1] for at in range(len(body))]).chunks == whole
    for at in range(len(body)):
        assert streams.run(Anthropic(), call, [body[:at], body[at:]]).chunks == whole


def test_the_stream_and_the_whole_answer_say_the_same() -> None:
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic")
    made = streams.run(Anthropic(), call, [wire(EVERYTHING)]).chunks
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "Grüße 🙂"},
        {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"ä": 1}},
    ]
    counts = {"input_tokens": 10, "output_tokens": 5}
    answer = {"content": content, "stop_reason": "tool_use", "usage": counts}
    whole = Anthropic().response(call, json.dumps(answer).encode()).body
    message = whole["choices"][0]["message"]
    assert streams.text(made) == message["content"]
    assert streams.text(made, "reasoning_content") == message["reasoning_content"]
    assert arguments(made) == {0: message["tool_calls"][0]["function"]["arguments"]}
    assert made[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert made[-1]["usage"] == whole["usage"]


def test_text_is_translated_fast_enough_for_hundreds_of_streams() -> None:
    """12,000 events a second is the aim; the limit here is far below it, so that a busy machine does not fail."""
    call = streams.call({"messages": [USER], "stream": True}, kind="anthropic")
    stream = Anthropic().stream(call)
    stream.feed(SseEvent("message_start", json.dumps(start()).encode()))
    event = SseEvent("content_block_delta", json.dumps(delta(0, "text", text=" a few words")).encode())
    began = time.process_time()
    for _ in range(12_000):
        stream.feed(event)
    assert time.process_time() - began < 2
