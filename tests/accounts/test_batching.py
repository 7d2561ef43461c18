"""Group commit: what is submitted together is flushed together, and nothing is lost or done twice."""

import asyncio

import pytest

from accounts.batching import Batcher


async def test_items_that_arrive_during_a_flush_share_the_next_one() -> None:
    batches: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        await asyncio.sleep(0.01)
        return [item * 2 for item in items]

    batcher = Batcher(flush)
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.002)
    rest = await asyncio.gather(*(batcher.submit(n) for n in range(2, 6)))
    assert await first == 2
    assert rest == [4, 6, 8, 10]
    assert batches == [[1], [2, 3, 4, 5]]


async def test_a_batch_is_never_larger_than_its_limit() -> None:
    sizes: list[int] = []

    async def flush(items: list[int]) -> list[int]:
        sizes.append(len(items))
        await asyncio.sleep(0)
        return items

    batcher = Batcher(flush, limit=3)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(8))) == list(range(8))
    assert max(sizes) == 3
    assert sum(sizes) == 8


async def test_an_item_is_flushed_although_its_submitter_was_cancelled() -> None:
    flushed: list[int] = []
    gate = asyncio.Event()

    async def flush(items: list[int]) -> list[int]:
        await gate.wait()
        flushed.extend(items)
        return items

    batcher = Batcher(flush)
    task = asyncio.create_task(batcher.submit(7))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    await batcher.drain()
    assert flushed == [7]
    assert task.cancelled()


async def test_a_failed_flush_fails_its_own_batch_only() -> None:
    begun = asyncio.Event()

    async def flush(items: list[int]) -> list[int]:
        begun.set()
        await asyncio.sleep(0.01)
        if 1 in items:
            raise OSError("gone")
        return items

    batcher = Batcher(flush)
    first = asyncio.create_task(batcher.submit(1))
    await begun.wait()
    second = asyncio.create_task(batcher.submit(2))
    with pytest.raises(OSError, match="gone"):
        await first
    assert await second == 2


async def test_one_item_may_have_an_error_of_its_own() -> None:
    async def flush(items: list[int]) -> list[int | BaseException]:
        return [item if item % 2 else ValueError(item) for item in items]

    batcher = Batcher(flush)
    found = await asyncio.gather(*(batcher.submit(n) for n in range(4)), return_exceptions=True)
    assert [repr(one) for one in found] == ["ValueError(0)", "1", "ValueError(2)", "3"]


async def test_what_is_owed_is_waited_for_also_by_who_is_cancelled() -> None:
    go_on = asyncio.Event()

    async def flush(items: list[int]) -> list[int]:
        await go_on.wait()
        return items

    batcher = Batcher(flush, owed=True)
    future = batcher.put(1)

    async def wait() -> None:
        await future

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert future.result() == 1


async def test_who_is_set_free_by_a_batch_may_be_in_the_next() -> None:
    batches: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        await asyncio.sleep(0.01)
        return items

    batcher = Batcher(flush)

    async def twice(number: int) -> None:
        await batcher.submit(number)
        await batcher.submit(number + 10)

    await asyncio.gather(twice(1), twice(2), *(batcher.submit(3) for _ in range(1)))
    assert batches == [[1, 2, 3], [11, 12]]
