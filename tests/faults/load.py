"""Clients that stream, hang up and ask again, each request with a key of its own: so every row has its request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from tests.end_to_end.registry import GPT

STREAMED, HANGS_UP = 0.7, 0.5
HANG_UP_SECONDS = (1.0, 4.0)
ANSWER_SECONDS = 30
AFTER_FAILURE_SECONDS = 0.2


@dataclass
class Call:
    """One request, and what its client saw."""

    key_id: int
    secret: str
    status: int = 0  # none when there was no answer
    whole: bool = False
    hung_up: bool = False


@dataclass
class Load:
    """So many clients, until told to stop or out of keys."""

    url: str
    keys: Iterator[tuple[int, str]]
    chance: random.Random
    calls: list[Call] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, clients: int) -> None:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(self._client(session) for _ in range(clients)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        for key_id, secret in self.keys:
            if self.over.is_set():
                return
            call = Call(key_id, secret)
            self.calls.append(call)
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):  # its worker was killed
                await self._call(session, call)
            if not call.whole and not call.hung_up:
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    async def _call(self, session: aiohttp.ClientSession, call: Call) -> None:
        stream = self.chance.random() < STREAMED
        leaves = self.chance.uniform(*HANG_UP_SECONDS) if stream and self.chance.random() < HANGS_UP else None
        message = {"role": "user", "content": f"request {call.key_id}"}
        body = {"model": GPT, "messages": [message], "stream": stream, "max_tokens": 2000}
        headers = {"authorization": f"Bearer {call.secret}"}
        async with session.post(self.url, json=body, headers=headers) as answer:
            call.status = answer.status
            try:
                async with asyncio.timeout(leaves):
                    content = await answer.read()
            except TimeoutError:
                call.hung_up = leaves is not None
                answer.close()
                return
        call.whole = answer.status == 200 and (not stream or content.endswith(b"data: [DONE]\n\n"))
