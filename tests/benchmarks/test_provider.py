"""The fake provider answers as the real ones do, and as its path tells it to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from benchmarks.provider import Connection, Counters
from benchmarks.shapes import ALL, ANTHROPIC, OPENAI, Behaviour, Shape


@pytest.fixture
async def provider() -> AsyncIterator[httpx.AsyncClient]:
    counters = Counters()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counters), "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
        yield client
    server.close()


async def ask(client: httpx.AsyncClient, shape: Shape) -> httpx.Response:
    return await client.post(shape.path, content=shape.body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("behaviour", [one.behaviour for one in ALL])
def test_a_behaviour_is_told_by_its_word(behaviour: Behaviour) -> None:
    assert Behaviour.read(behaviour.word) == behaviour


async def test_a_plain_answer_has_the_size_that_was_asked_for(provider: httpx.AsyncClient) -> None:
    openai = (await ask(provider, Shape(behaviour=Behaviour(size=123)))).json()
    assert len(openai["choices"][0]["message"]["content"]) == 123
    anthropic = (await ask(provider, Shape(ANTHROPIC, behaviour=Behaviour(size=123)))).json()
    assert len(anthropic["content"][0]["text"]) == 123


@pytest.mark.parametrize(("dialect", "around"), [(OPENAI, 4), (ANTHROPIC, 5)])
async def test_a_stream_has_as_many_deltas_as_were_asked_for(
    provider: httpx.AsyncClient, dialect: str, around: int
) -> None:
    """And around them what the dialect has at the beginning and at the end."""
    answer = await ask(provider, Shape(dialect, stream=True, behaviour=Behaviour(events=300)))
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.count("data: ") == 300 + around
    assert answer.text.endswith(("data: [DONE]\n\n", '"message_stop"}\n\n'))


async def test_a_delay_and_a_rate_are_kept(provider: httpx.AsyncClient) -> None:
    began = time.monotonic()
    await ask(provider, Shape(stream=True, behaviour=Behaviour(delay=100, events=4, rate=20)))
    assert time.monotonic() - began >= 0.29


async def test_deltas_carry_the_time_at_which_they_were_sent(provider: httpx.AsyncClient) -> None:
    before = time.monotonic_ns() // 1000
    answer = await ask(provider, Shape(stream=True, behaviour=Behaviour(events=3, times=1)))
    stamps = [int(part[:16]) for part in answer.text.split("@")[1:]]
    assert len(stamps) == 3
    assert before <= stamps[0] <= stamps[-1] <= time.monotonic_ns() // 1000


async def test_a_large_body_is_read_to_its_end_before_it_is_answered(provider: httpx.AsyncClient) -> None:
    shape = Shape(image=3_000_000)
    assert len(shape.body) == pytest.approx(3_000_000, rel=0.001)
    assert (await ask(provider, shape)).status_code == 200
    assert (await ask(provider, shape)).status_code == 200


async def test_a_body_in_chunks_is_understood(provider: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield shape.body[:60]
        yield shape.body[60:]

    shape = Shape(stream=True)
    answer = await provider.post(shape.path, content=parts())
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_a_caller_who_goes_is_counted_as_gone(provider: httpx.AsyncClient) -> None:
    shape = Shape(stream=True, behaviour=Behaviour(events=1000, rate=10))
    async with provider.stream("POST", shape.path, content=shape.body) as answer:
        await anext(answer.aiter_bytes())
        assert (await provider.get("/stats")).json()["open"] == 1
    for _ in range(100):
        stats = (await provider.get("/stats")).json()
        if stats["aborted"]:
            break
        await asyncio.sleep(0.02)
    assert (stats["requests"], stats["open"], stats["aborted"]) == (1, 0, 1)
