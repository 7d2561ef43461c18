"""A vendor's server in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientConnectionResetError, web

from tests.fakes.acting import Actor, Question, Turn, recite
from tests.fakes.answers import Answer, Ending

START_SECONDS = 10
JSON = "application/json"
ROOM = 64 * 1024 * 1024


@dataclass
class Received:
    """One request, as it came, and what became of its answer."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    sent: int = 0  # bytes of the answer's body
    hung_up_at: float | None = None  # monotonic; None when the caller stayed
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload


class BrokenOffError(Exception):
    """The fake itself ended the connection."""


class FakeServer(ABC):
    """Use it as a context manager. What it answers is the subclass's business; how, and how badly, is done here."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.origin = ""
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    @abstractmethod
    def answer_for(self, received: Received) -> Answer:
        """What to do about a request."""

    def compose(self, received: Received, answer: Answer) -> tuple[int, str, list[bytes]]:
        """The status, the content type and the body in pieces, for an answer that brings no body of its own."""
        return answer.status, JSON, []

    @property
    def last(self) -> Received:
        return self.requests[-1]

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError(f"{type(self).__name__} did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)

    def _run(self) -> None:
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it is meant to misbehave
        asyncio.set_event_loop(self._loop)
        application = web.Application(client_max_size=ROOM)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
        self._loop.run_until_complete(self._listen(runner))
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.origin = f"http://{host}:{port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.requests.append(received)
        try:
            return await self._answer(request, received, self.answer_for(received))
        except (asyncio.CancelledError, ClientConnectionResetError):
            received.hung_up_at = time.monotonic()
            raise
        except BrokenOffError:
            return web.Response()
        finally:
            received.ended.set()

    async def _answer(self, request: web.Request, received: Received, answer: Answer) -> web.StreamResponse:
        await asyncio.sleep(answer.delay)
        if answer.raw is not None:
            _transport(request).write(answer.raw)
            _transport(request).close()
            raise BrokenOffError
        if answer.body is None:
            status, kind, parts = self.compose(received, answer)
        else:
            status, kind, parts = answer.status, JSON, [answer.body]
        headers = {"content-type": kind, **answer.headers}
        response = web.StreamResponse(status=status, headers=headers)
        if headers["content-type"].startswith(JSON) and not answer.endlessly:  # nor does a stream know its length
            response.content_length = sum(map(len, parts))
        await response.prepare(request)
        for piece in _pieces(parts, answer):
            await response.write(piece)
            received.sent += len(piece)
            await asyncio.sleep(answer.pause)
        while answer.endlessly:
            await response.write(answer.endlessly)
            await asyncio.sleep(answer.pause)
        if answer.ending is Ending.WHOLE:
            await response.write_eof()
            return response
        if answer.ending is Ending.SILENCE:
            await asyncio.sleep(3600)
        _break(_transport(request), reset=answer.ending is Ending.RESET)
        raise BrokenOffError


class FakeVendor(FakeServer):
    """Answers each request with the next scripted answer, else with the usual one. `actor` is the model behind the
    API: the dull one, unless a test says otherwise."""

    credential: str

    def __init__(self, known: Iterable[str], actor: Actor = recite) -> None:
        super().__init__()
        self.known = set(known)
        self.actor = actor
        self.usual = Answer()
        self._known_at_first = frozenset(self.known)
        self._script: deque[Answer] = deque()

    @property
    @abstractmethod
    def base_url(self) -> str:
        """What an operator would write into the registry."""

    @abstractmethod
    def refusal(self, received: Received) -> tuple[int, dict[str, Any]] | None:
        """The vendor's status and body for a request that it does not take."""

    @abstractmethod
    def question(self, body: Mapping[str, Any]) -> Question:
        """The request, as the model is to understand it."""

    @abstractmethod
    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        """The JSON of an answer that is not streamed."""

    @abstractmethod
    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        """The stream, an event in each."""

    @abstractmethod
    def error_event(self) -> bytes:
        """How the vendor reports a failure half way."""

    def asked(self, received: Received) -> dict[str, Any]:
        """The body, with `stream` in it where the answer is to be one."""
        return received.json

    def turn(self, body: Mapping[str, Any], answer: Answer) -> Turn:
        return self.actor(self.question(body), answer)

    def script(self, *answers: Answer) -> None:
        """The next answers, in order."""
        self._script.extend(answers)

    def forget(self) -> None:
        """As new: no script, no memory, the models it knew at first."""
        self._script.clear()
        self.requests.clear()
        self.usual = Answer()
        self.known = set(self._known_at_first)

    def answer_for(self, received: Received) -> Answer:
        return self._script.popleft() if self._script else self.usual

    def compose(self, received: Received, answer: Answer) -> tuple[int, str, list[bytes]]:
        refusal = self.refusal(received)
        if refusal is not None:
            return refusal[0], JSON, [json.dumps(refusal[1]).encode()]
        body = self.asked(received)
        if not body.get("stream"):
            return answer.status, JSON, [json.dumps(self.whole(body, answer)).encode()]
        events = self.events(body, answer)
        if answer.fails_after is not None:
            events = [*events[: answer.fails_after], self.error_event()]
        return answer.status, "text/event-stream; charset=utf-8", events


def _pieces(parts: list[bytes], answer: Answer) -> list[bytes]:
    whole = b"".join(parts)
    kept = whole if answer.keep is None else whole[: answer.keep]
    if answer.piece:
        return [kept[start : start + answer.piece] for start in range(0, len(kept), answer.piece)]
    pieces, rest = [], kept
    for part in parts:
        pieces.append(rest[: len(part)])
        rest = rest[len(part) :]
    return [piece for piece in pieces if piece]


def _transport(request: web.Request) -> asyncio.WriteTransport:
    if not isinstance(request.transport, asyncio.WriteTransport):
        raise ConnectionError("the connection is gone")
    return request.transport


def _break(transport: asyncio.WriteTransport, *, reset: bool) -> None:
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
