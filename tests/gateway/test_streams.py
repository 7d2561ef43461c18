"""Leases of open streams, against a real Valkey."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
from django.conf import settings as django_settings

from accounts.directory import Principal
from gateway.errors import ApiError
from gateway.scripts import Scripts
from gateway.streams import LEASE_SECONDS, Lease, Streams

_ids = itertools.count(int(time.time() * 1000))


def principal(organization: int | None = None) -> Principal:
    return Principal(
        api_key_id=next(_ids),
        organization_id=organization or next(_ids),
        organization="acme",
        requests_per_minute=None,
        expires_at=None,
        revoked=False,
        suspended=False,
        sandbox_enabled=True,
        retired_models="",
    )


@pytest.fixture
async def valkey() -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(django_settings.REDIS_URL)
    yield client
    await client.aclose()


@pytest.fixture
def limits(settings: Any) -> Any:
    settings.GATEWAY_STREAMS_PER_KEY, settings.GATEWAY_STREAMS_PER_ORGANIZATION = 3, 5
    return settings


def workers(valkey: redis.asyncio.Redis, count: int) -> list[Streams]:
    return [Streams(Scripts(valkey), workers=count) for _ in range(count)]


async def opened(streams: list[Streams], who: Principal, count: int) -> list[Lease | BaseException]:
    asked = (streams[place % len(streams)].open(who) for place in range(count))
    return await asyncio.gather(*asked, return_exceptions=True)


def statuses(found: list[Lease | BaseException]) -> list[int]:
    return sorted(one.status if isinstance(one, ApiError) else 200 for one in found)


async def test_exactly_the_keys_limit_is_open_over_many_workers(valkey: redis.asyncio.Redis, settings: Any) -> None:
    found = await opened(workers(valkey, 4), principal(), 60)
    assert statuses(found) == [200] * 20 + [429] * 40
    refusal = next(one for one in found if isinstance(one, ApiError))
    assert (refusal.code, refusal.type) == ("too_many_streams", "rate_limit_error")
    assert "This key has 20 streams open" in refusal.message
    assert refusal.headers["retry-after"] == "1"


async def test_the_keys_of_an_organisation_share_its_limit(valkey: redis.asyncio.Redis, limits: Any) -> None:
    streams, organization = workers(valkey, 2), next(_ids)
    mine, yours = principal(organization), principal(organization)
    assert statuses(await opened(streams, mine, 3)) == [200] * 3
    found = await opened(streams, yours, 3)
    assert statuses(found) == [200, 200, 429]
    assert "Your organisation has 5 streams open" in str(next(one for one in found if isinstance(one, ApiError)))
    assert statuses(await opened(streams, principal(), 3)) == [200] * 3  # another organisation's


async def test_what_has_ended_makes_room(valkey: redis.asyncio.Redis, limits: Any) -> None:
    (streams,) = workers(valkey, 1)
    who = principal()
    leases = await opened([streams], who, 3)
    assert statuses(await opened([streams], who, 1)) == [429]
    assert isinstance(leases[0], Lease)
    streams.close(leases[0])
    streams.close(leases[0])  # a second time is no second place
    await streams.drain()
    assert statuses(await opened([streams], who, 2)) == [200, 429]


async def test_a_process_serves_so_many_and_no_more(valkey: redis.asyncio.Redis, settings: Any) -> None:
    settings.GATEWAY_STREAMS_PER_PROCESS = 2
    (streams,) = workers(valkey, 1)
    found = [*await opened([streams], principal(), 2), *await opened([streams], principal(), 1)]
    assert statuses(found) == [200, 200, 503]
    assert isinstance(found[-1], ApiError)
    assert (found[-1].code, found[-1].headers["retry-after"]) == ("too_many_streams", "1")


async def test_the_streams_of_a_worker_that_died_run_out(valkey: redis.asyncio.Redis, limits: Any) -> None:
    (streams,) = workers(valkey, 1)
    who = principal()
    names = Lease(who.api_key_id, who.organization_id).names
    for name in names:
        past = (time.time() - 1) * 1000
        await valkey.zadd(name, {"dead-1": past, "dead-2": past, "dead-3": past})
    assert statuses(await opened([streams], who, 3)) == [200] * 3
    assert [await valkey.zcard(name) for name in names] == [3, 3]
    for name in names:
        assert 0 < await valkey.pttl(name) <= LEASE_SECONDS * 1000


async def test_an_open_stream_is_renewed_also_when_valkey_lost_it(valkey: redis.asyncio.Redis, limits: Any) -> None:
    streams, other = workers(valkey, 2)
    who = principal()
    (lease, *_) = await opened([streams], who, 3)
    assert isinstance(lease, Lease)
    for name in lease.names:
        await valkey.delete(name)
    await streams.renew()
    assert statuses(await opened([other], who, 1)) == [429]
    left = await valkey.zscore(lease.names[0], lease.stream)
    assert left is not None
    assert left - time.time() * 1000 > (LEASE_SECONDS - 5) * 1000


async def test_who_gives_up_while_valkey_is_asked_holds_nothing(valkey: redis.asyncio.Redis, limits: Any) -> None:
    (streams,) = workers(valkey, 1)
    who = principal()
    asking = asyncio.create_task(streams.open(who))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await streams.drain()
    assert await valkey.zcard(Lease(who.api_key_id, who.organization_id).names[0]) == 0
    assert statuses(await opened([streams], who, 3)) == [200] * 3


async def test_without_valkey_each_worker_counts_its_share(limits: Any) -> None:
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    streams = Streams(Scripts(away), workers=2)
    who = principal()
    found = await opened([streams], who, 4)
    assert statuses(found) == [200, 200, 429, 429]  # half of three, rounded up
    streams.close(next(one for one in found if isinstance(one, Lease)))
    await streams.renew()  # to no avail, and without a word
    assert statuses(await opened([streams], who, 1)) == [200]
    assert statuses(await opened([streams], principal(who.organization_id), 2)) == [200, 429]  # half of five
    await streams.drain()
    await away.aclose()
