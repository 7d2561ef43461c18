"""Roles, runs, tool results and everything else that decides whether Anthropic accepts a history."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.anthropic.histories import Message, assistant, conversation, result, text
from tests.gateway.anthropic.rules import OLD, USER, refusal, sent


def test_the_worked_example_comes_out_as_written() -> None:
    made = sent(
        {
            "messages": [
                {"role": "system", "content": "S"},
                {"role": "user", "content": "U"},
                assistant(None, "a", "b"),
                result("b", "B"),
                result("a", "A"),
                {"role": "user", "content": "V"},
            ]
        }
    )
    assert made["system"] == [text("S")]
    assert [m["role"] for m in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "look", "input": {"at": "a"}},
        {"type": "tool_use", "id": "b", "name": "look", "input": {"at": "b"}},
    ]
    assert made["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "b", "content": "B"},
        {"type": "tool_result", "tool_use_id": "a", "content": "A"},
        text("V"),
    ]


def test_leading_system_and_developer_messages_are_one_block_each_and_empty_ones_are_left_out() -> None:
    leading = [
        {"role": "system", "content": "one"},
        {"role": "developer", "content": [{"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "  "},
    ]
    made = sent({"messages": [*leading, USER]})
    assert made["system"] == [text("one"), {**text("two"), "cache_control": {"type": "ephemeral"}}]


def test_a_later_system_message_stays_where_it_was_if_the_model_takes_it_there() -> None:
    later = {"role": "developer", "content": "be brief"}
    assert conversation(USER, assistant("ok"), USER, later)[-2:] == [
        ("user", [text("hi")]),
        ("system", [text("be brief")]),
    ]
    assert [role for role, _ in conversation(USER, later, assistant("ok"), USER)] == [
        "user",
        "system",
        "assistant",
        "user",
    ]


def test_a_later_system_message_between_two_user_messages_moves_behind_them() -> None:
    """Anthropic takes it only at the end of the user's turn; hoisting it would rewrite the cached prefix."""
    made = conversation(USER, {"role": "system", "content": "S"}, {"role": "user", "content": "more"})
    assert made == [("user", [text("hi"), text("more")]), ("system", [text("S")])]


def test_a_system_message_between_a_call_and_its_result_does_not_part_them() -> None:
    made = conversation(USER, assistant(None, "a"), {"role": "system", "content": "S"}, result("a"))
    assert [role for role, _ in made] == ["user", "assistant", "user", "system"]


def test_a_later_system_message_without_a_user_turn_before_it_becomes_one() -> None:
    made = conversation(USER, assistant("ok"), {"role": "system", "content": "S"})
    assert made[-1] == ("user", [text("<system>\nS\n</system>")])


def test_a_model_without_later_system_messages_gets_them_in_the_users_turn_so_that_the_cache_holds() -> None:
    later = {"role": "system", "content": "S"}
    made = sent(
        {"messages": [{"role": "system", "content": "first"}, USER, assistant("ok"), later, USER]}, capabilities=OLD
    )
    assert made["system"] == [text("first")]
    assert made["messages"][-1]["content"] == [text("<system>\nS\n</system>"), text("hi")]


def test_a_route_may_have_them_hoisted_instead() -> None:
    later = {"role": "system", "content": "S"}
    made = sent(
        {"messages": [USER, assistant("ok"), later, USER]}, capabilities=OLD, options={"later_system": "system"}
    )
    assert made["system"] == [text("S")]


def test_runs_of_one_role_become_one_message() -> None:
    made = conversation(USER, USER, assistant("a"), assistant("b"), USER)
    assert made == [("user", [text("hi")] * 2), ("assistant", [text("a"), text("b")]), ("user", [text("hi")])]


@pytest.mark.parametrize("nothing", ["", " \n", [], [{"type": "text", "text": " "}], None])
def test_a_user_message_that_says_nothing_leaves_a_placeholder(nothing: Any) -> None:
    assert conversation({"role": "user", "content": nothing}) == [("user", [text(".")])]


def test_blank_text_beside_something_else_is_left_out() -> None:
    said = [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]
    assert conversation({"role": "user", "content": said}) == [("user", [text("x")])]


def test_an_assistant_message_with_neither_text_nor_calls_is_left_out() -> None:
    thought = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    assert conversation(USER, assistant(None), assistant("", thinking_blocks=thought), USER) == [
        ("user", [text("hi")] * 2)
    ]


def test_a_conversation_that_begins_with_the_assistant_gets_a_user_turn_before_it() -> None:
    assert conversation(assistant("hello"), USER)[0] == ("user", [text(".")])


def test_a_refusal_is_text() -> None:
    said = [{"type": "refusal", "refusal": "No."}]
    assert conversation(USER, assistant(said), USER)[1] == ("assistant", [text("No.")])
    assert conversation(USER, assistant(None, refusal="No."), USER)[1] == ("assistant", [text("No.")])


def test_text_comes_before_the_calls_of_the_same_message() -> None:
    kinds = [block["type"] for block in conversation(USER, assistant("let me see", "a"), result("a"))[1][1]]
    assert kinds == ["text", "tool_use"]


@pytest.mark.parametrize(
    ("content", "made"),
    [
        ("", ""),
        (None, ""),
        ("done", "done"),
        ([], ""),
        ([{"type": "text", "text": ""}], ""),
        ([{"type": "text", "text": "x"}], [{"type": "text", "text": "x"}]),
    ],
)
def test_a_result_keeps_its_content_and_may_be_empty(content: Any, made: Any) -> None:
    assert conversation(USER, assistant(None, "a"), result("a", content))[2][1][0]["content"] == made


def test_a_result_may_hold_an_image() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    made = conversation(USER, assistant(None, "a"), result("a", [image]))[2][1][0]["content"]
    assert made == [{"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}]


def test_signed_thoughts_come_first_and_unchanged() -> None:
    thoughts = [
        {"index": 0, "type": "thinking", "thinking": "hm", "signature": "sig"},
        {"index": 1, "type": "redacted_thinking", "data": "xyz"},
    ]
    made = conversation(USER, assistant("so", "a", thinking_blocks=thoughts), result("a"))
    assert made[1][1][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
    ]


def test_reasoning_details_are_understood_and_those_of_other_vendors_dropped() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "xyz", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "abc", "format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "no signature"},
    ]
    made = conversation(USER, assistant("so", reasoning_details=details), USER)
    assert made[1][1] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        text("so"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": ""}]},
        {"thinking_blocks": [{"type": "redacted_thinking"}, {"type": "other"}, 7]},
        {"thinking_blocks": 7, "reasoning_details": "x"},
    ],
)
def test_thoughts_without_a_signature_are_dropped(fields: Message) -> None:
    assert conversation(USER, assistant("so", **fields), USER)[1][1] == [text("so")]


def test_a_prefill_loses_its_trailing_space_and_goes_up_where_it_is_taken() -> None:
    assert conversation(USER, assistant("{ \n"), capabilities=OLD)[-1] == ("assistant", [text("{")])


def test_a_model_without_prefill_is_asked_to_continue() -> None:
    assert conversation(USER, assistant("{"))[-2:] == [("assistant", [text("{")]), ("user", [text("Continue.")])]


def test_a_route_may_refuse_prefills() -> None:
    error = refusal({"messages": [USER, assistant("{")]}, options={"prefill": "refuse"})
    assert (error.param, error.code) == ("messages[1]", "unsupported_value")


def test_the_thoughts_of_a_message_that_joins_a_turn_are_dropped_unless_the_turn_has_some() -> None:
    first = [{"type": "thinking", "thinking": "1", "signature": "s"}]
    second = [{"type": "thinking", "thinking": "2", "signature": "s"}]
    late = conversation(USER, assistant("a"), assistant("b", thinking_blocks=second), USER)
    assert late[1] == ("assistant", [text("a"), text("b")])
    both = conversation(USER, assistant("a", thinking_blocks=first), assistant("b", thinking_blocks=second), USER)
    assert both[1] == ("assistant", [*first, text("a"), *second, text("b")])


def test_an_answer_that_was_spoken_is_not_lost_in_silence() -> None:
    error = refusal({"messages": [USER, assistant(None, audio={"id": "audio_1"}), USER]})
    assert error.param == "messages[1].audio"
    assert conversation(USER, assistant("said", audio={"id": "audio_1"}), USER)[1] == ("assistant", [text("said")])


def test_cache_marks_of_parts_and_messages_are_kept() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    made = conversation(
        {
            "role": "user",
            "content": [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}],
        },
        assistant("x", "c", cache_control=mark),
        {**result("c"), "cache_control": mark},
        {"role": "user", "content": "z", "cache_control": mark},
    )
    assert made[0][1] == [{**text("a"), "cache_control": mark}, text("b")]
    assert [block.get("cache_control") for block in made[1][1]] == [None, mark]
    assert [block.get("cache_control") for block in made[2][1]] == [mark, mark]


def test_a_mark_inside_a_result_stands_on_the_result() -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}]
    made = conversation(USER, assistant(None, "c"), result("c", parts))[2][1]
    assert made == [
        {"type": "tool_result", "tool_use_id": "c", "content": [text("a"), text("b")], "cache_control": mark}
    ]


def test_names_of_participants_are_dropped() -> None:
    assert "name" not in sent({"messages": [{**USER, "name": "bob"}]})["messages"][0]
