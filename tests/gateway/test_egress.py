"""The outbound client against a server that misbehaves on a real socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.providers.base import Outbound

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[Egress, str]]:
    """A server that answers every connection with `handler`, after the request's head and body were read."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            await reader.readexactly(length)
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    egress = Egress()
    try:
        yield egress, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x"
    finally:
        await egress.aclose()
        server.close()


def outbound(url: str) -> Outbound:
    return Outbound(url=url, headers={"content-type": "application/json", "authorization": "Bearer hidden"}, body=b"{}")


def replies(*parts: bytes, pause: float = 0.0) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


async def test_an_answer_is_read_whole() -> None:
    async with serving(replies(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-A: b\r\n\r\nhe", b"llo")) as (egress, url):
        answer = await egress.send(outbound(url))
        assert (answer.status, answer.headers["x-a"]) == (200, "b")
        assert await answer.read() == b"hello"
        await answer.aclose()


async def test_chunks_arrive_as_they_are_sent() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(replies(head, b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n", pause=0.05)) as (egress, url):
        answer = await egress.send(outbound(url))
        assert [chunk async for chunk in answer.chunks()] == [b"one", b"two"]
        await answer.aclose()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"], "redirects are refused"),
        ([b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx"], "compressed"),
        ([b"SSH-2.0-OpenSSH\r\n"], "could not be reached"),
        ([b""], "could not be reached"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_502(parts: list[bytes], says: str) -> None:
    async with serving(replies(*parts)) as (egress, url):
        with pytest.raises(ApiError) as caught:
            await egress.send(outbound(url))
    assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")
    assert says in caught.value.hint
    assert "127.0.0.1" not in caught.value.message


async def test_a_refused_connection_is_a_502_that_names_the_server_in_the_log_only() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    egress = Egress()
    with pytest.raises(ApiError) as caught:
        await egress.send(outbound(f"http://127.0.0.1:{port}/v1/x"))
    await egress.aclose()
    assert caught.value.status == 502
    assert "127.0.0.1" in caught.value.hint
    assert "hidden" not in caught.value.hint + caught.value.message


async def test_a_server_that_never_answers_is_a_504(settings: Any) -> None:
    settings.GATEWAY_FIRST_BYTE_SECONDS = 0.2
    async with serving(replies(b"", pause=5)) as (egress, url):
        with pytest.raises(ApiError) as caught:
            await egress.send(outbound(url))
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_server_that_falls_silent_is_a_504(settings: Any) -> None:
    settings.GATEWAY_IDLE_SECONDS = 0.2
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n"
    async with serving(replies(head, pause=5)) as (egress, url):
        answer = await egress.send(outbound(url))
        with pytest.raises(ApiError) as caught:
            await answer.read()
        await answer.aclose()
    assert caught.value.status == 504


async def test_a_server_that_drips_is_given_up_in_the_end(settings: Any) -> None:
    settings.GATEWAY_TOTAL_SECONDS = 0.5
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(replies(head, *[b"1\r\nx\r\n"] * 100, pause=0.05)) as (egress, url):
        answer = await egress.send(outbound(url))
        with pytest.raises(ApiError) as caught:
            await answer.read()
        await answer.aclose()
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_server_that_accepts_no_connection_is_a_504(settings: Any) -> None:
    settings.GATEWAY_CONNECT_SECONDS = 0.2
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as queue:
        for _ in range(4):  # more than it keeps waiting
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        egress = Egress()
        with pytest.raises(ApiError) as caught:
            await egress.send(outbound(f"http://127.0.0.1:{full.getsockname()[1]}/v1/x"))
        await egress.aclose()
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_connection_reset_in_the_middle_is_a_502() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(reset) as (egress, url):
        answer = await egress.send(outbound(url))
        with pytest.raises(ApiError) as caught:
            await answer.read()
        await answer.aclose()
    assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")


async def test_a_body_without_end_is_cut_off(settings: Any) -> None:
    settings.GATEWAY_MAX_UPSTREAM_BYTES = 1000
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    async with serving(replies(head, b"x" * 100_000)) as (egress, url):
        answer = await egress.send(outbound(url))
        with pytest.raises(ApiError) as caught:
            await answer.read()
        await answer.aclose()
    assert "GATEWAY_MAX_UPSTREAM_BYTES" in caught.value.hint


async def test_closing_an_unread_answer_hangs_up_on_the_server() -> None:
    gone = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await reader.read()
        gone.set()

    async with serving(endless) as (egress, url):
        answer = await egress.send(outbound(url))
        async for _ in answer.chunks():
            break
        await answer.aclose()
        async with asyncio.timeout(2):
            await gone.wait()


async def test_cancelling_the_wait_for_an_answer_hangs_up_on_the_server() -> None:
    gone, asked = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        gone.set()

    async with serving(silent) as (egress, url):
        task = asyncio.create_task(egress.send(outbound(url)))
        await asked.wait()
        task.cancel()
        async with asyncio.timeout(2):
            await gone.wait()
