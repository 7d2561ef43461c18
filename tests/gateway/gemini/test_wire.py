"""The provider with the real outbound client, against a server on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.egress import Egress
from gateway.providers.gemini import Gemini
from tests.gateway import streams
from tests.gateway.gemini.answers import body_of, failure, item, words
from tests.gateway.gemini.asking import call

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def google(*parts: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers with `parts`, one write each, and keeps what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        asked.extend([head, await reader.readexactly(length)])
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1beta", asked
    finally:
        server.close()


async def streamed(base_url: str) -> streams.Outcome:
    chat, egress = call({"stream": True}, base_url=base_url, upstream_model="gemini-3.8-flash"), Egress()
    try:
        answer = await Gemini().send(chat, egress)
        pieces = [chunk async for chunk in answer.chunks()]
        await answer.aclose()
    finally:
        await egress.aclose()
    return streams.run(Gemini(), chat, pieces)


async def test_a_stream_is_asked_for_and_read_to_its_end() -> None:
    body = body_of(item(words("a")), item(words("b"), finish="STOP"))
    async with google(STREAM, body[:40], body[40:]) as (base_url, asked):
        outcome = await streamed(base_url)
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert streams.text(outcome.chunks) == "ab"
    head, sent = asked
    assert head.startswith(b"POST /v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse HTTP/1.1\r\n")
    assert b"x-goog-api-key: upstream-secret" in head.lower()
    assert json.loads(sent) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


async def test_a_stream_that_fails_half_way_is_never_a_finished_answer() -> None:
    bare = json.dumps(failure(500, "INTERNAL"), indent=2).encode()
    async with google(STREAM, body_of(item(words("a"))), bare[:9], bare[9:]) as (base_url, _):
        outcome = await streamed(base_url)
    assert streams.text(outcome.chunks) == "a"
    assert outcome.error is not None
    assert outcome.error.code == "upstream_error"
