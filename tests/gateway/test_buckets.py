"""The bucket of tokens, against a real Valkey, and the same in one process's memory."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
import time_machine
from django.conf import settings

from gateway.buckets import Buckets, Level, LocalBuckets, bucket_of
from gateway.limits import WINDOW_MS, log_of
from gateway.scripts import Scripts

_ids = itertools.count(int(time.time() * 1000))
BIG = 6_000_000  # tokens a minute: a hundred thousand a second, so that time shows


@pytest.fixture
async def valkey() -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    yield client
    await client.aclose()


@pytest.fixture
def workers(valkey: redis.asyncio.Redis) -> list[Buckets]:
    return [Buckets(Scripts(valkey), workers=4) for _ in range(4)]


async def test_exactly_a_bucket_is_taken_by_many_workers_at_once(workers: list[Buckets]) -> None:
    key = next(_ids)
    taken = await asyncio.gather(*(workers[n % 4].take(key, 600, 100) for n in range(100)))
    assert sum(was for was, _ in taken) == 6  # for the seventh it takes ten seconds until enough has flowed in


async def test_what_is_refused_takes_nothing(workers: list[Buckets]) -> None:
    key = next(_ids)
    assert not (await workers[0].take(key, 60, 61))[0]
    taken, level = await workers[1].take(key, 60, 60)
    assert (taken, level.remaining) == (True, 0)


async def test_a_request_and_its_tokens_are_asked_together(workers: list[Buckets], valkey: redis.asyncio.Redis) -> None:
    key = next(_ids)
    verdict, level = await workers[0].admit(key, requests=5, limit=1)
    assert (verdict.allowed, verdict.remaining, level.remaining) == (True, 4, 1)
    await workers[1].take(key, 1, 1)
    verdict, level = await workers[2].admit(key, requests=5, limit=1)
    assert (verdict.allowed, verdict.remaining, level.remaining) == (False, 4, 0)
    assert await valkey.llen(log_of(key)) == 1  # without tokens no place is taken
    assert await valkey.exists(bucket_of(key))


async def test_what_was_not_used_is_put_back_and_what_was_used_beyond_is_owed(workers: list[Buckets]) -> None:
    key = next(_ids)
    _, level = await workers[0].take(key, 60, 50)
    await workers[1].put_back(key, level, taken=50, used=20)
    _, after = await workers[2].admit(key, requests=9, limit=60)
    assert 40 <= after.remaining < 60
    await workers[3].put_back(key, level, taken=0, used=100)
    _, owing = await workers[0].admit(key, requests=9, limit=60)
    assert owing.remaining == 0
    assert 40 <= owing.seconds_until(1) <= 61


async def test_what_flowed_in_meanwhile_is_not_given_twice(workers: list[Buckets], valkey: redis.asyncio.Redis) -> None:
    key = next(_ids)
    earlier = Level(60, 60.0, int(time.time() * 1000) - 30_000)
    await valkey.set(bucket_of(key), f"60:{earlier.now_ms}")  # all of it was taken half a minute ago
    await workers[0].put_back(key, earlier, taken=60, used=0)
    _, level = await workers[0].admit(key, requests=9, limit=60)
    assert level.remaining >= 59
    await workers[0].take(key, 60, 59)
    await workers[0].put_back(key, earlier, taken=30, used=0)  # and 30 have flowed in since
    assert (await workers[0].admit(key, requests=9, limit=60))[1].remaining < 20


async def test_a_bucket_that_is_full_leaves_nothing_in_valkey(
    workers: list[Buckets], valkey: redis.asyncio.Redis
) -> None:
    key = next(_ids)
    _, level = await workers[0].take(key, BIG, BIG // 2)
    assert 0 < await valkey.pttl(bucket_of(key)) <= 31_000
    await workers[0].put_back(key, level, taken=BIG // 2, used=0)
    assert not await valkey.exists(bucket_of(key))


async def test_large_counts_keep_their_last_token(workers: list[Buckets], valkey: redis.asyncio.Redis) -> None:
    key, limit = next(_ids), 1_000_000_000
    await valkey.set(bucket_of(key), f"{limit - 1}:{int(time.time() * 1000) + 3_600_000}")  # no time passes for it
    assert (await workers[0].take(key, limit, 2))[0] is False
    taken, level = await workers[0].take(key, limit, 1)
    assert (taken, level.remaining) == (True, 0)


async def test_without_valkey_each_worker_has_its_share() -> None:
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    buckets, key = Buckets(Scripts(away), workers=4), next(_ids)
    verdict, level = await buckets.admit(key, requests=60, limit=4)
    assert (verdict.allowed, verdict.degraded, level.remaining) == (True, True, 1)
    taken, level = await buckets.take(key, 4, 1)
    assert (taken, level.remaining) == (True, 0)
    assert not (await buckets.take(key, 4, 1))[0]
    assert not (await buckets.admit(key, requests=60, limit=4))[0].allowed
    await buckets.put_back(key, level, taken=1, used=0)
    assert (await buckets.take(key, 4, 1))[0]
    await away.aclose()


def test_the_bucket_fills_as_time_passes_and_no_further_than_full() -> None:
    buckets = LocalBuckets(workers=1)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        assert buckets.take("a", 600, 600) == (True, Level(600, 600.0, 1_800_000_000_000))
        clock.shift(1)
        assert [buckets.take("a", 600, 11)[0], buckets.take("a", 600, 10)[0]] == [False, True]
        clock.shift(3600)
        assert [buckets.take("a", 600, 601)[0], buckets.take("a", 600, 600)[0]] == [False, True]


def test_memory_forgets_the_bucket_that_was_touched_least_recently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.buckets.LOCAL_KEYS", 2)
    buckets = LocalBuckets(workers=1)
    assert [buckets.take(name, 1, 1)[0] for name in "abac"] == [True, True, False, True]
    assert not buckets.take("c", 1, 1)[0]
    assert buckets.take("a", 1, 1)[0]


@pytest.mark.parametrize("seed", range(300))
def test_no_stretch_of_time_sees_more_than_a_bucket_and_what_flows_in(seed: int) -> None:
    """Whatever is taken, corrected and refused in whatever order, counted at the moment it was taken."""
    dice, buckets = random.Random(seed), LocalBuckets(workers=1)  # noqa: S311 - it plays
    limit = dice.choice([60, 600, 6000])
    held: list[tuple[int, Level]] = []
    used: list[tuple[int, int]] = []
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(60):
            clock.shift(dice.choice([0, 0, dice.random() * 5, dice.random() * 90]))
            if held and dice.random() < 0.5:
                tokens, level = held.pop(dice.randrange(len(held)))
                actual = dice.choice([0, tokens, dice.randint(0, tokens)])
                buckets.put_back("a", level, taken=tokens, used=actual)
                used.append((level.now_ms, actual))
            else:
                tokens = dice.randint(1, limit)
                taken, level = buckets.take("a", limit, tokens)
                held += [(tokens, level)] if taken else []
    used = sorted(used + [(level.now_ms, tokens) for tokens, level in held])
    for first, (start, _) in enumerate(used):
        total = 0
        for at, tokens in used[first:]:
            total += tokens
            assert total <= limit + (at - start) * limit / WINDOW_MS + 1e-3


def test_the_headers_have_openais_names() -> None:
    assert Level(600, 150.4, 0).headers() == {
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "449",
        "x-ratelimit-reset-tokens": "15.040s",
    }
