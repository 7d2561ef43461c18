"""Group commit: many requests share one round trip, and none waits when the line is idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Owed(asyncio.Future[Result]):
    """A result that comes whatever becomes of who waits for it: a cancellation reaches them when it is there."""

    def cancel(self, msg: object = None) -> bool:
        return False


class Batcher(Generic[Item, Result]):
    """Gathers items while a flush is under way and flushes them together as soon as it is done.

    `flush` takes at most `limit` items and returns one result for each, in order: an exception is raised to who waits
    for that one. When it raises itself, every item of that batch gets the exception. An item whose submitter was
    cancelled is flushed all the same, and with `owed` its submitter stays to hear what came of it.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[Sequence[Result | BaseException]]],
        *,
        limit: int = 200,
        owed: bool = False,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._future: type[asyncio.Future[Result]] = Owed if owed else asyncio.Future
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        return await self.put(item)

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Its result, when it is there."""
        future = self._future(loop=asyncio.get_running_loop())
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._run())
        return future

    async def drain(self) -> None:
        """Wait until everything submitted so far is flushed."""
        if self._worker is not None:
            await self._worker

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever the last batch has just set free may have something for this one
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            try:
                results = await self._flush([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to this task
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, BaseException):
                    future.set_exception(result)
                    future.exception()  # seen: a submitter that is gone must not make the loop complain
                else:
                    future.set_result(result)
