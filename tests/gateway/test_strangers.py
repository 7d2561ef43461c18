"""Callers without a right key, against a real Valkey."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
import redis.asyncio
import time_machine
from django.conf import settings

from accounts import keys
from accounts.directory import Directory, Principal
from gateway.auth import Caller, authenticate
from gateway.errors import ApiError
from gateway.limits import Limiter
from gateway.scripts import Scripts
from gateway.strangers import Strangers
from tests.gateway.test_streams import principal

CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_networks = itertools.count(int(time.time()) % 65_000)


class Known:
    """A directory of keys that counts how often it had to look."""

    def __init__(self) -> None:
        self.principals: dict[bytes, Principal] = {}
        self.seen: set[bytes] = set()
        self.looked = 0

    def add(self) -> str:
        secret = keys.generate()
        self.principals[keys.digests(secret)[0]] = principal()
        return secret

    def has_known(self, digest: bytes) -> bool:
        return digest in self.seen and digest in self.principals

    def has_seen(self, digest: bytes) -> bool:
        return digest in self.seen

    async def find(self, digests: list[bytes]) -> Principal | None:
        self.looked += digests[0] not in self.seen
        self.seen.add(digests[0])
        return self.principals.get(digests[0])


class Door:
    """Calls from one public network."""

    def __init__(self, strangers: Strangers, network: str | None = None) -> None:
        number = next(_networks)
        self.network = f"99.1.{number // 256}.{number % 256}/32" if network is None else network
        self.known = Known()
        self.strangers = strangers

    async def knock(self, header: str) -> tuple[int, dict[str, str]]:
        directory = cast("Directory", self.known)
        try:
            await authenticate(header, directory, caller=Caller("99.1.0.1", self.network), strangers=self.strangers)
        except ApiError as error:
            return (error.status if error.code == CODES[error.status] else 0), error.headers
        return 200, {}

    async def statuses(self, *headers: str) -> list[int]:
        return [(await self.knock(header))[0] for header in headers]


@pytest.fixture
async def valkey() -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    yield client
    await client.aclose()


@pytest.fixture
def door(valkey: redis.asyncio.Redis) -> Door:
    return Door(Strangers(Limiter(Scripts(valkey), workers=1)))


def wrong(count: int) -> list[str]:
    return [f"Bearer {keys.generate()}" for _ in range(count)]


async def test_thirty_requests_without_a_key_are_401_and_then_429(door: Door) -> None:
    assert await door.statuses(*[""] * 32) == [401] * 30 + [429] * 2
    assert 1 <= int((await door.knock(""))[1]["retry-after"]) <= 60


@pytest.mark.parametrize("same", [True, False])
async def test_ten_wrong_keys_are_401_and_then_429(door: Door, same: bool) -> None:
    assert await door.statuses(*(wrong(1) * 12 if same else wrong(12))) == [401] * 10 + [429] * 2


async def test_after_ten_wrong_keys_no_other_is_looked_up(door: Door) -> None:
    await door.statuses(*wrong(30))
    assert door.known.looked == 10


async def test_text_that_is_no_key_counts_as_a_wrong_one_and_is_never_looked_up(door: Door) -> None:
    assert await door.statuses(*["Bearer sk-other"] * 11) == [401] * 10 + [429]
    assert door.known.looked == 0


async def test_a_right_key_that_was_seen_passes_among_any_number_of_wrong_ones(door: Door) -> None:
    right = f"Bearer {door.known.add()}"
    assert await door.statuses(right) == [200]
    await door.statuses(*wrong(20), *[""] * 40)
    assert await door.statuses(*[right] * 50) == [200] * 50


async def test_a_new_key_passes_beside_a_program_with_an_old_one(door: Door) -> None:
    await door.statuses(*wrong(1) * 100, *["Bearer nonsense"] * 100, *[""] * 100)
    assert await door.statuses(f"Bearer {door.known.add()}") == [200]


async def test_a_new_key_waits_only_while_its_neighbours_guess(door: Door) -> None:
    right = f"Bearer {door.known.add()}"
    await door.statuses(*wrong(12))
    status, headers = await door.knock(right)
    assert status == 429
    with time_machine.travel(time.time(), tick=False) as clock:
        clock.shift(int(headers["retry-after"]))
        door.strangers._full_until = dict.fromkeys(door.strangers._full_until, 0.0)  # type: ignore[assignment]
        assert await door.statuses(right) == [200]


@pytest.mark.parametrize("network", ["10.1.0.0/32", "127.0.0.1/32", "fd00::/64", ""])
async def test_from_a_private_address_every_key_is_looked_up(door: Door, network: str) -> None:
    inside = Door(door.strangers, network)
    await inside.statuses(*wrong(30))
    assert inside.known.looked == 30
    assert await inside.statuses(f"Bearer {inside.known.add()}") == [200]


async def test_one_address_does_not_pay_for_another(door: Door) -> None:
    await door.statuses(*wrong(20), *[""] * 40)
    other = Door(door.strangers)
    assert await other.statuses("", *wrong(1)) == [401, 401]


async def test_workers_count_together(valkey: redis.asyncio.Redis, door: Door) -> None:
    elsewhere = Door(Strangers(Limiter(Scripts(valkey), workers=1)), door.network)
    assert await door.statuses(*wrong(10)) == [401] * 10
    assert await elsewhere.statuses(*wrong(1)) == [429]


async def test_without_valkey_each_worker_counts_its_share() -> None:
    away = redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    door = Door(Strangers(Limiter(Scripts(away), workers=2)))
    assert await door.statuses(*wrong(6)) == [401] * 5 + [429]
    await away.aclose()


async def test_a_flood_is_remembered_without_asking_valkey_each_time(valkey: redis.asyncio.Redis, door: Door) -> None:
    await door.statuses(*[""] * 31)
    assert await valkey.delete(f"strangers:{{{door.network}}}:all")  # had it been asked, the flood could begin anew
    assert await door.statuses("") == [429]


async def test_only_so_many_floods_are_remembered(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.strangers.CAPACITY", 2)
    for _ in range(4):
        await Door(door.strangers).statuses(*[""] * 30)
    assert len(door.strangers._full_until) == 2
