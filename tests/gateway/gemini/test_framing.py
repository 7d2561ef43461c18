"""Bare JSON inside a stream of events: how Google writes the error of a stream that fails half way."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping

import pytest

from gateway.errors import ApiError
from gateway.providers.base import Answer, Outbound
from gateway.providers.gemini import Gemini
from gateway.translation.gemini_framing import MAX_BARE, EventsOnly
from tests.gateway import streams
from tests.gateway.gemini.answers import body_of, failure, item, words
from tests.gateway.gemini.asking import call

SPOKEN = body_of(item(words("a {b"), words("\n[{")), item(words("c"), finish="STOP"))
BROKEN = json.dumps(failure(503, "UNAVAILABLE", "The model is\noverloaded."), indent=2).encode()


class Recorded:
    """A provider's answer, in the pieces it comes in."""

    def __init__(self, pieces: list[bytes], status: int = 200) -> None:
        self.pieces = pieces
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream"}
        self.closed = False

    async def read(self) -> bytes:
        return b"".join(self.pieces)

    async def chunks(self) -> AsyncGenerator[bytes]:
        for piece in self.pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


class Wire:
    """An outbound client that gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def send(self, outbound: Outbound) -> Answer:
        return self.answer


async def run(pieces: list[bytes]) -> streams.Outcome:
    chat = call({"stream": True})
    answer = await Gemini().send(chat, Wire(Recorded(pieces)))
    return streams.run(Gemini(), chat, [chunk async for chunk in answer.chunks()])


def splits(body: bytes) -> list[list[bytes]]:
    halves = [[body[:at], body[at:]] for at in range(1, len(body))]
    return [[body], *halves, [body[at : at + 1] for at in range(len(body))]]


async def test_events_go_through_as_they_are() -> None:
    for pieces in splits(SPOKEN):
        assert [chunk async for chunk in EventsOnly(Recorded(pieces)).chunks()] == pieces


@pytest.mark.parametrize("before", [b"", b"\r\n", b": hello\n\n", SPOKEN[: SPOKEN.index(b"\r\n\r\n") + 4]])
@pytest.mark.parametrize("blanks", [b"", b"  "])
async def test_a_bare_error_is_told_however_it_is_cut(before: bytes, blanks: bytes) -> None:
    for pieces in splits(before + blanks + BROKEN):
        outcome = await run(pieces)
        assert outcome.error is not None
        assert (outcome.error.status, outcome.error.code) == (503, "overloaded")
        assert streams.text(outcome.chunks) == ("a {b\n[{" if b"data" in before else "")


async def test_an_error_after_half_an_event_is_told() -> None:
    outcome = await run([body_of(item(words("a"))), b'data: {"candi', b"\n", BROKEN])
    assert outcome.error is not None
    assert outcome.error.status == 502


async def test_a_whole_answer_sent_as_a_list_is_read() -> None:
    items = [item(words("a")), item(words("b"), finish="STOP")]
    for pieces in splits(json.dumps(items, indent=1).encode()):
        outcome = await run(pieces)
        assert outcome.error is None
        assert streams.text(outcome.chunks) == "ab"


async def test_what_is_outside_events_is_not_gathered_without_end() -> None:
    with pytest.raises(ApiError) as caught:
        await run([b"{", b" " * MAX_BARE])
    assert caught.value.code == "upstream_unavailable"


async def test_only_streams_that_began_well_are_looked_into() -> None:
    plain, failed = Recorded([BROKEN]), Recorded([BROKEN], status=503)
    assert await Gemini().send(call(), Wire(plain)) is plain
    assert await Gemini().send(call({"stream": True}), Wire(failed)) is failed


async def test_the_connection_is_closed_through_it() -> None:
    recorded = Recorded([SPOKEN])
    answer = await Gemini().send(call({"stream": True}), Wire(recorded))
    assert await answer.read() == SPOKEN
    assert answer.headers == recorded.headers
    await answer.aclose()
    assert recorded.closed
