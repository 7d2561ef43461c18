"""What is written down of a request and its answer."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from gateway import transcription
from gateway.transcription import assembled, lean, written


def stream(*chunks: dict[str, Any]) -> bytes:
    return (
        b"".join(b"data: %s\n\n" % orjson.dumps(chunk) for chunk in chunks) + b": x-2389-cost 0.1\n\ndata: [DONE]\n\n"
    )


def delta(index: int = 0, finish: str | None = None, **said: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": said, "finish_reason": finish}]}


def test_a_stream_is_written_as_the_answer_it_adds_up_to() -> None:
    answer = assembled(
        stream(
            delta(role="assistant", content=""), delta(content="Hel"), delta(reasoning_content="hm"),
            delta(content="lo"), delta(finish="stop"), {"id": "c1", "choices": [], "usage": {"total_tokens": 3}},
        )
    )  # fmt: skip
    assert answer == {
        "id": "c1", "model": "m", "usage": {"total_tokens": 3},
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello", "reasoning_content": "hm"},
             "finish_reason": "stop"}
        ],
    }  # fmt: skip


def test_calls_of_tools_are_put_together_by_their_places() -> None:
    def call(index: int, **said: Any) -> dict[str, Any]:
        return delta(tool_calls=[{"index": index, **said}])

    answer = assembled(
        stream(
            call(0, id="a", type="function", function={"name": "look", "arguments": ""}),
            call(0, function={"arguments": '{"x":'}),
            call(1, id="b", type="function", function={"name": "go", "arguments": "{}"}),
            call(0, function={"arguments": "1}"}),
        )
    )
    calls = answer["choices"][0]["message"]["tool_calls"]
    assert calls == [
        {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "go", "arguments": "{}"}},
    ]


def test_answers_beside_one_another_stay_apart() -> None:
    answer = assembled(stream(delta(1, content="b"), delta(0, content="a"), delta(1, content="B", finish="stop")))
    said = [(one["index"], one["message"]["content"], one["finish_reason"]) for one in answer["choices"]]
    assert said == [(0, "a", None), (1, "bB", "stop")]


def test_completions_of_texts_are_put_together_too() -> None:
    answer = assembled(stream(*({"choices": [{"index": 0, "text": text}]} for text in ("once ", "upon"))))
    assert answer["choices"] == [{"index": 0, "text": "once upon", "finish_reason": None}]


def test_what_broke_a_stream_is_part_of_it() -> None:
    answer = assembled(stream(delta(content="Hel"), {"error": {"message": "broke off"}}))
    assert answer["error"] == {"message": "broke off"}
    assert answer["choices"][0]["message"] == {"content": "Hel"}


def test_a_stream_that_was_cut_within_an_event_is_read_up_to_there() -> None:
    whole = stream(delta(content="Hel"), delta(content="lo"))
    assert assembled(whole[: whole.index(b'"lo"')])["choices"][0]["message"] == {"content": "Hel"}


@pytest.mark.parametrize("junk", [b"", b"data: {\n\n", b"data: {}\n\n", b"\xff\xfe", b"data: [1]\n\n"])
def test_what_is_no_answer_adds_up_to_none(junk: bytes) -> None:
    assert assembled(junk) == {}


def test_files_are_named_and_left_out() -> None:
    picture, sound = "data:image/png;base64," + "iVBOR" * 1000, "UklGR" * 1000
    body = {"messages": [{"content": [{"image_url": {"url": picture}}, {"input_audio": {"data": sound}}]}]}
    image, audio = lean(body)["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64, (5,000 characters, not stored)"
    assert audio["input_audio"]["data"] == "(5,000 characters of base64, not stored)"


def test_vectors_are_left_out_and_short_lists_of_numbers_stay() -> None:
    assert lean({"embedding": [0.5] * 1536, "stop": [1, 2]}) == {
        "embedding": "(1536 numbers, not stored)",
        "stop": [1, 2],
    }


def test_long_texts_stay() -> None:
    text = "All happy families are alike. " * 1000
    assert lean({"content": text}) == {"content": text}


def test_what_is_too_long_is_cut_and_says_how_long_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcription, "MOST_BYTES", 20)
    kept = written("/chat/completions", {"m": "é" * 30}, b"{}", streamed=False, whole=True)
    assert kept["request"] == {"text": '{"m":"' + "é" * 7, "bytes": 68, "cut": True}
    assert kept["answer"] == {"text": "{}", "bytes": 2, "cut": False}


@pytest.mark.parametrize("odd", [2**80, "\ud800", {"a": {"b": None}}])
def test_whatever_callers_send_can_be_written(odd: Any) -> None:
    kept = written("/p", {"it": odd}, b"not json", streamed=False, whole=True)
    assert json.loads(kept["request"]["text"]) == {"it": odd}
    assert json.loads(kept["answer"]["text"]) == "not json"


def test_what_is_nested_too_deeply_is_left_out() -> None:
    value: Any = "x"
    for _ in range(300):
        value = [value]
    assert "too deep" in json.dumps(lean(value))
