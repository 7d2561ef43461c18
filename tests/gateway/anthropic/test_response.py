"""Anthropic's whole answers as chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from billing.usage import Usage
from gateway.errors import ApiError
from gateway.providers.anthropic import Anthropic
from gateway.providers.base import Completion
from gateway.translation.anthropic_usage import usage_of
from tests.gateway import streams
from tests.gateway.anthropic.rules import OLD, USER

COUNTS = {"input_tokens": 10, "output_tokens": 5}


def answered(
    *content: dict[str, Any], stop: str | None = "end_turn", asked: dict[str, Any] | None = None, **fields: Any
) -> Completion:
    """The completion made of an answer with these blocks, valid by OpenAI's own types."""
    target = {"capabilities": fields.pop("capabilities", {})}
    call = streams.call({"messages": [USER], **(asked or {})}, kind="anthropic", **target)
    answer = {"id": "msg_1", "type": "message", "content": content, "stop_reason": stop, "usage": COUNTS, **fields}
    made = Anthropic().response(call, json.dumps(answer).encode())
    ChatCompletion.model_validate(made.body)
    return made


def message(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = answered(*content, **fields).body["choices"][0]["message"]
    return made


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **fields}


def use(name: str = "look", given: Any = None, at: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": at, "name": name, "input": {} if given is None else given}


def test_the_frame_of_an_answer() -> None:
    made = answered(text("hello"))
    assert made.body == {
        "id": "chatcmpl-0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "public-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": Usage(input=10, output=5).to_openai(),
    }
    assert (made.usage, made.finish_reason) == (Usage(input=10, output=5), "stop")


def test_texts_are_joined_with_nothing_between() -> None:
    assert message(text("a"), text("b"))["content"] == "ab"


def test_content_is_null_beside_calls_and_empty_without_them() -> None:
    assert message(use(), stop="tool_use")["content"] is None
    assert message()["content"] == ""


def test_calls() -> None:
    made = message(text("see"), use(given={"a": [1]}), use("b", at="toolu_2"), stop="tool_use")
    assert made["content"] == "see"
    assert made["tool_calls"] == [
        {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": '{"a":[1]}'}},
        {"id": "toolu_2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
    ]


def test_a_renamed_tool_comes_back_under_the_callers_name() -> None:
    asked = {"tools": [{"type": "function", "function": {"name": name}} for name in ("a.b", "a_b")]}
    made = message(use("a_b_2"), use("a_b"), asked=asked, stop="tool_use")
    assert [call["function"]["name"] for call in made["tool_calls"]] == ["a.b", "a_b"]


def test_thoughts_are_shown_and_kept_to_be_sent_back() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm ", "signature": "s1"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "thinking", "thinking": "so", "signature": "s2"},
    ]
    made = message(blocks[0], text("a"), *blocks[1:])
    assert made["reasoning_content"] == "hm so"
    assert made["thinking_blocks"] == blocks
    assert made["content"] == "a"


def test_hidden_thoughts_are_only_in_the_blocks() -> None:
    made = message({"type": "redacted_thinking", "data": "xyz"}, text("a"))
    assert "reasoning_content" not in made
    assert made["thinking_blocks"] == [{"type": "redacted_thinking", "data": "xyz"}]


def test_tools_that_ran_at_the_provider_are_no_calls_and_their_citations_are_annotations() -> None:
    cited = {"type": "web_search_result_location", "url": "https://x.test", "title": "X", "cited_text": "…"}
    made = message(
        text("Well: "),
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
        text("yes", citations=[cited, {"type": "char_location"}]),
    )
    assert "tool_calls" not in made
    assert made["content"] == "Well: yes"
    assert made["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"start_index": 6, "end_index": 9, "url": "https://x.test", "title": "X"},
        }
    ]


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("compaction", "length"),
        ("something_new", "stop"),
        (None, "stop"),
        ("tool_use", "stop"),  # of a tool that is not the caller's
    ],
)
def test_stop_reasons(stop: str | None, finish: str) -> None:
    assert answered(text("a"), stop=stop).body["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("stop", "finish"), [("tool_use", "tool_calls"), ("end_turn", "tool_calls"), ("max_tokens", "length")]
)
def test_stop_reasons_beside_a_call(stop: str, finish: str) -> None:
    assert answered(use(), stop=stop).finish_reason == finish


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "explanation": "Not this."}
    made = answered(stop="refusal", stop_details=details)
    assert made.body["choices"][0]["message"] == {"role": "assistant", "content": "", "refusal": "Not this."}
    assert made.finish_reason == "content_filter"
    assert message(stop="refusal", stop_details=None)["refusal"] is None


LEGACY = {"functions": [{"name": "look"}]}


def test_a_caller_of_legacy_functions_is_answered_in_kind_with_the_first_call() -> None:
    made = answered(use(given={"a": 1}), use("b"), stop="tool_use", asked=LEGACY)
    assert made.body["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "look", "arguments": '{"a":1}'},
    }
    assert made.finish_reason == "function_call"


SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}


def test_a_custom_tool_is_called_with_its_text() -> None:
    asked = {"tools": [{"type": "custom", "custom": {"name": "apply.patch"}}]}
    made = message(use("apply_patch", {"input": "*** a"}), use("apply_patch", {"x": 1}), asked=asked, stop="tool_use")
    assert [call["custom"] for call in made["tool_calls"]] == [
        {"name": "apply.patch", "input": "*** a"},
        {"name": "apply.patch", "input": '{"x":1}'},
    ]
    assert {call["type"] for call in made["tool_calls"]} == {"custom"}


def test_thoughts_that_cannot_be_sent_back_are_only_shown() -> None:
    made = message({"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "redacted_thinking"}, text("a"))
    assert made["reasoning_content"] == "hm"
    assert "thinking_blocks" not in made


def test_a_call_without_an_id_gets_one() -> None:
    made = message({"type": "tool_use", "name": "look", "input": {}}, stop="tool_use")
    assert made["tool_calls"][0]["id"] == "call_0199aaaabbbb7ccc8dddeeeeffff0000_0"


def test_a_call_of_nothing_is_a_502() -> None:
    with pytest.raises(ApiError) as caught:
        answered({"type": "tool_use", "id": "a", "input": {}})
    assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")


@pytest.mark.parametrize(
    ("asked", "served", "told"),
    [
        ("auto", "standard", "default"),
        ("auto", "priority", "priority"),
        ("auto", "batch", None),
        ("auto", None, None),
        (None, "standard", None),
    ],
)
def test_the_tier_that_served_is_told_to_those_who_named_one(asked: Any, served: Any, told: str | None) -> None:
    made = answered(text("a"), asked={"service_tier": asked}, usage={**COUNTS, "service_tier": served})
    assert made.body.get("service_tier") == told


def test_the_answer_tools_input_is_the_content() -> None:
    made = answered(use("json_answer", {"a": 1}), stop="tool_use", asked=SCHEMA, capabilities=OLD)
    assert made.body["choices"][0]["message"]["content"] == '{"a":1}'
    assert "tool_calls" not in made.body["choices"][0]["message"]
    assert made.finish_reason == "stop"


def test_a_call_beside_the_answer_tool_stays_a_call() -> None:
    made = answered(use("look"), stop="tool_use", asked=SCHEMA, capabilities=OLD)
    assert made.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"content": "x"}', b'{"content": null}', b'{"type": "message"}']
)
def test_an_answer_that_cannot_be_read_is_a_502(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        Anthropic().response(streams.call({"messages": [USER]}, kind="anthropic"), body)
    assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")


@pytest.mark.parametrize("junk", [None, True, 7, [], ["x"], {}], ids=repr)
def test_a_block_that_is_not_what_it_should_be_breaks_nothing_else(junk: Any) -> None:
    made = message(
        text(junk),
        text("a", citations=junk),
        {"type": "thinking", "thinking": junk, "signature": "s"},
        {"type": junk},
        stop_details=junk,
    )
    assert made["content"] == "a"
    assert "reasoning_content" not in made


def test_an_error_in_a_200_is_an_error() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(ApiError) as caught:
        Anthropic().response(streams.call({"messages": [USER]}, kind="anthropic"), body)
    assert (caught.value.status, caught.value.code) == (503, "overloaded")


def test_an_answer_without_counts_has_none() -> None:
    made = answered(text("a"), usage=None)
    assert made.usage is None
    assert "usage" not in made.body


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (COUNTS, Usage(input=10, output=5)),
        ({**COUNTS, "cache_read_input_tokens": 7}, Usage(input=10, cache_read=7, output=5)),
        ({**COUNTS, "cache_creation_input_tokens": 7}, Usage(input=10, cache_write_5m=7, output=5)),
        (
            {
                **COUNTS,
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
            },
            Usage(input=10, cache_write_5m=4, cache_write_1h=3, output=5),
        ),
        (
            {**COUNTS, "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3}},
            Usage(input=10, cache_write_5m=4, cache_write_1h=3, output=5),
        ),
        (
            {**COUNTS, "cache_creation_input_tokens": None, "cache_read_input_tokens": None, "cache_creation": None},
            Usage(input=10, output=5),
        ),
        ({**COUNTS, "output_tokens_details": {"thinking_tokens": 2}}, Usage(input=10, output=3, reasoning=2)),
        ({**COUNTS, "output_tokens_details": {"thinking_tokens": 9}}, Usage(input=10, reasoning=5)),
        ({**COUNTS, "output_tokens_details": None}, Usage(input=10, output=5)),
        ({"input_tokens": "x", "output_tokens": -1}, Usage()),
        ({}, Usage()),
        (
            {
                **COUNTS,
                "output_tokens_details": {"thinking_tokens": 2},
                "iterations": [
                    {"type": "compaction", "input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 3},
                    {"type": "message", **COUNTS, "cache_creation_input_tokens": 4},
                ],
            },
            Usage(input=110, cache_read=3, cache_write_5m=4, output=23, reasoning=2),
        ),
        (
            {
                **COUNTS,
                "iterations": [
                    {"input_tokens": 1, "output_tokens": 6, "output_tokens_details": {"thinking_tokens": 2}},
                    {"input_tokens": 1, "output_tokens": 6, "output_tokens_details": {"thinking_tokens": 3}},
                ],
            },
            Usage(input=2, output=7, reasoning=5),
        ),
        ({**COUNTS, "iterations": []}, Usage(input=10, output=5)),
    ],
)
def test_counts_fall_into_buckets_that_do_not_overlap(counts: dict[str, Any], usage: Usage) -> None:
    assert usage_of(counts) == usage
    shown: Any = usage.to_openai()
    assert shown["total_tokens"] == shown["prompt_tokens"] + shown["completion_tokens"]
