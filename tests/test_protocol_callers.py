"""The server by itself, over real sockets: whom it waits for, for how long, and whom it lets go."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from config import protocol
from gateway.bounds import Line, line_of
from tests.sockets import GET, HELLO, LAST, App, ask, echo, greet, serving


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": [*HELLO, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"large"})


async def test_who_is_refused_in_the_middle_of_a_body_still_gets_the_answer() -> None:
    async with serving(refuse) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
        answer = await reader.readuntil(b"large")
        for _ in range(40):
            writer.write(b"x" * 100_000)
            await writer.drain()
        assert answer.startswith(b"HTTP/1.1 413 ")
        async with asyncio.timeout(2):
            assert await reader.read() == b""  # closed when all of it was there, and not before
        writer.close()


async def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.1)
    async with serving(refuse) as where:
        answer = await ask(where, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\nx")
        assert answer.endswith(b"large")
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 60)
    monkeypatch.setattr(protocol, "LINGER_BYTES", 1000)
    async with serving(refuse) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
        await reader.readuntil(b"large")
        with suppress(ConnectionError):
            writer.write(b"x" * 2000)
            async with asyncio.timeout(2):
                assert await reader.read() == b""
        writer.close()


def staying(gone: asyncio.Event, served: asyncio.Event, lines: list[Line]) -> App:
    """Serves until it is told that the caller has gone."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        line = line_of(scope)
        assert line is not None
        lines.append(line)
        line.on_hang_up = gone.set
        served.set()
        await gone.wait()

    return app


async def test_a_caller_who_goes_is_noticed_at_once() -> None:
    gone, served, lines = asyncio.Event(), asyncio.Event(), list[Line]()
    async with serving(staying(gone, served, lines)) as where:
        _, writer = await asyncio.open_connection(*where)
        writer.write(GET + b"\r\n")
        await served.wait()
        writer.close()
        async with asyncio.timeout(2):
            await gone.wait()
    assert lines[0].is_gone


async def test_a_caller_who_goes_while_more_requests_wait_is_noticed_too() -> None:
    gone, served = asyncio.Event(), asyncio.Event()
    async with serving(staying(gone, served, [])) as where:
        _, writer = await asyncio.open_connection(*where)
        writer.write((GET + b"\r\n") * 3)
        await served.wait()
        await asyncio.sleep(0.05)
        writer.close()
        async with asyncio.timeout(2):
            await gone.wait()


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_body_that_turns_into_nonsense_ends_its_request(has_begun: bool) -> None:
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        line = line_of(scope)
        assert line is not None
        line.on_hang_up = gone.set
        if has_begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        await gone.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})  # which is not sent any more

    async with serving(app) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"this is no chunk\r\n")
        async with asyncio.timeout(2):
            answer = await reader.read()
            await gone.wait()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK" if has_begun else b"HTTP/1.1 400 Bad Request")
    assert answer.count(b"\r\n\r\n") == 1


async def test_a_caller_who_takes_nothing_is_let_go(settings: Any) -> None:
    settings.GATEWAY_CLIENT_WRITE_SECONDS = 0.2
    gone, sent = asyncio.Event(), 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        line = line_of(scope)
        assert line is not None
        line.on_hang_up = gone.set
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.is_set():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            sent += 100_000

    async with serving(app) as where:
        _, writer = await asyncio.open_connection(*where, limit=1000)
        writer.write(GET + b"\r\n")
        async with asyncio.timeout(5):
            await gone.wait()
        writer.close()
    assert sent < 50_000_000  # what the sockets hold, not all that there was to say


async def test_a_body_that_is_there_need_not_be_waited_for() -> None:
    arrived: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        line = line_of(scope)
        assert line is not None
        arrived.append(line.has_arrived)
        await echo(scope, receive, send)

    async with serving(app) as where:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n"
        await ask(where, head + LAST + b"whol")
        reader, writer = await asyncio.open_connection(*where)
        writer.write(head + LAST + b"pa")
        await asyncio.sleep(0.05)
        writer.write(b"rt")
        assert (await reader.read()).endswith(b"part")
        writer.close()
    assert arrived == [True, False]


async def test_more_requests_than_can_be_served_are_refused_and_their_connections_kept(settings: Any) -> None:
    settings.GATEWAY_REQUESTS_PER_PROCESS = 1
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await greet(scope, receive, send)

    async with serving(app) as where:
        first = asyncio.create_task(ask(where, GET + LAST))
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(*where)
        writer.write(GET + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in head
        assert b'"code":"service_unavailable"' in await reader.readuntil(b"}}")
        answer = asyncio.create_task(ask(where, b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + LAST))
        go_on.set()
        assert (await answer).endswith(b"hello")  # full is not broken: nobody shall restart it for that
        assert (await first).endswith(b"hello")
        writer.write(GET + LAST)
        assert (await reader.read()).endswith(b"hello")
        writer.close()
