"""Money at the front door: what is there is spent once, by four workers at once, and a refusal says what would pass."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from billing import money
from tests import books, live
from tests.end_to_end.conftest import Caller, MakeCaller, chat_body
from tests.end_to_end.priced import COMPATIBLE, FEE, LIMIT, OUTPUT, SHORT, SHORT_CLAUDE, UNPRICED
from tests.end_to_end.registry import CLAUDE, GPT
from tests.fakes.answers import Answer
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI
from tests.fakes.server import FakeVendor

TOKENS = 100
TEN_FEES = 5 * money.NANO
TEN_OUTPUTS = 10 * TOKENS * 10_000


def wallet_of(caller: Caller) -> tuple[int, int]:
    """What was posted, and what is held. In nano-dollars."""
    with books.connect() as own:
        return books.wallet(own, caller.organization.pk)


def give(caller: Caller, nano: int) -> None:
    with books.connect() as own:
        books.enter(own, caller.organization, nano)


@contextmanager
def watched(caller: Caller) -> Iterator[list[tuple[int, int]]]:
    """The wallet, looked at again and again while the block runs."""
    seen: list[tuple[int, int]] = []
    over = threading.Event()

    def look() -> None:
        with books.connect() as own:
            while not over.is_set():
                seen.append(books.wallet(own, caller.organization.pk))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            over.set()
        looking.result()


async def call_at_once(caller: Caller, body: dict[str, Any], *, times: int) -> list[int]:
    """The statuses of so many calls, each over a connection of its own, so that every worker gets some."""
    url, headers = f"{caller.base_url}/chat/completions", {"authorization": f"Bearer {caller.secret}"}

    async def call(client: aiohttp.ClientSession) -> int:
        async with client.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as client:
        return list(await asyncio.gather(*(call(client) for _ in range(times))))


@pytest.mark.parametrize(
    ("model", "credit", "fields"),
    [(FEE, TEN_FEES, {}), (FEE, TEN_FEES, {"stream": True}), (OUTPUT, TEN_OUTPUTS, {"max_tokens": TOKENS})],
    ids=["fee", "streamed", "output"],
)
def test_a_wallet_for_ten_calls_pays_for_ten_of_two_hundred(
    make_caller: MakeCaller, fake_openai: FakeOpenAI, model: str, credit: int, fields: dict[str, Any]
) -> None:
    acme, charlie = make_caller(credit=0), make_caller(credit=7)
    give(acme, credit)
    for _ in range(20):  # a worker's first request is slow, and the bounds of these tests are narrow
        assert charlie.scattered.post("/chat/completions", json=chat_body()).status_code == 200
    fake_openai.usual = Answer(text="word " * TOKENS, delay=0.05)

    with watched(acme) as seen:
        statuses = Counter(asyncio.run(call_at_once(acme, chat_body(model, **fields), times=200)))
    assert statuses == {200: 10, 402: 190}
    assert len(fake_openai.requests) == 10
    acme.rows(200)
    assert min(posted - held for posted, held in seen) == 0
    assert wallet_of(acme) == (0, 0)
    assert wallet_of(charlie) == (7 * money.NANO, 0)
    with books.connect() as own:
        books.assert_balanced(own)


def test_a_stranger_spends_nothing_of_acmes(make_caller: MakeCaller, fake_openai: FakeOpenAI) -> None:
    acme, charlie = make_caller(credit=1000), make_caller(credit=0)
    assert charlie.chat(GPT).status_code == 402
    assert fake_openai.requests == []
    assert (wallet_of(acme), wallet_of(charlie)) == ((1000 * money.NANO, 0), (0, 0))


def test_a_refusal_names_the_longest_answer_that_would_pass(make_caller: MakeCaller) -> None:
    acme = make_caller(credit=0)
    give(acme, money.NANO // 100)
    refused = acme.chat(GPT, max_tokens=10**6)
    assert refused.status_code == 402
    assert refused.headers["x-should-retry"] == "false"
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("insufficient_quota", "insufficient_quota", None)
    limit = error["limit"]
    assert limit | {"request_bound": "", "max_tokens": 0} == {
        "scope": "wallet", "budget_id": None, "name": None, "limit": "0.01", "spent": None, "held": "0.00",
        "available": "0.01", "request_bound": "", "resets_at": None, "max_tokens": 0,
    }  # fmt: skip
    assert Decimal(limit["request_bound"]) > 2
    assert str(limit["max_tokens"]) in error["message"]
    assert acme.chat(GPT, max_tokens=limit["max_tokens"] + 1).status_code == 402
    assert acme.chat(GPT, max_tokens=limit["max_tokens"]).status_code == 200


def test_several_answers_are_bounded_together(make_caller: MakeCaller) -> None:
    acme = make_caller(credit=0)
    give(acme, money.NANO // 100)
    longest = acme.chat(GPT, max_tokens=10**6, n=4).json()["error"]["limit"]["max_tokens"]
    assert acme.chat(GPT, max_tokens=longest + 1, n=4).status_code == 402
    assert acme.chat(GPT, max_tokens=longest, n=4).status_code == 200


def test_a_wallet_that_does_not_pay_the_prompt_names_no_longest_answer(make_caller: MakeCaller) -> None:
    acme = make_caller(credit=0)
    give(acme, 1)
    for longest in (None, 1):
        error = acme.chat(GPT, max_tokens=longest).json()["error"]
        assert error["limit"]["max_tokens"] is None
        assert "Add credit" in error["message"]


@pytest.mark.parametrize(
    ("model", "field"),
    [(SHORT, "max_completion_tokens"), (COMPATIBLE, "max_tokens"), (SHORT_CLAUDE, "max_tokens")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_a_limit_is_held_to_what_the_wallet_pays(
    make_caller: MakeCaller,
    fake_openai: FakeOpenAI,
    fake_anthropic: FakeAnthropic,
    model: str,
    field: str,
    stream: bool,
) -> None:
    acme = make_caller(credit=0)
    give(acme, money.NANO // 500)
    vendor: FakeVendor = fake_anthropic if model == SHORT_CLAUDE else fake_openai
    answer = acme.chat(model, stream=stream)
    assert answer.status_code == 200
    told = int(answer.headers["x-2389-max-tokens"])
    assert 256 <= told < 1000
    assert vendor.last.json[field] == told
    assert acme.row().max_tokens == told


@pytest.mark.parametrize("model", [SHORT, COMPATIBLE, SHORT_CLAUDE])
def test_a_limit_that_is_the_models_own_is_not_sent(
    caller: Caller, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic, model: str
) -> None:
    """But for Anthropic's, which must be told one."""
    answer = caller.chat(model)
    assert answer.headers["x-2389-max-tokens"] == str(LIMIT)
    if model == SHORT_CLAUDE:
        assert fake_anthropic.last.json["max_tokens"] == LIMIT
    else:
        assert not {"max_tokens", "max_completion_tokens"} & set(fake_openai.last.json)


def test_a_limit_of_the_callers_own_is_passed_on_as_it_is(caller: Caller, fake_openai: FakeOpenAI) -> None:
    answer = caller.chat(SHORT, max_tokens=5)
    assert "x-2389-max-tokens" not in answer.headers
    assert fake_openai.last.json["max_tokens"] == 5


def test_a_model_without_a_price_is_refused(caller: Caller, fake_openai: FakeOpenAI) -> None:
    answer = caller.chat(UNPRICED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_not_priced")
    assert fake_openai.requests == []
    assert (caller.row().rule, caller.row().charged_nano) == ("refused", 0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_free_model_needs_no_credit(make_caller: MakeCaller, stream: bool) -> None:
    acme = make_caller(credit=0)
    answer = acme.chat(stream=stream, stream_options={"include_usage": True} if stream else None)
    assert answer.status_code == 200
    assert ": x-2389-cost" not in answer.text
    assert (acme.row().rule, acme.row().charged_nano) == ("free", 0)
    assert wallet_of(acme) == (0, 0)


UNBOUNDED: dict[str, dict[str, Any]] = {
    "models": {"models": [GPT, CLAUDE]},
    "best of": {"best_of": 2},
    "plugins": {"plugins": [{"id": "web"}]},
    "web search": {"web_search_options": {}},
    "web search told how": {"web_search_options": {"search_context_size": "low"}},
    "priority": {"service_tier": "priority"},
    "server tool": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "code": {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
}


@pytest.mark.parametrize("model", [GPT, CLAUDE, COMPATIBLE])
@pytest.mark.parametrize("fields", UNBOUNDED.values(), ids=UNBOUNDED)
def test_what_no_price_bounds_is_refused_before_any_money_is_held(
    caller: Caller, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic, model: str, fields: dict[str, Any]
) -> None:
    answer = caller.chat(model, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unbounded_cost"), answer.text
    assert fake_openai.requests == fake_anthropic.requests == []
    row = caller.row()
    assert (row.rule, row.held_nano, row.charged_nano) == ("refused", 0, 0)
    assert wallet_of(caller) == (1000 * money.NANO, 0)


def test_nothing_is_sent_when_its_settlement_could_not_be_kept(
    gateway: live.Gateway,
    live_settings: dict[str, Any],
    make_caller: MakeCaller,
    fake_openai: FakeOpenAI,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    settings = {**live_settings, "GATEWAY_SPOOL_DIR": tmp_path / "file" / "spool"}
    with live.serving(database=gateway.database, log=tmp_path / "gateway.log", **settings) as other:
        acme = make_caller(at=other)
        answer = acme.chat(GPT)
        assert answer.status_code == 503
        assert fake_openai.requests == []
        assert acme.row().rule == "refused"
        assert wallet_of(acme) == (1000 * money.NANO, 0)
        assert httpx.get(f"{other.origin}/healthz").status_code == 200
