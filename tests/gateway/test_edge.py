"""A client that takes nothing more is let go, wherever that shows, and nobody calls it a fault of ours."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from gateway.api import EventStreamResponse
from gateway.bounds import HangUpError, Message
from gateway.dispatch import ChatStream
from gateway.edge import Exchange
from gateway.runtime import Runtime

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [], "client": ("::1", 1)}


class Silence:
    """A stream whose second event never comes."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.closed = False

    async def events(self) -> AsyncGenerator[bytes]:
        yield b"data: {}\n\n"
        await asyncio.sleep(0.3)

    async def aclose(self) -> None:
        self.closed = True


def exchange(*, takes: int) -> Exchange:
    """With a client that takes so many messages and then stands still."""
    taken: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if len(taken) == takes:
            await asyncio.sleep(60)
        taken.append(message)

    return Exchange(cast("Runtime", None), SCOPE, receive, send)


async def test_a_client_that_does_not_even_take_a_refusal_is_let_go(settings: Any) -> None:
    settings.GATEWAY_CLIENT_WRITE_SECONDS = 0.05
    refused = exchange(takes=1)  # no key: the head of a 401, and not its body
    async with asyncio.timeout(2):
        await refused.run()
    assert refused.status == 499


async def test_a_client_that_takes_no_sign_of_life_leaves_no_error_behind(settings: Any) -> None:
    settings.GATEWAY_CLIENT_WRITE_SECONDS, settings.GATEWAY_KEEP_ALIVE_SECONDS = 0.05, 0.05
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    stream = Silence()
    with pytest.raises(HangUpError):  # the end of the stream finds the client gone
        await exchange(takes=2)._write_stream(EventStreamResponse(cast("ChatStream", stream)))
    gc.collect()
    await asyncio.sleep(0)
    assert stream.closed
    assert complaints == []
