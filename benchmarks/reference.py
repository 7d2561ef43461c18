"""What the machine can do without a gateway's work: an ASGI callable that makes the same call through aiohttp.

It checks nothing, counts nothing, reads nothing of what it passes on. It is served as the gateway is, so that the
ratio of the two is what our own work costs.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Application:
    """Passes a request on to REFERENCE_UPSTREAM, by the same path."""

    def __init__(self) -> None:
        self._upstream = os.environ["REFERENCE_UPSTREAM"]
        self._session: aiohttp.ClientSession  # made when the loop runs

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == "/healthz":
            await self._start(send, 200, b"text/plain")
            await send({"type": "http.response.body", "body": b"ok", "more_body": False})
        else:
            await self._pass_on(scope["path"], await _body(receive), send)

    async def _pass_on(self, path: str, body: bytes, send: Send) -> None:
        headers = {"content-type": "application/json"}
        async with self._session.post(self._upstream + path, data=body, headers=headers) as answer:
            if answer.content_type != "text/event-stream":
                content = await answer.read()
                await self._start(send, answer.status, b"application/json", length=len(content))
                await send({"type": "http.response.body", "body": content, "more_body": False})
                return
            await self._start(send, answer.status, b"text/event-stream")
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send, status: int, media: bytes, *, length: int | None = None) -> None:
        headers = [(b"content-type", media)]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                connector = aiohttp.TCPConnector(limit=0)
                self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._session.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


application = Application()
