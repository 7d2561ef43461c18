"""The limits page tells where keys stand as the data plane counts, and its look is not counted."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.directory import Principal
from accounts.models import ApiKey, Organization, User
from billing.models import Budget, UsageDay
from gateway import limits_now
from gateway.buckets import Buckets
from gateway.limits import Limiter, log_of
from gateway.scripts import Scripts
from gateway.streams import Streams
from tests.factories import make_credit, make_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
PAGE = "/o/acme/limits/"


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


def words(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    page = re.sub("<(script|style).*?</\\1>", "", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def use(key: ApiKey, requests: int = 1) -> None:
    """So many today, as the roll-ups have it."""
    UsageDay.objects.create(
        organization=key.organization, day=timezone.now().date(), api_key_id=key.pk, model="m", requests=requests
    )


def with_valkey(work: Callable[[Scripts], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
        try:
            return await work(Scripts(client))
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_requests_tokens_and_streams_are_those_that_the_data_plane_counted(
    member: Client, organization: Organization
) -> None:
    key, _ = make_key(organization, name="busy", requests_per_minute=10, tokens_per_minute=6000, parallel_streams=4)
    use(key)
    principal = Principal(
        key.pk, organization.pk, "acme", 10, None, revoked=False, suspended=False, sandbox_enabled=True,
        retired_models="", parallel_streams=4,
    )  # fmt: skip

    async def work(scripts: Scripts) -> None:
        buckets, streams = Buckets(scripts, workers=1), Streams(scripts, workers=1)
        for _ in range(3):
            await buckets.admit(key.pk, requests=10, limit=6000)
        await buckets.take(key.pk, 6000, 5500)
        for _ in range(2):
            await streams.open(principal)

    with_valkey(work)
    row = limits_now.look(organization, [key], timezone.now()).rows[0]
    assert (row.requests.used, row.requests.limit, row.requests.state) == (3, 10, "within")
    assert row.requests.free_at is not None
    assert timedelta(0) < row.requests.free_at - timezone.now() <= timedelta(seconds=61)
    assert row.tokens is not None
    assert row.tokens.used is not None
    assert 5000 < row.tokens.used <= 5500  # it fills all the time
    assert (row.streams.used, row.streams.limit) == (2, 4)
    page = words(member)
    assert "busy" in page
    assert "3 of 10" in page
    assert "2 of 4" in page
    assert f"Streams open 2 of {settings.GATEWAY_STREAMS_PER_ORGANIZATION}" in page


def test_looking_is_not_counted(member: Client, organization: Organization, key: ApiKey, valkey: redis.Redis) -> None:
    use(key)
    with_valkey(lambda scripts: Limiter(scripts, workers=1).take(key.pk, 60))
    before = valkey.lrange(log_of(key.pk), 0, -1)
    for _ in range(3):
        assert "1 of 60" in words(member)
    assert valkey.lrange(log_of(key.pk), 0, -1) == before
    assert len(before) == 1
    assert valkey.keys("*tpm*") == []


def test_a_key_that_did_nothing_leaves_nothing_behind(
    organization: Organization, key: ApiKey, valkey: redis.Redis
) -> None:
    row = limits_now.look(organization, [key], timezone.now()).rows[0]
    assert (row.requests.used, row.requests.free_at, row.tokens, row.streams.used) == (0, None, None, 0)
    assert valkey.keys("*pm:*") == []


def test_what_has_left_the_window_is_not_used_any_more(
    organization: Organization, key: ApiKey, valkey: redis.Redis
) -> None:
    seconds, _ = valkey.time()
    valkey.rpush(log_of(key.pk), (seconds - 61) * 1000, seconds * 1000)
    assert limits_now.look(organization, [key], timezone.now()).rows[0].requests.used == 1


def test_streams_of_a_worker_that_died_are_not_open(
    organization: Organization, key: ApiKey, valkey: redis.Redis
) -> None:
    seconds, _ = valkey.time()
    name = f"streams:{{{organization.pk}}}"
    valkey.zadd(name, {"dead": (seconds - 5) * 1000, "alive": (seconds + 30) * 1000})
    assert limits_now.look(organization, [key], timezone.now()).streams.used == 1


def test_without_valkey_the_page_says_so_and_shows_the_limits(
    member: Client, organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(key)
    make_credit(organization, 7)
    away = redis.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.5)
    monkeypatch.setattr(limits_now, "_valkey", lambda: away)
    page = words(member)
    assert "What is used at this moment cannot be told: Valkey does not answer." in page
    assert f"not known, of {settings.GATEWAY_DEFAULT_RPM}" in page
    assert "Available to spend $7.00" in page


def test_the_busiest_keys_of_today_come_first_and_others_are_a_page_away(
    member: Client, organization: Organization
) -> None:
    names = ("quiet", "calm", "loud", "gone")
    keys = {name: make_key(organization, name=name)[0] for name in names}
    use(keys["calm"], 2)
    use(keys["loud"], 9)
    use(keys["gone"], 99)
    keys["gone"].revoke()
    page = words(member)
    assert page.index("loud") < page.index("calm")
    assert "quiet" not in page
    assert "gone" not in page
    everything = words(member, f"{PAGE}?keys=all")
    assert all(name in everything for name in ("quiet", "calm", "loud"))
    assert "gone" not in everything


def test_all_keys_are_read_page_by_page_with_as_many_queries(
    member: Client, organization: Organization, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(53):
        make_key(organization, name=f"number {number:02}")
    words(member)
    seen, path = [], f"{PAGE}?keys=all"
    for _ in range(2):
        with django_assert_max_num_queries(16):
            page = member.get(path).content.decode()
        seen.append(re.findall(r">number (\d\d)</a>", page))
        older = re.search(r'href="(\?keys=all&amp;before=\d+)#keys"', page)
        path = f"{PAGE}{html.unescape(older.group(1))}" if older else ""
    assert [len(numbers) for numbers in seen] == [50, 3]
    assert path == ""


def test_budgets_stand_with_what_they_limit(member: Client, organization: Organization, key: ApiKey) -> None:
    use(key)
    Budget.objects.create(organization=organization, name="Everything", limit_nano=50 * 10**9)
    Budget.objects.create(
        organization=organization,
        name="Single",
        scope="api_key",
        target_id=key.pk,
        limit_nano=3 * 10**9,
        period="total",
    )
    page = words(member)
    assert "Everything $0.00 of $50.00" in page
    assert "$0.00 of $3.00 Never resets" in page
    assert "Single" not in page


def test_keys_of_others_are_not_there(client: Client, charlie: User, organization: Organization, key: ApiKey) -> None:
    use(key)
    client.force_login(charlie)
    assert client.get(PAGE).status_code == 404
    for path in ("/o/stranger/limits/", "/o/stranger/limits/?keys=all"):
        assert "production" not in words(client, path)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "٣"])
def test_a_cursor_that_is_none_means_the_newest(member: Client, key: ApiKey, before: str) -> None:
    assert "production" in words(member, f"{PAGE}?keys=all&before={before}")
