"""The rolling window, against a real Valkey."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
import time_machine
from django.conf import settings

from gateway.limits import WINDOW_MS, Limiter, LocalLimiter, Verdict
from gateway.scripts import OPEN_SECONDS, Scripts

_ids = itertools.count(int(time.time() * 1000))


@pytest.fixture
async def valkey() -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    yield client
    await client.aclose()


async def test_exactly_the_limit_passes_of_a_burst_over_many_workers(valkey: redis.asyncio.Redis) -> None:
    limiters = [Limiter(Scripts(valkey), workers=4) for _ in range(4)]
    key = next(_ids)
    verdicts = await asyncio.gather(*(limiters[n % 4].take(key, 60) for n in range(200)))
    assert sum(verdict.allowed for verdict in verdicts) == 60
    assert not any(verdict.degraded for verdict in verdicts)


async def test_one_key_does_not_use_up_another(valkey: redis.asyncio.Redis) -> None:
    limiter, mine, yours = Limiter(Scripts(valkey), workers=1), next(_ids), next(_ids)
    assert (await limiter.take(mine, 1)).allowed
    assert not (await limiter.take(mine, 1)).allowed
    assert (await limiter.take(yours, 1)).allowed


async def test_the_headers_count_down_and_name_when_a_place_is_free(valkey: redis.asyncio.Redis) -> None:
    limiter, key = Limiter(Scripts(valkey), workers=1), next(_ids)
    first = await limiter.take(key, 3)
    second = await limiter.take(key, 3)
    assert [first.remaining, second.remaining] == [2, 1]
    headers = second.headers()
    assert headers["x-ratelimit-limit"] == "3"
    assert headers["x-ratelimit-remaining"] == "1"
    assert abs(int(headers["x-ratelimit-reset"]) - (time.time() + 60)) < 3
    assert headers["x-ratelimit-reset"] == str(-(-first.reset_ms // 1000))
    assert "x-ratelimit-policy" not in headers


async def test_a_refused_request_is_not_counted(valkey: redis.asyncio.Redis) -> None:
    limiter, key = Limiter(Scripts(valkey), workers=1), next(_ids)
    taken = await limiter.take(key, 1)
    refused = [await limiter.take(key, 1) for _ in range(5)]
    assert not any(verdict.allowed for verdict in refused)
    assert {verdict.reset_ms for verdict in refused} == {taken.reset_ms}
    assert await valkey.llen(f"rpm:{{{key}}}") == 1


async def test_a_place_is_free_again_once_its_request_left_the_window(valkey: redis.asyncio.Redis) -> None:
    limiter, key = Limiter(Scripts(valkey), workers=1), next(_ids)
    await valkey.rpush(f"rpm:{{{key}}}", int(time.time() * 1000) - WINDOW_MS - 5)
    verdict = await limiter.take(key, 1)
    assert verdict.allowed
    assert await valkey.llen(f"rpm:{{{key}}}") == 1


async def test_a_key_that_is_not_used_leaves_nothing_in_valkey(valkey: redis.asyncio.Redis) -> None:
    key = next(_ids)
    await Limiter(Scripts(valkey), workers=1).take(key, 1)
    assert 0 < await valkey.pttl(f"rpm:{{{key}}}") <= WINDOW_MS + 1000


async def test_a_script_flushed_from_valkey_is_loaded_again(valkey: redis.asyncio.Redis) -> None:
    limiter, key = Limiter(Scripts(valkey), workers=1), next(_ids)
    await limiter.take(key, 5)
    await valkey.script_flush()
    verdict = await limiter.take(key, 5)
    assert (verdict.remaining, verdict.degraded) == (3, False)


async def test_without_valkey_each_worker_keeps_its_share_and_says_so() -> None:
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    limiter, key = Limiter(Scripts(away), workers=4), next(_ids)
    verdicts = [await limiter.take(key, 60) for _ in range(20)]
    assert sum(verdict.allowed for verdict in verdicts) == 15
    assert all(verdict.headers()["x-ratelimit-policy"] == "degraded" for verdict in verdicts)
    await away.aclose()


async def test_a_valkey_that_hangs_is_waited_for_once_however_many_call() -> None:
    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            asked.append(await reader.readline())
            await reader.read()  # and never a word

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    hanging = redis.asyncio.Redis(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    limiter, key = Limiter(Scripts(hanging), workers=1), next(_ids)
    try:
        verdicts = await asyncio.gather(*(limiter.take(key, 700) for _ in range(1000)))
        assert sum(verdict.allowed for verdict in verdicts) == 700
        assert len(asked) == 1
        await asyncio.sleep(OPEN_SECONDS)
        asking = asyncio.create_task(limiter.take(key, 700))  # whether it is back
        await asyncio.sleep(0)
        assert all(verdict.degraded for verdict in [await limiter.take(key, 700) for _ in range(100)])
        assert (await asking).degraded
        assert len(asked) == 2
    finally:
        await hanging.aclose()
        server.close()


def test_the_local_window_rolls() -> None:
    limiter = LocalLimiter(workers=1)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        assert [limiter.take("a", 2).allowed for _ in range(3)] == [True, True, False]
        clock.shift(59.9)
        assert not limiter.take("a", 2).allowed
        clock.shift(0.1)
        assert limiter.take("a", 2).allowed


def test_the_local_window_forgets_the_key_that_was_used_least_recently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.limits.LOCAL_KEYS", 2)
    limiter = LocalLimiter(workers=1)
    assert [limiter.take(key, 1).allowed for key in "abac"] == [True, True, False, True]
    assert [limiter.take(key, 1).allowed for key in "ab"] == [False, True]


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_200, 60)])
def test_retry_after_is_whole_seconds_rounded_up_and_never_zero(milliseconds: int, seconds: int) -> None:
    verdict = Verdict(allowed=False, limit=1, remaining=0, reset_ms=10_000 + milliseconds, now_ms=10_000)
    assert verdict.retry_after == seconds
