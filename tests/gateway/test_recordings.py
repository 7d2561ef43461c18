"""Every answer that a provider is known to have sent, through its translation: however the network cut it, whole or
streamed, it says the same, and it never says that it is finished when it is not."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.base import Answer, ChatCall, Provider
from gateway.sse import Event, Parser
from gateway.translation.gemini_framing import EventsOnly
from tests import invariants
from tests.gateway import streams
from tests.gateway.transcripts import Case, everything
from tests.gateway.whole import spoken_in, whole_of

KINDS = {
    "openai-chat": "openai",
    "openai-compatible": "openai_compatible",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
SHORT = 4096  # bytes of a stream that is cut at each of them
ALL = everything()
BROKEN = [case for case in ALL if case.stream and ("cut-" in case.name or "error" in case.name)]
STREAMS = [case for case in ALL if case.stream and case not in BROKEN]
ANSWERS = [case for case in ALL if not case.stream and case.status == 200]
FAILURES = [case for case in ALL if case.status != 200]


def provider_of(case: Case) -> Provider:
    return providers()[KINDS[case.dialect]]


def call_of(case: Case, *, stream: bool = True, usage: bool = True) -> ChatCall:
    body = {"model": "public-model", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    if "legacy" in case.name:
        body["functions"] = [{"name": "f", "parameters": {"type": "object", "properties": {}}}]
    return streams.call(body, kind=KINDS[case.dialect], usage=usage)


class Cut:
    """An answer whose body comes in these pieces."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        return b"".join(self._pieces)

    async def chunks(self) -> AsyncGenerator[bytes]:
        for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        return None


async def as_read(case: Case, pieces: Iterable[bytes]) -> list[bytes]:
    """What the gateway's reader makes of the pieces before it looks for events: only Gemini's needs anything."""
    answer: Answer = Cut(pieces)
    if case.dialect == "gemini":
        answer = EventsOnly(answer)
    return [chunk async for chunk in answer.chunks()]


async def events_in(case: Case, pieces: Iterable[bytes]) -> list[Event]:
    parser = Parser()
    read = await as_read(case, pieces)
    return [*(event for piece in read for event in parser.feed(piece)), *parser.end()]


async def outcome_of(case: Case, *, usage: bool = True) -> streams.Outcome:
    return streams.run(provider_of(case), call_of(case, usage=usage), await as_read(case, [case.body]))


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("case", STREAMS, ids=str)
async def test_a_stream_says_what_the_provider_said(case: Case, usage: bool) -> None:
    outcome = await outcome_of(case, usage=usage)
    assert outcome.error is None
    heard = invariants.heard_in(outcome.chunks, model="public-model", usage=usage)
    told = [(said.content, said.reasoning, list(said.calls)) for said in heard.choices]
    assert told == spoken_in(case.dialect, whole_of(case))
    assert {heard.choices[0].finish} == {outcome.finish_reason}


@pytest.mark.parametrize("case", STREAMS, ids=str)
async def test_streamed_equals_not_streamed(case: Case) -> None:
    outcome = await outcome_of(case)
    streamed = invariants.heard_in(outcome.chunks, model="public-model", usage=True)
    completion = provider_of(case).response(call_of(case, stream=False), whole_of(case))
    whole = invariants.read_in(json.loads(json.dumps(completion.body)), model="public-model")
    assert streamed.choices == whole.choices
    if whole.usage is not None:  # some servers leave it out, and a stream that asks for it is given ours
        assert _told(streamed.usage) == _told(whole.usage)


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_an_answer_says_what_the_provider_said(case: Case) -> None:
    completion = provider_of(case).response(call_of(case, stream=False), case.body)
    heard = invariants.read_in(json.loads(json.dumps(completion.body)), model="public-model")
    told = [(said.content, said.reasoning, list(said.calls)) for said in heard.choices]
    assert told == spoken_in(case.dialect, case.body)
    assert completion.usage is not None
    assert completion.finish_reason == heard.choices[0].finish


@pytest.mark.parametrize("case", [*STREAMS, *BROKEN], ids=str)
async def test_a_stream_may_come_byte_by_byte(case: Case) -> None:
    body = case.body
    whole = await events_in(case, [body])
    assert whole
    for size in (1, 2, 3, 7, 1000):
        assert await events_in(case, [body[at : at + size] for at in range(0, len(body), size)]) == whole


@pytest.mark.parametrize("case", [case for case in (*STREAMS, *BROKEN) if len(case.body) < SHORT], ids=str)
async def test_a_short_stream_may_be_cut_in_two_anywhere(case: Case) -> None:
    """The translators see nothing but events: where these are the same, so is all that comes of them."""
    body = case.body
    whole = await events_in(case, [body])
    for at in range(1, len(body)):
        assert await events_in(case, [body[:at], body[at:]]) == whole, f"cut after byte {at}"


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("case", BROKEN, ids=str)
async def test_a_stream_that_breaks_ends_in_its_error_and_is_never_finished(case: Case, usage: bool) -> None:
    outcome = await outcome_of(case, usage=usage)
    assert outcome.error is not None
    assert outcome.error.status >= 400
    invariants.begun_in(outcome.chunks, model="public-model")


@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_an_error_is_told_in_openais_shape(case: Case) -> None:
    error = provider_of(case).error(call_of(case), case.status, case.headers, case.body)
    assert 400 <= error.status < 600
    told = error.to_dict()["error"]
    assert isinstance(told["message"], str)
    assert told["message"]
    assert isinstance(told["type"], str)
    assert told["param"] is None or isinstance(told["param"], str)
    assert told["code"] is None or isinstance(told["code"], str)


def _told(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Counts without the vendor's own remarks about speed and price."""
    assert usage is not None
    named = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
    return {name: usage[name] for name in named if usage.get(name)}
