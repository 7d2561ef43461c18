"""A client that takes nothing more is let go, wherever that shows."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import redis.asyncio

from gateway.access_log import AccessLog
from gateway.bounds import Message
from gateway.edge import Exchange
from gateway.limits import Limiter
from gateway.runtime import Runtime
from gateway.scripts import Scripts
from gateway.strangers import Strangers

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [], "client": ("::1", 1)}


async def test_a_client_that_does_not_even_take_a_refusal_is_let_go(settings: Any) -> None:
    settings.GATEWAY_CLIENT_WRITE_SECONDS = 0.05
    taken: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if taken:
            await asyncio.sleep(60)
        taken.append(message)

    away = redis.asyncio.Redis(host="127.0.0.1", port=1)
    strangers = Strangers(Limiter(Scripts(away), workers=1))
    exchange = Exchange(
        cast("Runtime", SimpleNamespace(directory=None, strangers=strangers, access_log=AccessLog())),
        SCOPE,
        receive,
        send,
    )
    async with asyncio.timeout(2):
        await exchange.run()
    assert [message.get("status") for message in taken] == [401]  # there is no key
    assert exchange.status == 499
