"""What is said in a stream: text, thoughts, calls and citations."""

from __future__ import annotations

from typing import Any

import pytest
from openai._models import construct_type
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.gateway import streams
from tests.gateway.anthropic.events import PING, closed, delta, ended, opened, start, text, thinking, tool
from tests.gateway.anthropic.reading import LOOK, arguments, chunks, deltas, run
from tests.gateway.anthropic.rules import OLD


def test_text_is_passed_on_piece_by_piece() -> None:
    made = deltas(start(), PING, *text(0, "Grüße ", "", '"\n'), PING, *text(1, "🙂"), *ended())
    assert made == [{"content": "Grüße "}, {"content": '"\n'}, {"content": "🙂"}]


def test_text_in_the_start_of_a_block_is_not_lost() -> None:
    assert deltas(start(), opened(0, "text", text="a"), delta(0, "text", text="b"), closed(0), *ended()) == [
        {"content": "a"},
        {"content": "b"},
    ]


def test_calls_are_counted_from_zero_whatever_their_blocks_are() -> None:
    made = deltas(
        start(), *text(0, "so"), *tool(1, '{"a"', ":1}"), *text(2, "and"), *tool(3, "{}", name="b"), *ended("tool_use")
    )
    function = {"name": "look", "arguments": ""}
    assert made == [
        {"content": "so"},
        {"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function", "function": function}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"content": "and"},
        {"tool_calls": [{"index": 1, "id": "toolu_3", "type": "function", "function": {**function, "name": "b"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]


def test_interleaved_calls_keep_their_arguments_apart() -> None:
    made = chunks(
        start(),
        opened(0, "tool_use", id="a", name="a", input={}),
        opened(1, "tool_use", id="b", name="b", input={}),
        delta(0, "input_json", partial_json='{"a":'),
        delta(1, "input_json", partial_json='{"b":'),
        delta(0, "input_json", partial_json="1}"),
        delta(1, "input_json", partial_json="2}"),
        closed(1),
        closed(0),
        *ended("tool_use"),
    )
    assert arguments(made) == {0: '{"a":1}', 1: '{"b":2}'}


@pytest.mark.parametrize("given", [{}, None])
def test_a_call_without_arguments_is_an_empty_object(given: Any) -> None:
    assert arguments(chunks(start(), *tool(0, input=given), *ended("tool_use"))) == {0: "{}"}


def test_arguments_given_in_the_start_are_passed_on_once() -> None:
    assert arguments(chunks(start(), *tool(0, input={"a": 1}), *ended("tool_use"))) == {0: '{"a":1}'}
    assert arguments(chunks(start(), *tool(0, '{"a":1}', input={"a": 1}), *ended("tool_use"))) == {0: '{"a":1}'}


def test_a_block_that_was_never_closed_is_closed_with_the_message() -> None:
    assert arguments(chunks(start(), *tool(0)[:-1], *ended("tool_use"))) == {0: "{}"}


def test_a_renamed_tool_comes_back_under_the_callers_name() -> None:
    asked = {"tools": [{"type": "function", "function": {"name": "a.b"}}]}
    made = deltas(start(), *tool(0, "{}", name="a_b"), *ended("tool_use"), asked=asked)
    assert made[0]["tool_calls"][0]["function"]["name"] == "a.b"


def test_thoughts_are_shown_as_they_come_and_once_more_whole_with_an_index() -> None:
    made = deltas(
        start(),
        *thinking(0, "hm ", "so"),
        opened(1, "redacted_thinking", data="xyz"),
        closed(1),
        *text(2, "a"),
        *thinking(3, "and", signature=""),
        *ended(),
    )
    assert made == [
        {"reasoning_content": "hm "},
        {"reasoning_content": "so"},
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "hm so", "signature": "sig"}]},
        {"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "xyz"}]},
        {"content": "a"},
        {"reasoning_content": "and"},
    ]


def test_thoughts_in_the_start_of_a_block_are_not_lost() -> None:
    made = deltas(start(), opened(0, "thinking", thinking="hm", signature="s"), closed(0), *ended())
    assert made == [
        {"reasoning_content": "hm"},
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "hm", "signature": "s"}]},
    ]


def test_tools_that_run_at_the_provider_are_not_shown_as_calls() -> None:
    made = deltas(
        start(),
        *tool(0, '{"query":"x"}', kind="server_tool_use", name="web_search"),
        opened(1, "web_search_tool_result", tool_use_id="x", content=[]),
        closed(1),
        *text(2, "a"),
        *ended(),
    )
    assert made == [{"content": "a"}]


def page(url: str, title: str | None = "T") -> dict[str, Any]:
    return {"type": "web_search_result_location", "url": url, "title": title, "cited_text": "x"}


def test_citations_of_pages_are_annotations_with_an_index_at_the_end_of_their_text() -> None:
    made = deltas(
        start(),
        *text(0, "Grüße"),
        opened(1, "text", text="", citations=[page("https://a.test")]),
        delta(1, "text", text=" 🙂!"),
        delta(1, "citations", citation=page("https://b.test", None)),
        delta(1, "citations", citation={"type": "page_location", "document_title": "d"}),
        closed(1),
        opened(2, "text", text="."),
        delta(2, "citations", citation=page("https://c.test")),
        *ended(),
    )

    def entry(index: int, url: str, title: str, start_index: int, end_index: int) -> dict[str, Any]:
        cited = {"start_index": start_index, "end_index": end_index, "url": url, "title": title}
        return {"index": index, "type": "url_citation", "url_citation": cited}

    assert made == [
        {"content": "Grüße"},
        {"content": " 🙂!"},
        {"annotations": [entry(0, "https://a.test", "T", 5, 8), entry(1, "https://b.test", "", 5, 8)]},
        {"content": "."},
        {"annotations": [entry(2, "https://c.test", "T", 8, 9)]},
    ]


CUSTOM = {"tools": [{"type": "custom", "custom": {"name": "apply.patch"}}, LOOK]}


def test_a_custom_tool_is_called_with_its_text_in_one_piece() -> None:
    outcome = run(
        start(),
        *tool(0, '{"inp', 'ut": "*** a\\', "n\\u00", 'e9"}', name="apply_patch"),
        *tool(1, '{"a":1}'),
        *ended("tool_use"),
        asked=CUSTOM,
    )
    assert outcome.error is None
    header = {"index": 0, "id": "toolu_0", "type": "custom", "custom": {"name": "apply.patch", "input": ""}}
    made = [chunk["choices"][0]["delta"] for chunk in outcome.chunks]
    assert made[1:3] == [
        {"tool_calls": [header]},
        {"tool_calls": [{"index": 0, "custom": {"input": "*** a\né"}}]},
    ]
    assert made[3]["tool_calls"][0]["type"] == "function"
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert outcome.translator is not None
    assert "*** a" in "".join(outcome.translator.produced)


@pytest.mark.parametrize(
    ("cut", "text_"),
    [
        ('{"input": "abc', "abc"),
        ('{"input": "abc\\', "abc"),
        ('{"input": "abc\\u00', "abc"),
        ('{"input": "abc\\ud83d\\ude4', "abc"),
        ('{"input": "', ""),
        ('{"inp', ""),
        ("", ""),
    ],
)
def test_of_a_custom_tools_text_that_was_cut_off_all_is_passed_on_that_can_be_read(cut: str, text_: str) -> None:
    outcome = run(start(), *tool(0, cut, name="apply_patch"), *ended("max_tokens"), asked=CUSTOM)
    assert outcome.chunks[2]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "custom": {"input": text_}}]
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_the_clients_own_library_takes_a_custom_tools_stream() -> None:
    outcome = run(start(), *tool(0, '{"input":"x"}', name="apply_patch"), *ended("tool_use"), asked=CUSTOM)
    state = ChatCompletionStreamState()
    for chunk in outcome.chunks:
        state.handle_chunk(construct_type(type_=ChatCompletionChunk, value=chunk))  # type: ignore[arg-type]
    calls: Any = state.current_completion_snapshot.choices[0].message.tool_calls
    assert calls[0].custom == {"name": "apply.patch", "input": "x"}


LEGACY = {"functions": [{"name": "look"}]}


def test_a_caller_of_legacy_functions_is_answered_in_kind_with_the_first_call() -> None:
    made = deltas(start(), *tool(0, '{"a":', "1}"), *tool(1, "{}", name="b"), *ended("tool_use"), asked=LEGACY)
    assert made == [
        {"function_call": {"name": "look", "arguments": ""}},
        {"function_call": {"arguments": '{"a":'}},
        {"function_call": {"arguments": "1}"}},
    ]
    outcome = run(start(), *tool(0), *ended("tool_use"), asked=LEGACY)
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == "function_call"


SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}


@pytest.mark.parametrize("parts", [('{"a":', "1}"), ()])
def test_the_answer_tools_arguments_are_the_content(parts: tuple[str, ...]) -> None:
    made = chunks(start(), *tool(0, *parts, name="json_answer"), *ended("tool_use"), asked=SCHEMA, capabilities=OLD)
    assert streams.text(made) == ("".join(parts) or "{}")
    assert made[-1]["choices"][0]["finish_reason"] == "stop"
