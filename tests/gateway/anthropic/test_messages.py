"""Roles, runs, tool results and everything else that decides whether Anthropic accepts a history."""

from __future__ import annotations

import json
import random
import sys
from types import FrameType
from typing import Any

import pytest

from gateway.providers.anthropic import Anthropic
from tests.gateway import streams
from tests.gateway.anthropic.rules import OLD, USER, refusal, sent

Message = dict[str, Any]


def text(said: str) -> Message:
    return {"type": "text", "text": said}


def assistant(content: Any = None, *calls: str, **fields: Any) -> Message:
    message: Message = {"role": "assistant", "content": content, **fields}
    if calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": "look", "arguments": json.dumps({"at": call})}}
            for call in calls
        ]
    return message


def result(call: str, content: Any = "seen") -> Message:
    return {"role": "tool", "tool_call_id": call, "content": content}


def conversation(*messages: Message, **target: Any) -> list[tuple[str, list[Message]]]:
    return [(m["role"], m["content"]) for m in sent({"messages": list(messages)}, **target)["messages"]]


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
    ("arguments", "object_"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ("{}", {}),
        ('{"a": ', {"_raw": '{"a": '}),
        ("[1]", {"_raw": "[1]"}),
        ('"x"', {"_raw": '"x"'}),
    ],
)
def test_arguments_become_an_object_and_no_call_is_dropped(arguments: str, object_: dict[str, Any]) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": arguments}}
    made = conversation(USER, {"role": "assistant", "tool_calls": [call]}, result("a"))
    assert made[1][1][0]["input"] == object_


@pytest.mark.parametrize("foreign", ["functions.f:0", "call/ü", "x" * 400 + "==", ""])
def test_a_foreign_id_is_rewritten_the_same_in_the_call_and_in_its_result(foreign: str) -> None:
    made = conversation(USER, assistant(None, foreign), result(foreign))
    assert made[1][1][0]["id"] == made[2][1][0]["tool_use_id"]


def test_ids_that_collide_or_come_again_stay_apart() -> None:
    made = conversation(
        USER,
        assistant(None, "f.0", "f:0"),
        result("f:0", "2"),
        result("f.0", "1"),
        assistant(None, "f.0"),
        result("f.0", "3"),
    )
    assert [block["id"] for block in made[1][1]] == ["f_0", "f_0_2"]
    assert [(block["tool_use_id"], block["content"]) for block in made[2][1]] == [("f_0_2", "2"), ("f_0", "1")]
    assert made[4][1][0]["tool_use_id"] == "f_0_3"


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


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([USER, result("a")], "messages[1].tool_call_id"),
        ([USER, assistant(None, "a"), result("b")], "messages[2].tool_call_id"),
        ([USER, assistant(None, "a"), result("a"), result("a")], "messages[3].tool_call_id"),
        ([USER, assistant(None, "a"), {"role": "tool", "content": "x"}], "messages[2].tool_call_id"),
        ([USER, assistant(None, "a"), result("a"), assistant("ok"), result("a")], "messages[4].tool_call_id"),
        ([USER, assistant(None, "a", "b"), result("a"), USER], "messages[1].tool_calls[1].id"),
        ([USER, assistant(None, "a")], "messages[1].tool_calls[0].id"),
        ([USER, assistant(None, "a"), USER, assistant("x"), USER], "messages[1].tool_calls[0].id"),
        ([USER, {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}], "messages[1].tool_calls[0]"),
        ([USER, {"role": "function", "name": "f", "content": "x"}], "messages[1].name"),
        ([USER, {"role": "assistant", "function_call": {"name": "f", "arguments": ""}}], "messages[1].function_call"),
        ([{"role": "system", "content": "S"}], "messages"),
        ([USER, {"role": "system", "content": [{"type": "image_url"}]}], "messages[1].content[0]"),
    ],
)
def test_calls_and_results_that_do_not_match_are_refused_by_name(messages: list[Message], param: str) -> None:
    assert refusal({"messages": messages}).param == param


def test_legacy_calls_are_paired_by_name_with_the_most_recent_one() -> None:
    def called(name: str) -> Message:
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": '{"x":1}'}}

    made = conversation(
        USER,
        called("f"),
        {"role": "function", "name": "f", "content": "1"},
        called("f"),
        {"role": "function", "name": "f", "content": "2"},
    )
    assert made[1][1] == [{"type": "tool_use", "id": "call_legacy_1", "name": "f", "input": {"x": 1}}]
    assert made[2][1] == [{"type": "tool_result", "tool_use_id": "call_legacy_1", "content": "1"}]
    assert made[4][1] == [{"type": "tool_result", "tool_use_id": "call_legacy_2", "content": "2"}]


def test_of_two_waiting_calls_of_one_name_the_later_is_answered_first() -> None:
    called = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}
    answers = [{"role": "function", "name": "f", "content": content} for content in ("1", "2")]
    made = conversation(USER, called, called, *answers)
    assert [(block["tool_use_id"], block["content"]) for block in made[2][1]] == [
        ("call_legacy_2", "1"),
        ("call_legacy_1", "2"),
    ]


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


def test_arguments_too_deep_to_be_written_are_kept_as_text() -> None:
    deep = '{"a":' * 400 + "1" + "}" * 400
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": deep}}
    made = conversation(USER, {"role": "assistant", "tool_calls": [call]}, result("a"))
    assert made[1][1][0]["input"] == {"_raw": deep}
    wide = json.dumps({"a": [[]] * 400})
    call["function"] = {"name": "look", "arguments": wide}
    made = conversation(USER, {"role": "assistant", "tool_calls": [call]}, result("a"))
    assert made[1][1][0]["input"] == {"a": [[]] * 400}


def lines_run(calls: int) -> int:
    """How many lines of ours it takes to translate so many calls whose ids and names all look the same upstream."""
    made = [
        {"id": "é", "type": "function", "function": {"name": chr(0x4E00 + at), "arguments": ""}} for at in range(calls)
    ]
    answers = [result("é") for _ in made]
    call = streams.call({"messages": [USER, {"role": "assistant", "tool_calls": made}, *answers]}, kind="anthropic")
    run = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal run
        run += event == "line"
        return trace if "translation" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Anthropic().request(call)
    finally:
        sys.settrace(before)
    return run


def test_calls_that_look_alike_do_not_cost_more_the_more_there_are() -> None:
    """Else a body of a few megabytes would keep everybody waiting for minutes."""
    assert lines_run(1600) < 5 * lines_run(400)


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


IDS = ["call_1", "functions.f:0", "functions.f_0", "x" * 90, "x" * 91, "ü", "a b"]


def history(chance: random.Random) -> list[Message]:
    """Any history that OpenAI would take: each call answered before the next assistant message, in any order."""
    messages: list[Message] = []
    for _ in range(chance.randint(1, 6)):
        calls = chance.sample(IDS, chance.randint(0, 4))
        spoken = chance.choice([None, "", " ", "hm ", [{"type": "text", "text": "part"}]])
        messages.append(assistant(spoken, *calls))
        between = [result(call, call) for call in calls]
        for _ in range(chance.randint(0, 3)):
            role = chance.choice(["user", "system", "developer"])
            between.append({"role": role, "content": chance.choice(["", "hi", [{"type": "text", "text": " "}]])})
        chance.shuffle(between)
        messages += between
    return [USER] * chance.randint(0, 2) + messages + [USER] * chance.randint(0, 1)


@pytest.mark.parametrize("capabilities", [{}, OLD, {"prefill": True, "mid_conversation_system": True}], ids=str)
@pytest.mark.parametrize("effort", [None, "high"])
def test_any_order_of_tool_messages_makes_a_history_that_anthropic_takes(
    capabilities: dict[str, Any], effort: str | None
) -> None:
    chance = random.Random(2389)  # noqa: S311 - to vary a test, not to hide anything
    tools = [{"type": "function", "function": {"name": "look"}}]
    checked = 0
    while checked < 400:
        messages = history(chance)
        if all(message["role"] in {"system", "developer"} for message in messages):
            continue
        if not any(m.get("tool_calls") or m["role"] == "user" for m in messages):
            continue
        body = {"messages": messages, "tools": chance.choice([tools, None]), "reasoning_effort": effort}
        made = sent(body, capabilities=capabilities)["messages"]  # `sent` checks the rules
        asked_at = {
            block["id"]: block["input"]["at"] for m in made for block in m["content"] if block["type"] == "tool_use"
        }
        answers = [block for m in made for block in m["content"] if block["type"] == "tool_result"]
        assert all(asked_at[block["tool_use_id"]] == block["content"] for block in answers)
        assert len(answers) == sum(message["role"] == "tool" for message in messages)
        checked += 1
