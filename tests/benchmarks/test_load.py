"""The generator tells what happened: nothing is left out because it was slow, failed or was given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.load import carry_out
from benchmarks.plans import Ask, Outcome, Plan

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK, END = b"9\r\ndata: a\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
Answering = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answering) -> AsyncIterator[int]:
    """Calls `answer` with the number of each request. Its port."""
    numbers = iter(range(10**6))
    open_now: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                await answer(next(numbers), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for writer in open_now:
            writer.transport.abort()


async def load(answer: Answering, *, stream: bool = False, **plan: object) -> Outcome:
    async with server(answer) as port:
        usual = {"seconds": 0.5, "warm_up": 0.0, "connections": 4, "timeout": 5.0, **plan}
        return await carry_out(Plan(port=port, asks=(Ask("/", b"{}", stream=stream),), **usual))  # type: ignore[arg-type]


async def at_once(number: int, writer: asyncio.StreamWriter) -> None:
    writer.write(ANSWER)


async def test_a_closed_loop_counts_whole_answers() -> None:
    seen = []

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        seen.append(number)
        await at_once(number, writer)

    outcome = await load(answer)
    assert 0 < outcome.answered <= len(seen)
    assert len(seen) - outcome.answered <= 4  # those that were under way at the end
    assert outcome.latency.count == outcome.answered
    assert outcome.failures == 0


async def test_what_was_due_while_the_server_stood_still_has_waited() -> None:
    """The one request that is stuck holds the only connection; the twenty behind it were due all the same."""

    async def stuck_once(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 10:
            await asyncio.sleep(0.5)
        await at_once(number, writer)

    outcome = await load(stuck_once, rate=50.0, connections=1, seconds=1.0)
    assert outcome.answered == pytest.approx(50, abs=1)
    waited = [percent for percent in range(100) if outcome.latency.percentile(percent) > 200]
    assert len(waited) >= 20  # left to itself, only the one in fifty that was stuck
    assert outcome.latency.percentile(100) >= 480


async def test_with_a_rate_the_slow_ones_are_waited_for() -> None:
    async def slowly(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        await at_once(number, writer)

    outcome = await load(slowly, rate=40.0, connections=100)
    assert outcome.answered == pytest.approx(20, abs=1)
    assert outcome.latency.percentile(0) >= 390


async def test_what_is_never_answered_is_a_failure() -> None:
    async def never(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    outcome = await load(never, rate=20.0, connections=100, timeout=0.5)
    assert outcome.answered == 0
    assert outcome.failed["too slow"] == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (ANSWER.replace(b"200 OK", b"503 No"), "status 503"),
        (HEAD + CHUNK + b"0\r\n\r\n", "the stream did not end well"),
        (b"what?\r\n\r\n", "not HTTP: what?"),
    ],
)
async def test_a_bad_answer_is_told_by_what_it_was(sent: bytes, told: str) -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    outcome = await load(answer, stream=True, once=True)
    assert outcome.answered == 0
    assert dict(outcome.failed) == {told: 4}


async def test_a_connection_that_breaks_is_a_failure_and_is_followed_by_another() -> None:
    async def sometimes(number: int, writer: asyncio.StreamWriter) -> None:
        if number % 2:
            writer.transport.abort()
        else:
            await at_once(number, writer)

    outcome = await load(sometimes)
    assert outcome.answered > 0
    assert sum(count for what, count in outcome.failed.items() if what.startswith("cut off")) > 4


async def test_a_stream_is_timed_by_its_first_event_and_counted_by_all() -> None:
    async def stream(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await asyncio.sleep(0.2)
        writer.write(CHUNK)
        await asyncio.sleep(0.1)
        writer.write(CHUNK + END)

    outcome = await load(stream, stream=True, once=True)
    assert (outcome.answered, outcome.events, outcome.first_event.count) == (4, 12, 4)
    assert outcome.first_event.percentile(0) >= 190
    assert outcome.gap.percentile(0) >= 90


async def test_callers_who_hang_up_are_neither_answers_nor_failures() -> None:
    async def slowly(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await at_once(number, writer)

    outcome = await load(slowly, rate=40.0, connections=100, hang_up=1.0, hang_up_within=0.2)
    assert outcome.hung_up == pytest.approx(20, abs=1)
    assert (outcome.answered, outcome.failures) == (0, 0)


def test_plans_and_outcomes_cross_a_pipe() -> None:
    ask = Ask("/v1", bytes(range(256)), {"authorization": "Bearer x"}, stream=True, weight=3)
    plan = Plan(port=1, asks=(ask,), seconds=2.5, rate=7.0)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    outcome = Outcome(seconds=2.0, answered=10, events=30)
    outcome.failed["status 500"] = 2
    outcome.latency.record(1500)
    read = Outcome.from_json(json.loads(json.dumps(outcome.to_json())))
    assert (read.rate, read.event_rate, read.failures, read.latency.percentile(50)) == (5.0, 15.0, 2, 1.5)
