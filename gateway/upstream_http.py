"""HTTP/1.1 to a provider, on a connection that somebody else has opened: one request after the other, answers as they
come.

The answer's bytes are handed on in the pieces in which the network brought them, as many at a time as there are. A
reader that falls behind stops the connection from being read, and so the provider from sending.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import cast

import httptools

MAX_HEAD = 256 * 1024  # bytes of an answer's status and headers
READ_AHEAD = 64 * 1024  # bytes of a body that wait for their reader before nothing more is read
COPIED = 64 * 1024  # a body up to this size goes out in one piece with its headers

Pieces = Sequence[bytes | memoryview]


class BrokenError(Exception):
    """The connection ended, or what came is no HTTP."""


class SilentError(Exception):
    """Nothing came for as long as one may wait."""


class Response:
    """An answer, from its headers on. Read it to its end or `abandon` it."""

    __slots__ = (
        "_connection",
        "_failure",
        "_left_off",
        "_loop",
        "_parts",
        "_size",
        "_timer",
        "_waiter",
        "complete",
        "deadline",
        "headers",
        "patience",
        "status",
    )

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop, status: int, headers: dict[str, str]):
        self.status = status
        self.headers = headers
        self.complete = False
        self.patience = 0.0  # seconds between two pieces
        self.deadline = 0.0  # by the loop's clock, for all of it
        self._connection = connection
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._left_off = 0.0  # when whoever waits now has waited for long enough
        self._timer: asyncio.TimerHandle | None = None

    async def piece(self) -> bytes:
        """All that has come since the last one; empty at the end. Raises `BrokenError` and `SilentError`."""
        if not self._parts and not await self._arrives():
            return b""
        parts, self._parts, self._size = self._parts, [], 0
        self._connection.read_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def stop_waiting(self) -> None:
        """Nobody reads on for now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abandon(self) -> None:
        """Nobody wants the rest: break the connection, which stops the provider. Nothing happens once it is whole."""
        if not self.complete:
            self._connection.abort()

    def take(self, piece: bytes) -> bool:
        """What came. Whether that is as much as should wait here."""
        self._parts.append(piece)
        self._size += len(piece)
        self._wake()
        return self._size >= READ_AHEAD

    def end(self, failure: Exception | None = None) -> None:
        if not self.complete and self._failure is None:
            self.complete, self._failure = failure is None, failure
            self._wake()

    async def _arrives(self) -> bool:
        """Wait for a piece, or False when there is none to come.

        One timer serves for many waits: it looks when it fires whether the one that it finds has lasted too long.
        """
        while not self._parts:
            if self.complete:
                return False
            if self._failure is not None:
                raise self._failure
            now = self._loop.time()
            self._left_off = min(now + self.patience, self.deadline)
            if self._left_off <= now:
                raise SilentError
            if self._timer is None:
                self._timer = self._loop.call_at(self._left_off, self._look)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._left_off:
            self._timer = self._loop.call_at(self._left_off, self._look)
        else:
            self._waiter.set_exception(SilentError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """One connection. `free` is called whenever it can take another request, `lost` once when it is gone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        free: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self.idle_since = 0.0
        self.is_open = False
        self._loop = loop
        self._free = free
        self._lost = lost
        self._parser = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._busy = False
        self._paused = False
        self._begin_head()

    # -- for the caller

    async def ask(self, head: bytes, body: Pieces, *, patience: float) -> Response:
        """Send a request and wait so many seconds for the headers of its answer. Raises `BrokenError`, and
        `TimeoutError`."""
        if not self.is_open:
            raise BrokenError("the connection was closed")
        self._busy = True
        asked: asyncio.Future[Response] = self._loop.create_future()
        self._asked = asked
        if sum(map(len, body)) <= COPIED:
            self._transport.write(b"".join([head, *body]))
        else:
            self._transport.writelines([head, *body])
        timer = self._loop.call_later(patience, _give_up, asked)
        try:
            return await asked
        except BaseException:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                asked.result().abandon()  # it came, and we were cancelled; the connection may be another's by now
            else:
                self.abort()
            raise
        finally:
            timer.cancel()

    def read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.abort()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.close()

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if not self._busy:  # nobody asked for it
            self.abort()
            return
        if self._response is None:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD + READ_AHEAD:
                self._break(BrokenError("the headers of the answer are too large"))
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break(BrokenError("it wants another protocol"))
        except httptools.HttpParserError as error:
            self._break(BrokenError(f"what came is no HTTP: {type(error).__name__}"))

    def eof_received(self) -> bool:
        return False  # nothing is sent to whoever says no more

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._response is not None and self._until_closed and error is None:
            self._response.end()
        self._fail(BrokenError(type(error).__name__ if error else "the connection was closed"))
        self._lost(self)
        self._paused = False
        self._response = None
        del self._parser, self._transport  # which know this connection too: it goes without waiting for the collector

    # -- from the parser

    def on_message_begin(self) -> None:
        if not self._busy or self._response is not None:
            raise BrokenError
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is not None:  # a trailer: nobody waits for those
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            return
        coding = self._headers.get("transfer-encoding", "").lower()
        if coding not in ("", "chunked"):
            raise BrokenError
        self._until_closed = not coding and "content-length" not in self._headers and status not in (204, 304)
        self._response = Response(self, self._loop, status, self._headers)
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_result(self._response)

    def on_body(self, piece: bytes) -> None:
        if self._response is not None and self._response.take(piece) and not self._paused and self.is_open:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._interim or self._response is None:
            return
        response, self._response, self._busy = self._response, None, False
        response.end()
        if self._transport.get_write_buffer_size():
            self.abort()  # it has its answer without having read what was asked
        elif not self._parser.should_keep_alive():
            self.close()
        else:
            self.read_on()
            self._free(self)

    def _begin_head(self) -> None:
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._interim = self._until_closed = False

    def _break(self, failure: BrokenError) -> None:
        self._fail(failure)
        self.abort()

    def _fail(self, failure: BrokenError) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_exception(failure)
        if self._response is not None:
            self._response.end(failure)


def _give_up(asked: asyncio.Future[Response]) -> None:
    if not asked.done():
        asked.set_exception(TimeoutError())
