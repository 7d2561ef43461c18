"""A provider on a real socket that says what a test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.egress import Egress
from gateway.providers.base import Outbound

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Server:
    """Answers each request on each connection with what `answer` writes, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Reader, Writer], Awaitable[None]]) -> None:
        self.answer = answer
        self.connections = self.open = 0
        self.most_open = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
                body = await reader.readexactly(length)
                self.heads.append(head)
                self.bodies.append(body)
                await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Egress, str]]:
    running = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = running.sockets[0].getsockname()[1]
    client = Egress()
    try:
        yield client, f"{'https://localhost' if tls else 'http://127.0.0.1'}:{port}/v1/x"
    finally:
        await client.aclose()
        running.close()


def says(*parts: bytes, pause: float = 0.0) -> Callable[[Reader, Writer], Awaitable[None]]:
    async def answer(_: Reader, writer: Writer) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


async def ask(client: Egress, url: str, body: bytes = b"{}") -> bytes:
    answer = await client.send(Outbound(url=url, headers={"content-type": "application/json"}, body=body))
    try:
        return await answer.read()
    finally:
        await answer.aclose()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what the loop does by itself."""
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - there is nothing in it that could tell us
            await asyncio.sleep(0.001)
