"""A stream says all that was said, ends honestly, and stops costing money when nobody listens."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.end_to_end.conftest import Caller
from tests.end_to_end.registry import CLAUDE, GPT
from tests.fakes.answers import NO_ANSWER, Answer, Ending
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI
from tests.fakes.server import FakeVendor
from tests.gateway.streams import text
from tests.gateway.transcripts import Case, cases

LONG = "word " * 200
BOTH = pytest.mark.parametrize("model", [GPT, CLAUDE])


@pytest.fixture
def vendor(model: str, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic) -> FakeVendor:
    return fake_openai if model == GPT else fake_anthropic


def payloads(answer: httpx.Response) -> list[Any]:
    """What the events hold; `[DONE]` as it is, comments left out."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text.endswith("\n\n")
    lines = [line for line in answer.text.split("\n\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def chunks_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that came to its end."""
    *chunks, done = payloads(answer)
    assert done == "[DONE]"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    return chunks


@pytest.mark.parametrize("model", [GPT, CLAUDE, "sandbox/echo"])
def test_a_stream_begins_with_the_role_and_ends_with_a_reason_and_done(caller: Caller, model: str) -> None:
    first, *_, last = chunks_of(caller.chat(model, stream=True))
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in last


@BOTH
def test_usage_comes_last_and_only_when_asked_for(caller: Caller, model: str) -> None:
    *before, last = chunks_of(caller.chat(model, stream=True, stream_options={"include_usage": True}))
    assert all(chunk["usage"] is None for chunk in before)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + 5


@BOTH
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_the_words_are_the_same_however_the_bytes_were_cut(
    caller: Caller, vendor: FakeVendor, model: str, piece: int
) -> None:
    said = 'Grüße, 世界 👋 "quoted" \\ and\nlines'
    vendor.script(Answer(text=said, piece=piece))
    assert text(chunks_of(caller.chat(model, stream=True))) == said


@BOTH
def test_words_are_passed_on_as_they_come(caller: Caller, vendor: FakeVendor, model: str) -> None:
    vendor.script(Answer(pause=0.1))
    with caller.http.stream("POST", "/chat/completions", json=_body(model)) as answer:
        arrivals = [time.monotonic() for line in answer.iter_lines() if '"content":"' in line]
    assert arrivals[-1] - arrivals[0] > 0.3


@BOTH
def test_a_silent_vendor_is_bridged_by_comments(caller: Caller, vendor: FakeVendor, model: str) -> None:
    vendor.script(Answer(pause=0.5, piece=500, text="two words"))
    answer = caller.chat(model, stream=True)
    assert ": keep-alive\n\n" in answer.text
    assert text(chunks_of(answer)) == "two words"


BREAKS = {
    "error event": Answer(text=LONG, fails_after=20),
    "clean end": Answer(text=LONG, keep=4000),
    "closed": Answer(text=LONG, keep=4000, ending=Ending.CLOSE),
    "reset": Answer(text=LONG, keep=4000, ending=Ending.RESET, pause=0.001),
    "silence": Answer(text=LONG, keep=4000, ending=Ending.SILENCE),
}


@BOTH
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_is_never_told_as_a_finished_one(
    caller: Caller, vendor: FakeVendor, model: str, broken: Answer
) -> None:
    vendor.script(broken)
    *chunks, last = payloads(caller.chat(model, stream=True))
    assert set(last) == {"error"}
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert text(chunks).startswith("word word")
    row = caller.row()
    assert row.status in {502, 503, 504}
    assert row.error_code
    assert row.input_tokens > 0
    assert row.output_tokens >= text(chunks).count("word")


@BOTH
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_the_official_client_raises_what_came_half_way(
    caller: Caller, vendor: FakeVendor, model: str, broken: Answer
) -> None:
    vendor.script(broken)
    stream = caller.sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], stream=True)
    heard: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError):
        heard.extend(stream)
    assert all(chunk.choices[0].finish_reason is None for chunk in heard)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in heard).startswith("word")


@pytest.mark.parametrize("name", ["stream-error", "stream-cut"])
def test_the_sandbox_breaks_a_stream_on_request(caller: Caller, name: str) -> None:
    *_, last = payloads(caller.chat(f"sandbox/{name}", "some words to say", stream=True))
    assert set(last) == {"error"}
    assert caller.row().status == 502


GARBLED = {
    "not json": b"data: {not json}\n\n",
    "html": b"<html>\n\n",
    "a list": b"data: [1, 2]\n\n",
    "a number": b"data: 7\n\n",
    "odd choices": b'data: {"choices": [7]}\n\n',
    "odd delta": b'data: {"choices": [{"index": 0, "delta": "x"}]}\n\n',
    "a huge line": b"data: " + b"x" * (2 * 1024 * 1024),
    "nothing": b"",
    "binary": bytes(range(256)),
}


@BOTH
@pytest.mark.parametrize("garbled", GARBLED.values(), ids=GARBLED)
def test_a_garbled_stream_is_the_providers_fault(
    caller: Caller, vendor: FakeVendor, model: str, garbled: bytes
) -> None:
    vendor.script(Answer(body=garbled, headers={"content-type": "text/event-stream"}))
    answer = caller.chat(model, stream=True)
    assert answer.status_code == 502
    assert caller.row().status == 502


@BOTH
@pytest.mark.parametrize("garbled", [b"", b"{", b"[]", b"7", b"{}", b'{"choices": 7}', b'{"choices": [7]}', b"<html>"])
def test_a_garbled_answer_is_the_providers_fault(
    caller: Caller, vendor: FakeVendor, model: str, garbled: bytes
) -> None:
    vendor.script(Answer(body=garbled))
    answer = caller.chat(model)
    assert answer.status_code == 502
    assert caller.row().status == 502


def test_a_stream_that_turns_to_nonsense_ends_with_an_error(caller: Caller, fake_openai: FakeOpenAI) -> None:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    first = json.dumps({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "word"}}]})
    body = f'data: {first}\n\ndata: {{"choices": [7]}}\n\ndata: [DONE]\n\n'.encode()
    fake_openai.script(Answer(body=body, piece=len(first) + 8, headers={"content-type": "text/event-stream"}))
    begun, ended = payloads(caller.chat(GPT, stream=True))
    assert begun["choices"][0]["delta"]["content"] == "word"
    assert ended["error"]["code"] == "upstream_unavailable"
    assert caller.row().status == 502


@BOTH
def test_hanging_up_stops_the_vendor_and_is_charged_for_what_was_said(
    caller: Caller, vendor: FakeVendor, model: str
) -> None:
    vendor.script(Answer(text=LONG, pause=0.05))
    with caller.http.stream("POST", "/chat/completions", json=_body(model)) as answer:
        said = 0
        for line in answer.iter_lines():
            said += '"content":"word' in line
            if said == 10:
                break
    left_at = time.monotonic()
    assert vendor.last.ended.wait(2)
    assert vendor.last.hung_up_at is not None
    assert vendor.last.hung_up_at - left_at < 2
    row = caller.row()
    assert (row.status, row.usage_source, row.finish_reason) == (499, "counted", "")
    assert row.input_tokens > 0
    assert 10 <= row.output_tokens < 100


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_hanging_up_before_the_first_word_stops_the_vendor_too(
    caller: Caller, vendor: FakeVendor, model: str, stream: bool
) -> None:
    vendor.script(NO_ANSWER)
    with pytest.raises(httpx.ReadTimeout):
        caller.http.post("/chat/completions", json={**_body(model), "stream": stream}, timeout=0.4)
    assert vendor.last.ended.wait(2)
    assert vendor.last.hung_up_at is not None
    row = caller.row()
    assert (row.status, row.output_tokens) == (499, 0)


def test_the_credential_is_ours_and_the_callers_key_stays_here(caller: Caller, fake_openai: FakeOpenAI) -> None:
    caller.chat(GPT, stream=True)
    sent = fake_openai.last
    assert sent.headers["authorization"] == f"Bearer {FakeOpenAI.credential}"
    assert caller.secret not in str(sent.headers) + sent.body.decode()
    assert sent.json["stream_options"] == {"include_usage": True}


RECORDED = {"openai-chat": GPT, "anthropic": CLAUDE}


@pytest.mark.parametrize("case", [case for name in RECORDED for case in cases(name)], ids=str)
def test_what_vendors_really_sent_comes_through(
    caller: Caller, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic, case: Case
) -> None:
    provider = case.name.split("/")[0]
    (fake_openai if provider == "openai-chat" else fake_anthropic).script(Answer.recorded(case))
    answer = caller.chat(RECORDED[provider], stream=case.stream)
    row = caller.row()
    if answer.status_code != 200:
        assert case.status != 200
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    elif case.stream:
        ended = payloads(answer)[-1]
        assert (row.status == 200) is (ended == "[DONE]") is not ("-mid-" in case.name)
    else:
        assert answer.json()["choices"][0]["finish_reason"] == row.finish_reason
        assert row.input_tokens + row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens > 0


def _body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "talk"}], "stream": True}
