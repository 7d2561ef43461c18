"""What a request takes of its key's minute, and what becomes of it when it ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis.asyncio
from django.conf import settings

from accounts.directory import Principal
from billing.entries import Entry as LedgerEntry
from billing.entries import Rule
from billing.usage import Usage
from gateway import request_ids
from gateway.allowances import Allowance, Allowances
from gateway.buckets import Buckets
from gateway.errors import ApiError
from gateway.limits import Limiter
from gateway.operations import CHAT
from gateway.payment import Cashier
from gateway.scripts import Scripts
from tests.gateway.test_registry import CALLER, entry

_ids = itertools.count(int(time.time() * 1000))


@pytest.fixture
async def allowances() -> AsyncIterator[Allowances]:
    valkey = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    scripts = Scripts(valkey)
    yield Allowances(Limiter(scripts, workers=1), Buckets(scripts, workers=1))
    await valkey.aclose()


def key(tokens: int | None, **more: Any) -> Principal:
    return replace(CALLER, api_key_id=next(_ids), tokens_per_minute=tokens, **more)


def ended(rule: Rule, **usage: int) -> LedgerEntry:
    return LedgerEntry(request_ids.new(), 1, 1, rule=rule, usage=Usage(**usage))


def left(allowance: Allowance) -> int:
    return int(allowance.headers()["x-ratelimit-remaining-tokens"])


async def test_a_key_without_a_limit_of_tokens_is_told_of_none(allowances: Allowances) -> None:
    allowance = await allowances.admit(key(None))
    allowance.check()
    await allowance.take(10**12)
    assert not allowance.counts_tokens
    assert not [name for name in allowance.headers() if name.endswith("-tokens")]


async def test_what_a_request_may_use_is_taken_and_what_it_used_remains_so(allowances: Allowances) -> None:
    who = key(60)
    allowance = await allowances.admit(who)
    assert left(allowance) == 60
    await allowance.take(60)
    assert left(allowance) == 0
    allowance.settle(ended(Rule.COMPLETE, input=3, output=5, reasoning=2))
    await allowances.drain()
    assert 50 <= left(await allowances.admit(who)) < 60


@pytest.mark.parametrize("rule", [Rule.FAILED, Rule.REFUSED])
async def test_a_request_that_came_to_nothing_used_nothing(allowances: Allowances, rule: Rule) -> None:
    who = key(60)
    allowance = await allowances.admit(who)
    await allowance.take(60)
    allowance.settle(ended(rule, input=60))
    await allowances.drain()
    assert left(await allowances.admit(who)) == 60


async def test_what_a_request_used_beyond_what_was_taken_the_next_ones_wait_for(allowances: Allowances) -> None:
    who = key(60)
    allowance = await allowances.admit(who)
    await allowance.take(10)
    allowance.settle(ended(Rule.COMPLETE, output=600))
    await allowances.drain()
    with pytest.raises(ApiError, match="60 tokens a minute, and none is left") as refused:
        (await allowances.admit(who)).check()
    assert refused.value.headers == {"retry-after": "60"}  # never longer: client libraries would not wait


async def test_a_request_that_is_larger_than_the_limit_is_told_that_waiting_does_not_help(
    allowances: Allowances,
) -> None:
    allowance = await allowances.admit(key(60))
    with pytest.raises(ApiError, match="may use 61 tokens, and this key may use 60 a minute") as refused:
        await allowance.take(61)
    assert (refused.value.status, refused.value.headers) == (429, {"x-should-retry": "false"})
    assert left(allowance) == 60


async def test_a_second_try_takes_in_place_of_the_first(allowances: Allowances) -> None:
    allowance = await allowances.admit(key(60))
    await allowance.take(50)
    await allowance.take(55)
    assert left(allowance) <= 10


async def test_tokens_whose_request_is_cancelled_come_back(allowances: Allowances) -> None:
    who = key(60)
    allowance = await allowances.admit(who)
    taking = asyncio.create_task(allowance.take(60))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    allowance.settle(ended(Rule.REFUSED))
    await allowances.drain()
    assert left(await allowances.admit(who)) == 60


class Till:
    """A ledger that refuses, or not."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.reserved = 0

    async def reserve(self, *args: object, **amounts: object) -> None:
        if self.refusal:
            raise self.refusal
        self.reserved += 1

    async def quote(self, model: str, organization: int) -> Any:
        return SimpleNamespace(free=True)


def admit(till: Till, allowance: Allowance | None, **body: Any) -> Any:
    cashier = Cashier(ledger=cast("Any", till), tariffs=cast("Any", till))
    asked = {"model": "small", "messages": [{"role": "user", "content": "hi"}], **body}
    return cashier.admit(CHAT, asked, entry("small"), LedgerEntry(request_ids.new(), 1, 1), allowance)


async def test_tokens_are_counted_also_where_the_model_is_free(allowances: Allowances) -> None:
    allowance, till = await allowances.admit(key(600)), Till()
    await admit(till, allowance, max_tokens=100)
    assert till.reserved == 1
    assert 400 < left(allowance) <= 500


async def test_an_answer_without_a_limit_takes_no_more_than_makes_a_call_worth_while(allowances: Allowances) -> None:
    allowance = await allowances.admit(key(600))
    await admit(Till(), allowance)
    assert 200 < left(allowance) <= 600 - settings.GATEWAY_OUTPUT_FLOOR_TOKENS


async def test_tokens_that_are_not_there_refuse_a_request_that_could_be_paid(allowances: Allowances) -> None:
    who = key(600)
    await (await allowances.admit(who)).take(590)
    with pytest.raises(ApiError, match="more than are left") as refused:
        await admit(Till(), await allowances.admit(who), max_tokens=400)
    assert refused.value.code == "rate_limit_exceeded"


async def test_tokens_of_a_request_that_cannot_be_paid_come_back(allowances: Allowances) -> None:
    who = key(600)
    allowance = await allowances.admit(who)
    with pytest.raises(ApiError) as refused:
        await admit(Till(OSError("away")), allowance, max_tokens=500)
    assert refused.value.status == 503
    allowance.settle(ended(Rule.REFUSED))
    await allowances.drain()
    assert left(await allowances.admit(who)) == 600
