"""Prompt caching: marks pass, but not too many, and a route may set its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.anthropic.rules import USER, refusal, sent

MARK = {"type": "ephemeral"}
TOOL = {"type": "function", "function": {"name": "look"}, "cache_control": MARK}


def parts(*marks: bool) -> dict[str, Any]:
    said = [{"type": "text", "text": "a", **({"cache_control": MARK} if mark else {})} for mark in marks]
    return {"role": "user", "content": said}


def test_a_root_mark_passes() -> None:
    assert sent({"cache_control": MARK})["cache_control"] == MARK


def test_four_marks_pass() -> None:
    made = sent({"tools": [TOOL], "messages": [parts(True, False, True)], "cache_control": MARK})
    assert made["tools"][0]["cache_control"] == MARK
    assert [block.get("cache_control") for block in made["messages"][0]["content"]] == [MARK, None, MARK]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [parts(True, True, False, True, True, True, True)]}, "messages[0].content[5].cache_control"),
        ({"messages": [USER, {**parts(True, True, True, False), "cache_control": MARK}], "tools": [TOOL]},
         "messages[1].cache_control"),
        ({"messages": [parts(True, True, True, True)], "cache_control": MARK}, "cache_control"),
        (
            {
                "messages": [parts(True, True, True, True)],
                "tools": [{"type": "function", "function": {"name": "a", "cache_control": MARK}}],
            },
            "messages[0].content[3].cache_control",
        ),
    ],
)  # fmt: skip
def test_a_fifth_mark_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    error = refusal(body)
    assert error.param == param
    assert "4" in error.message


def test_marks_on_what_is_left_out_do_not_count() -> None:
    blank = {"type": "text", "text": " ", "cache_control": MARK}
    said = {"role": "user", "content": [blank, *parts(True, True, True, True)["content"]]}
    assert "cache_control" in sent({"messages": [said]})["messages"][0]["content"][0]


def test_a_route_may_have_prompts_cached_that_bear_no_mark() -> None:
    options = {"cache_prompts": True}
    assert sent({}, options=options)["cache_control"] == MARK
    assert "cache_control" not in sent({"messages": [parts(True)]}, options=options)
    assert "cache_control" not in sent({})
