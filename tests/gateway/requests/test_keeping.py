"""What waits to be stored is bounded; what does not fit is dropped, counted, and slows nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from django.http import HttpResponse

from gateway import errors, keeping, request_ids
from gateway.keeping import Exchange, Keeping


class Asked:
    """As much of a request as is taken down."""

    class entry:  # noqa: N801 - stands for an attribute
        organization_id = 1
        request_id = request_ids.new()

    class operation:  # noqa: N801 - as above
        path = "/chat/completions"

    body: dict[str, Any] = {}


ASKED = cast("Any", Asked)


class Stream:
    """Events, and a note of whether it was closed."""

    def __init__(self, *events: bytes) -> None:
        self.headers = {"x-kept": "yes"}
        self._events = events
        self.closed = 0

    async def events(self) -> AsyncGenerator[bytes]:
        for event in self._events:
            yield event

    async def aclose(self) -> None:
        self.closed += 1


class Streaming:
    """A response that is relayed event by event."""

    def __init__(self, stream: Stream) -> None:
        self.stream: Any = stream


class Written(Keeping):
    """Writes into a list, and not at all while it is `stuck`."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None))
        self.batches: list[list[Exchange]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def _write(self, exchanges: list[Exchange]) -> None:
        await self.free.wait()
        self.batches.append(exchanges)
        self.give_back(sum(one.size for one in exchanges))

    @property
    def answers(self) -> list[bytes]:
        return [one.answer for batch in self.batches for one in batch]


async def answered(response: Any) -> Any:
    return response


async def written(kept: Written) -> None:
    running = asyncio.create_task(kept.run())
    await kept.drain()
    running.cancel()


async def passed(kept: Written, stream: Stream, *, at_most: int = 100) -> list[bytes]:
    """Relay a stream to a caller who hangs up after so many events."""
    response: Any = Streaming(stream)
    await kept.around(ASKED, 10, answered(response))
    got: list[bytes] = []
    events = response.stream.events()
    async for event in events:
        got.append(event)
        if len(got) == at_most:
            break
    await events.aclose()
    await response.stream.aclose()
    return got


async def test_an_answer_is_given_as_it_is_and_written_afterwards() -> None:
    kept, response = Written(), HttpResponse(b'{"a":1}')
    assert await kept.around(ASKED, 10, answered(response)) is response
    assert kept.answers == []
    await written(kept)
    assert kept.answers == [b'{"a":1}']


async def test_a_refusal_is_kept_and_still_raised() -> None:
    async def refuse() -> Any:
        raise errors.invalid("no", param=None)

    kept = Written()
    with pytest.raises(errors.ApiError):
        await kept.around(ASKED, 10, refuse())
    await written(kept)
    assert b'"message":"no"' in kept.answers[0]


async def test_a_caller_who_goes_before_there_is_an_answer_leaves_the_prompt() -> None:
    async def go() -> Any:
        raise asyncio.CancelledError

    kept = Written()
    with pytest.raises(asyncio.CancelledError):
        await kept.around(ASKED, 10, go())
    await written(kept)
    assert kept.answers == [b""]


async def test_a_stream_passes_event_by_event_and_is_kept_when_it_is_closed() -> None:
    kept, stream = Written(), Stream(b"one", b"two")
    assert await passed(kept, stream) == [b"one", b"two"]
    assert stream.closed == 1
    await written(kept)
    assert kept.answers == [b"onetwo"]
    assert kept.batches[0][0].streamed


async def test_of_a_stream_that_nobody_reads_on_is_kept_what_was_sent() -> None:
    kept = Written()
    await passed(kept, Stream(b"one", b"two", b"three"), at_most=2)
    await written(kept)
    assert kept.answers == [b"onetwo"]


async def test_more_of_a_stream_than_is_taken_down_passes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STREAM_BYTES", 6)
    kept = Written()
    assert await passed(kept, Stream(b"one", b"two", b"three", b"4")) == [b"one", b"two", b"three", b"4"]
    await written(kept)
    (exchange,) = kept.batches[0]
    assert (exchange.answer, exchange.whole) == (b"onetwo", False)


async def test_what_does_not_fit_is_dropped_and_counted_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "MOST_WAITING", 2)
    kept = Written()
    for _ in range(5):
        await kept.around(ASKED, 10, answered(HttpResponse(b"{}")))
    with caplog.at_level(logging.WARNING):
        await written(kept)
    assert len(kept.answers) == 2
    assert [record.message for record in caplog.records] == [
        "3 exchanges were not stored: more came than could be written"
    ]


async def test_the_bytes_that_wait_are_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES", 100)
    kept = Written()
    for _ in range(4):
        await kept.around(ASKED, 40, answered(HttpResponse(b"{}")))
    await written(kept)
    assert len(kept.answers) == 2
    await passed(kept, Stream(b"x" * 60, b"y" * 60))
    await written(kept)
    assert (kept.answers[2], kept.batches[-1][0].whole) == (b"x" * 60, False)
    assert kept.room(100)


async def test_a_database_that_hangs_holds_up_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Written()
    kept.free.clear()
    running = asyncio.create_task(kept.run())
    for number in range(50):
        response = await kept.around(ASKED, 10, answered(HttpResponse(str(number).encode())))
        assert response.content == str(number).encode()  # type: ignore[attr-defined]
    assert kept.answers == []
    kept.free.set()
    await kept.drain()
    running.cancel()
    assert len(kept.answers) == 50


async def test_what_cannot_be_written_is_counted_and_the_next_is_written(caplog: pytest.LogCaptureFixture) -> None:
    class Nowhere:
        def connection(self) -> Any:
            raise OSError("away")

    kept = Keeping(cast("Any", Nowhere()))
    running = asyncio.create_task(kept.run())
    for _ in range(2):
        await kept.around(ASKED, 10, answered(HttpResponse(b"{}")))
        await kept.drain()
    running.cancel()
    assert [record.message for record in caplog.records] == ["1 exchanges were not stored: OSError"] * 2
    assert kept.room(keeping.MOST_BYTES)
