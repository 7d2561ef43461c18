"""The comparison itself: it sees what differs, and the list of explanations can neither hide nor keep too much."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.live import ROOT
from tests.peers import reading
from tests.peers.comparing import EXPLAINED, Difference, Explanation, differences, explanations, judge

PAGE = ROOT / "docs" / "decisions" / "differences-from-litellm.md"
FOUND = Difference("gemini/text", "answer.id", '"made"', "absent")
REASON = Explanation(
    id="ids", right="ours", reason="", source="", paths=("answer.id",), cases=("gemini/*",), theirs=("absent",)
)


@pytest.mark.parametrize(
    ("ours", "theirs", "path"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b"),
        ({"a": None}, {}, ".a"),
        ({}, {"a": None}, ".a"),
        ([1, 2], [1, 3], "[1]"),
        ([1], [1, 2], ""),
        ({"a": 1}, {"a": True}, ".a"),
        ({"a": 0}, {"a": 0.0}, ".a"),
        ({"a": []}, {"a": {}}, ".a"),
    ],
)
def test_the_smallest_part_that_differs_is_found(ours: Any, theirs: Any, path: str) -> None:
    (found,) = differences("case", ours, theirs, "answer")
    assert found.path == f"answer{path}"
    assert list(differences("case", ours, ours, "answer")) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(FOUND, case="anthropic/text"),
        replace(FOUND, path="answer.ids"),
        replace(FOUND, theirs="null"),
    ],
)
def test_a_difference_that_no_explanation_matches_is_told(other: Difference) -> None:
    findings = judge([FOUND, other], [REASON], with_recordings=True)
    assert findings.unexplained == [other]
    assert findings.explained == {"ids": [FOUND]}
    assert other.path in str(findings)


def test_an_explanation_that_explains_nothing_is_told() -> None:
    assert judge([], [REASON], with_recordings=False).outlived == ["ids"]
    assert judge([FOUND], [REASON], with_recordings=False).outlived == []


def test_a_pattern_that_matches_nothing_is_told_where_all_cases_were_compared() -> None:
    wide = replace(REASON, paths=("answer.id", "answer.name"), theirs=("absent", "null"))
    found = judge([FOUND], [wide], with_recordings=True)
    assert found.outlived == ["ids, the path answer.name", "ids, the value of theirs null"]
    assert judge([FOUND], [wide], with_recordings=False).outlived == []


def test_what_only_recordings_show_is_not_missed_without_them() -> None:
    recorded = replace(REASON, recorded=True)
    assert judge([], [recorded], with_recordings=False).outlived == []
    assert judge([], [recorded], with_recordings=True).outlived == ["ids"]


def test_the_page_for_people_tells_what_the_list_tells() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| (\w+) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(one.id, one.reason, one.right, one.source) for one in explanations(EXPLAINED)]


# -- Reading ---------------------------------------------------------------------------------------

UPSTREAM = b'{"id": "msg_1", "text": "hi", "error": {"message": "It is \\"full\\"."}}'


def chunk(delta: Mapping[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "x", "created": 1, "model": "m", "choices": [choice]})


def fragment(arguments: str, name: str = "") -> dict[str, Any]:
    begun = {"id": "call_1", "type": "function"} if name else {}
    return {"index": 0, **begun, "function": {**({"name": name} if name else {}), "arguments": arguments}}


CHUNKS = (
    chunk({"role": "assistant", "content": "h"}),
    chunk({"content": "i", "tool_calls": [fragment('{"a": ', "f")]}),
    chunk({"tool_calls": [fragment("1}")]}),
    chunk({}, "tool_calls"),
    json.dumps({"id": "x", "created": 1, "model": "m", "choices": [], "usage": {"total_tokens": 3}}),
    "[DONE]",
)


def streamed(*datas: str) -> dict[str, Any]:
    text = "".join(f"data: {data}\n\n" for data in datas)
    response = httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})
    return reading.answer(response, UPSTREAM, "m", "upstream-m")


def whole(body: Mapping[str, Any], status: int = 200) -> dict[str, Any]:
    return reading.answer(httpx.Response(status, json=body), UPSTREAM, "m", "upstream-m")


def test_a_stream_is_read_as_the_answer_that_it_makes() -> None:
    facts = streamed(*CHUNKS)
    assert facts["choices"] == [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "hi",
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "made: call_",
                        "type": "function",
                        "function": {"name": "f", "arguments": {"a": 1}},
                    }
                ],
            },
        }
    ]
    assert facts["usage"] == {"total_tokens": 3}
    assert facts["stream"]["role"] == "beside something"
    assert facts["stream"]["order"] == "content, call 0"
    assert facts["stream"]["end"] == "finish, usage, done"


@pytest.mark.parametrize(
    ("left_out", "path"),
    [(0, "choices[0].message"), (2, "function"), (3, "finish_reason"), (4, "usage"), (5, "stream.end")],
)
def test_a_stream_without_one_of_its_parts_differs(left_out: int, path: str) -> None:
    short = streamed(*(data for place, data in enumerate(CHUNKS) if place != left_out))
    assert any(path in found.path for found in differences("case", streamed(*CHUNKS), short, "answer"))


def test_whose_words_an_error_has_is_told() -> None:
    def message(text: str) -> str:
        told: str = whole({"error": {"message": text, "code": None}}, 400)["error"]["message"]
        return told

    assert message('It is "full".') == "as it came"
    assert message('Router: It is "full". Sorry.') == "as it came, and more"
    assert message('Router: It is \\"full\\". Sorry.') == "as JSON, and more"
    assert message("Something failed.") == "other words"


def test_ids_and_names_are_told_by_where_they_come_from() -> None:
    assert whole({"id": "msg_1", "model": "m", "created": 5}) | {"headers": {}} == {
        "status": 200,
        "headers": {},
        "id": "as it came",
        "model": "as asked",
        "created": "int",
    }
    assert whole({"id": "chatcmpl-77", "model": "upstream-m"})["model"] == "the provider's name for it"
    assert whole({"id": "chatcmpl-77"})["id"] == "made: chatcmpl-"
