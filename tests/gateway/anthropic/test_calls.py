"""The calls of a history and their results: ids, arguments, and which belongs to which."""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any

import pytest

from gateway.providers.anthropic import Anthropic
from tests.gateway import streams
from tests.gateway.anthropic.histories import Message, assistant, conversation, result
from tests.gateway.anthropic.rules import USER, refusal


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
