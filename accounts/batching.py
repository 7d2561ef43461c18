"""Group commit: many requests share one round trip, and none waits when the line is idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items while a flush is under way and flushes them together as soon as it is done.

    `flush` takes at most `limit` items and returns one result for each, in order. When it raises, every item of
    that batch gets the exception. An item whose submitter was cancelled is flushed all the same.
    """

    def __init__(self, flush: Callable[[list[Item]], Awaitable[Sequence[Result]]], *, limit: int = 200) -> None:
        self._flush = flush
        self._limit = limit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        return await self.put(item)

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Its result, for whoever must not lose it by being cancelled: shield it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
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
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            try:
                results = await self._flush([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to this task
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # seen: a submitter that is gone must not make the loop complain
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
