"""Connections to providers that are kept for the next request, and how many there may be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.upstream_http import Connection, Pieces, Response

IDLE_SECONDS = 15.0  # many servers close after that long, and none should do it just when a request is sent


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads."""

    host: str
    port: int
    tls: bool


Open = Callable[[Origin, Callable[[], Connection]], Awaitable[Connection]]


class Connections:
    """One for an event loop. `open_one` makes a connection; what it raises is raised here."""

    def __init__(self, open_one: Open, *, most: int) -> None:
        self._open_one = open_one
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, deque[Connection]] = {}  # of one origin, the one used last is at the right
        self._origins: dict[Connection, Origin] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._origins) + self._opening

    async def ask(self, origin: Origin, head: bytes, body: Pieces, *, patience: float) -> Response:
        """Over a connection that is free, or a new one, or after others when there are as many as may be. Raises
        `TimeoutError` when the answer has not begun after so many seconds."""
        connection = self._free_one(origin)
        if connection is None:
            last = self._loop.time() + patience
            async with asyncio.timeout_at(last):
                connection = await self._new_one(origin)
            patience = max(0.0, last - self._loop.time())
        return await connection.ask(head, body, patience=patience)

    async def close(self) -> None:
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._origins):
            connection.close()
        await asyncio.sleep(0)  # the loop calls back for each

    def _free_one(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _new_one(self, origin: Origin) -> Connection:
        while len(self) >= self._most and not self._close_an_idle_one():
            turn = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._let_one_go_on()  # it was our turn, and we do not take it
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
            connection = self._free_one(origin)
            if connection is not None:
                return connection
        self._opening += 1
        try:
            connection = await self._open_one(origin, self._make)
        except BaseException:
            self._opening -= 1
            self._let_one_go_on()
            raise
        self._opening -= 1
        self._origins[connection] = origin
        if not connection.is_open:  # lost again before it was known
            self._lost(connection)
        return connection

    def _make(self) -> Connection:
        return Connection(self._loop, free=self._is_free, lost=self._lost)

    def _is_free(self, connection: Connection) -> None:
        origin = self._origins.get(connection)
        if origin is None or self._closed:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, deque()).append(connection)
        self._let_one_go_on()
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._close_old_ones)

    def _lost(self, connection: Connection) -> None:
        origin = self._origins.pop(connection, None)
        idle = self._idle.get(origin) if origin is not None else None
        if idle is not None and connection in idle:
            idle.remove(connection)
        self._let_one_go_on()

    def _let_one_go_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _close_an_idle_one(self) -> bool:
        """Of an origin that nobody asks just now."""
        for idle in self._idle.values():
            while idle:
                connection = idle.popleft()
                if connection.is_open:
                    self._origins.pop(connection, None)
                    connection.close()
                    return True
        return False

    def _close_old_ones(self) -> None:
        self._sweep = None
        oldest, until = self._loop.time(), self._loop.time() - IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            while idle and idle[0].idle_since <= until:
                idle.popleft().close()
            if idle:
                oldest = min(oldest, idle[0].idle_since)
            else:
                del self._idle[origin]
        if self._idle:
            self._sweep = self._loop.call_at(oldest + IDLE_SECONDS, self._close_old_ones)
