"""A chunk that is passed on by its bytes is passed on as it would have been had it been read."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from gateway.errors import ApiError
from gateway.providers import openai as module
from gateway.providers import providers
from gateway.sse import Event
from gateway.translation.plain_deltas import PlainDelta, text_of
from tests.gateway import streams
from tests.gateway.test_recordings import KINDS, STREAMS, as_read, call_of, provider_of
from tests.gateway.transcripts import Case

ASK: dict[str, Any] = {"model": "public-model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
OURS = [case for case in STREAMS if KINDS[case.dialect].startswith("openai")]


def chunk(words: Any = "word", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": words}, "logprobs": None, "finish_reason": None}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "upstream", "choices": [choice]}
    return {**head, **more}


def read(kind: str, events: list[bytes], *, usage: bool = True) -> tuple[list[Any], list[str], str]:
    """What is told of these events, what was counted, and how it failed."""
    stream, told = providers()[kind].stream(streams.call(ASK, kind=kind, usage=usage)), []
    try:
        for data in events:
            told += [orjson.loads(payload) for payload in stream.feed(Event("", data))]
        told += [orjson.loads(payload) for payload in stream.end()]
    except (ApiError, *(AttributeError, LookupError, TypeError, ValueError)) as error:
        return told, stream.produced, type(error).__name__
    return told, stream.produced, ""


def both(kind: str, events: list[bytes], monkeypatch: pytest.MonkeyPatch, *, usage: bool = True) -> list[Any]:
    """The same, with and without looking at bytes, which must make no difference."""
    fast = read(kind, events, usage=usage)
    with monkeypatch.context() as without:
        without.setattr(module, "TRIES", 0)
        assert fast == read(kind, events, usage=usage)
    return fast[0]


WORDS: list[Any] = [
    "plain",
    "",
    'He said "yes"',
    "back\\slash and \\",
    "\\",
    '"',
    "lines\nand\ttabs",
    "Grüße, 世界 👋 \u200b\u2028",
    "\u0000\u001f\u007f",
    '","role":"system","content":"',
    "x" * 5000,
    None,
    17,
    ["list"],
]
ODD: list[dict[str, Any]] = [
    chunk("with usage", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    chunk("other id", id="2"),
    chunk("another tier", service_tier="flex"),
    chunk(choices=[]),
    chunk(choices=[], prompt_filter_results=[{"a": 1}]),
    chunk(choices=[{"index": 1, "delta": {"content": "of another"}, "finish_reason": None}]),
    chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "role"}, "finish_reason": None}]),
    chunk(choices=[{"index": 0, "delta": {"content": "and", "refusal": "no"}, "finish_reason": None}]),
    chunk(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]),
    chunk(choices=[{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]),
    chunk("after", error={"message": "no"}),
    {"error": {"message": "no"}},
    {"object": "error", "message": "no"},
]
FINISH = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "groq"])
@pytest.mark.parametrize("compact", [True, False], ids=["compact", "spaced"])
@pytest.mark.parametrize("usage", [True, False])
def test_it_makes_no_difference(kind: str, compact: bool, usage: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(value: Any) -> bytes:
        if compact:
            return orjson.dumps(value)
        return json.dumps(value).encode()

    plain = [written(chunk("first")), written(chunk("second"))]
    for words in WORDS:
        both(kind, [*plain, written(chunk(words)), *plain, written(FINISH)], monkeypatch, usage=usage)
    for odd in ODD:
        both(kind, [*plain, written(odd), *plain, written(FINISH), *plain], monkeypatch, usage=usage)
        both(kind, [written(odd), *plain, written(odd), written(FINISH), *plain], monkeypatch, usage=usage)


@pytest.mark.parametrize(
    "came",
    [
        b"",
        b"{",
        b"[]",
        b'{"id":"1"',
        orjson.dumps(chunk("A")).replace(b"A", b"\xff"),
        orjson.dumps(chunk("A")).replace(b"A", b"\x01"),
        orjson.dumps(chunk("A")).replace(b"A", b"\\"),
        orjson.dumps(chunk("A")).replace(b"A", b'","b":"'),
        orjson.dumps(chunk("A")).replace(b"A", b'"}},{"index":0,"delta":{"content":"'),
        orjson.dumps(chunk("A")).replace(b"A", b"\\u00e9\\n\\ud83d\\ude00"),
        orjson.dumps(chunk("A")).replace(b"A", b"\\ud83d"),
        orjson.dumps(chunk("A"))[:-1],
        orjson.dumps(chunk("A")) + b" ",
        orjson.dumps(chunk("A")) * 2,
    ],
    ids=range(14),
)
def test_what_is_no_chunk_is_treated_as_before(came: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [orjson.dumps(chunk("first")), orjson.dumps(chunk("second"))]
    both("openai", [*plain, came, *plain, orjson.dumps(FINISH)], monkeypatch)


@pytest.mark.parametrize("letters", ["aB3", "", "a-b", 'a"b', None])
def test_padding_is_passed_on(letters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [orjson.dumps(chunk(f"say {number}", obfuscation=f"x{number}")) for number in range(4)]
    odd = orjson.dumps(chunk("say so", obfuscation=letters))
    told = both("openai", [*events, odd, *events, orjson.dumps(FINISH)], monkeypatch)
    assert [one["obfuscation"] for one in told[:4]] == ["x0", "x1", "x2", "x3"]
    assert told[4]["obfuscation"] == letters


def test_words_that_stand_in_two_places_are_changed_in_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(words: str) -> bytes:
        return orjson.dumps({"remark": {"content": "same"}, **chunk(words)})

    told = both("openai", [twice("same"), twice("other"), twice("same"), orjson.dumps(FINISH)], monkeypatch)
    assert streams.text(told) == "sameothersame"
    assert {one["remark"]["content"] for one in told[:3]} == {"same"}


def test_an_ordinary_chunk_is_remembered_and_one_that_says_more_is_not() -> None:
    assert PlainDelta.of(orjson.dumps(chunk()), chunk()) is not None
    for told in (chunk(""), chunk('"'), chunk(None), ODD[6], ODD[7]):
        assert PlainDelta.of(orjson.dumps(told), told) is None


def test_only_one_text_is_a_text() -> None:
    assert text_of(b'a \\"b\\" \\u00e9') == 'a "b" é'
    assert [text_of(no) for no in (b'a"', b'","', b"\\", b"\xff", b"\n", b'a" : "b')] == [None] * 6


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("case", OURS, ids=str)
async def test_a_recorded_stream_is_the_same_when_each_chunk_is_read(
    case: Case, usage: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = await as_read(case, [case.body])
    fast = streams.run(provider_of(case), call_of(case, usage=usage), pieces)
    monkeypatch.setattr(module, "TRIES", 0)
    slow = streams.run(provider_of(case), call_of(case, usage=usage), pieces)
    assert (fast.error, fast.chunks, fast.finish_reason) == (slow.error, slow.chunks, slow.finish_reason)
    assert fast.translator is not None
    assert slow.translator is not None
    assert (fast.translator.produced, fast.translator.usage) == (slow.translator.produced, slow.translator.usage)
