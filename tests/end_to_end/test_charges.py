"""What each way to end costs: the rules of docs/billing.md, row by row."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from billing import money
from billing.models import Transfer, UsageEvent
from tests import books
from tests.end_to_end import priced
from tests.end_to_end.conftest import Caller, MakeCaller, chat_body
from tests.end_to_end.priced import GONE, LIST_MARKUP, LISTED, MARKUP, RESOLD
from tests.end_to_end.registry import CLAUDE, FALLBACK, GPT, OLD
from tests.factories import make_credit, make_key
from tests.fakes.answers import NO_ANSWER, Answer, Ending
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI
from tests.fakes.server import FakeVendor

LONG = "word " * 2000
BOTH = pytest.mark.parametrize("model", [GPT, CLAUDE])
STREAMED = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture
def vendor(model: str, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic) -> FakeVendor:
    return fake_openai if model == GPT else fake_anthropic


def at_usual_price(row: UsageEvent) -> int:
    """One dollar for a million tokens of input, two for output, in nano-dollars."""
    return row.input_tokens * 1000 + row.output_tokens * 2000


def paid(caller: Caller) -> list[int]:
    """Its transfers for usage, once every row is there."""
    entries = Transfer.objects.of(caller.organization).filter(kind="usage").order_by("id")
    return [entry.amount_nano for entry in entries]


def assert_charged(caller: Caller, amount: int, *, rule: str) -> UsageEvent:
    row = caller.row()
    assert (row.rule, row.charged_nano, row.absorbed_nano) == (rule, amount, 0)
    assert paid(caller) == ([amount] if amount else [])
    with books.connect() as own:
        posted, held = books.wallet(own, caller.organization.pk)
    assert (posted, held) == (1000 * money.NANO - amount, 0)
    return row


def words_sent(vendor: FakeVendor, answer: Answer) -> int:
    """How many words the fake had written when it was hung up on."""
    written = b"".join(vendor.events(vendor.last.json, answer))[: vendor.last.sent]
    return written.count(b'"word ')


@BOTH
def test_the_cost_in_the_header_is_the_rows_charge(caller: Caller, model: str) -> None:
    answer = caller.chat(model)
    row = assert_charged(caller, at_usual_price(caller.row()), rule="complete")
    assert answer.headers["x-2389-cost"] == money.dollars(row.charged_nano)
    assert row.cost_nano == row.charged_nano > 0
    assert row.price_id == priced.price_of(model).pk


@BOTH
def test_the_cost_at_the_end_of_a_stream_is_the_rows_charge(caller: Caller, model: str) -> None:
    answer = caller.chat(model, stream=True, stream_options={"include_usage": True})
    row = assert_charged(caller, at_usual_price(caller.row()), rule="complete")
    assert answer.text.endswith(f"\n\n: x-2389-cost {money.dollars(row.charged_nano)}\n\ndata: [DONE]\n\n")


@BOTH
def test_a_stream_that_does_not_ask_for_usage_is_not_told_its_cost(caller: Caller, model: str) -> None:
    assert "x-2389-cost" not in caller.chat(model, stream=True).text
    assert_charged(caller, at_usual_price(caller.row()), rule="complete")


@BOTH
def test_hanging_up_pays_for_what_was_produced_until_then(caller: Caller, vendor: FakeVendor, model: str) -> None:
    answer = Answer(text=LONG, pause=0.004)
    vendor.script(answer)
    with caller.http.stream("POST", "/chat/completions", json=chat_body(model, stream=True)) as response:
        heard = 0
        for line in response.iter_lines():
            heard += '"content":"word' in line
            if heard == 400:
                break
    assert vendor.last.ended.wait(5)
    row = assert_charged(caller, at_usual_price(caller.row()), rule="stopped")
    sent = words_sent(vendor, answer)
    assert 400 <= sent < 1000
    assert abs(row.output_tokens - sent) <= 0.02 * sent
    assert row.input_tokens > 0


@BOTH
@STREAMED
def test_hanging_up_before_the_first_word_pays_for_the_prompt(
    caller: Caller, vendor: FakeVendor, model: str, stream: bool
) -> None:
    vendor.script(NO_ANSWER)
    with pytest.raises(httpx.ReadTimeout):
        caller.http.post("/chat/completions", json=chat_body(model, stream=stream), timeout=0.4)
    row = assert_charged(caller, at_usual_price(caller.row()), rule="stopped")
    assert row.output_tokens == 0
    assert row.charged_nano > 0


BREAKS = {
    "error event": Answer(text=LONG, fails_after=50),
    "closed": Answer(text=LONG, keep=9000, ending=Ending.CLOSE),
    "reset": Answer(text=LONG, keep=9000, ending=Ending.RESET, pause=0.001),
    "silence": Answer(text=LONG, keep=9000, ending=Ending.SILENCE),
}


@BOTH
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_stream_that_its_provider_breaks_off_pays_for_what_came(
    caller: Caller, vendor: FakeVendor, model: str, broken: Answer
) -> None:
    vendor.script(broken)
    answer = caller.chat(model, stream=True)
    heard = answer.text.count('"content":"word')
    row = assert_charged(caller, at_usual_price(caller.row()), rule="stopped")
    assert heard > 20
    assert abs(row.output_tokens - heard) <= 1  # the space at the end counts
    assert "x-2389-cost" not in answer.text


SILENT = {
    "refused": Answer(status=500, body=b"{}"),
    "limited": Answer(status=429, body=b"{}"),
    "nothing": Answer(body=b""),
    "garbage": Answer(raw=b"not http at all\r\n\r\n"),
    "error event": Answer(fails_after=0),
}


@BOTH
@pytest.mark.parametrize("failed", SILENT.values(), ids=SILENT)
def test_what_fails_before_any_output_costs_nothing(
    caller: Caller, vendor: FakeVendor, model: str, failed: Answer
) -> None:
    vendor.script(failed)
    assert caller.chat(model, stream=True).status_code >= 400
    row = assert_charged(caller, 0, rule="failed")
    assert row.cost_nano == 0
    assert row.held_nano > 0


@STREAMED
def test_a_second_route_is_charged_once_and_both_are_in_the_row(
    caller: Caller, fake_openai: FakeOpenAI, stream: bool
) -> None:
    fake_openai.script(Answer(status=503, body=b"{}"))
    assert caller.chat(FALLBACK, stream=stream).status_code == 200
    row = assert_charged(caller, at_usual_price(caller.row()), rule="complete")
    first, second = row.attempts
    assert (first["provider"], first["status"], first["cost_nano"]) == ("openai", 503, 0)
    assert (second["provider"], second["status"], second["cost_nano"]) == ("anthropic", 200, row.cost_nano)


def test_routes_that_all_fail_cost_nothing(
    caller: Caller, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic
) -> None:
    fake_openai.script(Answer(status=503, body=b"{}"))
    fake_anthropic.script(Answer(status=503, body=b"{}"))
    assert caller.chat(FALLBACK).status_code >= 500
    assert len(assert_charged(caller, 0, rule="failed").attempts) == 2


@pytest.mark.parametrize("model", [OLD, GONE])
def test_a_successor_is_charged_at_its_own_price(caller: Caller, model: str) -> None:
    """Be the other one gone for long, or found to be at this very request."""
    assert caller.chat(model).status_code == 200
    row = assert_charged(caller, at_usual_price(caller.row()), rule="complete")
    assert (row.model_requested, row.model, row.price_id) == (model, GPT, priced.price_of(GPT).pk)


@pytest.mark.parametrize(("slug", "model"), [(RESOLD, GPT), (RESOLD, CLAUDE), (LISTED, GPT), (LISTED, CLAUDE)])
@STREAMED
def test_a_customer_pays_its_own_terms_and_the_row_knows_what_we_are_asked(
    make_caller: MakeCaller, slug: str, model: str, stream: bool
) -> None:
    """The list has a price for one of the two models, and a markup for all others."""
    caller = make_caller()  # for its address; the key is the customer's
    owner = priced.customer(slug)
    make_credit(owner, 1, ref=f"{slug} {model} {stream}")
    key, secret = make_key(owner, requests_per_minute=1000)
    headers = {"authorization": f"Bearer {secret}"}
    answer = caller.http.post("/chat/completions", json=chat_body(model, stream=stream), headers=headers)
    assert answer.status_code == 200
    row = UsageEvent.objects.of(owner).get(api_key=key)
    assert row.cost_nano == at_usual_price(row)
    if (slug, model) == (LISTED, GPT):
        assert row.charge_price_id not in {None, row.price_id}
        assert row.charged_nano == row.input_tokens * 30_000 + row.output_tokens * 40_000
    else:
        markup = MARKUP if slug == RESOLD else LIST_MARKUP
        assert (row.markup_basis_points, row.charge_price_id) == (markup, None)
        assert row.charged_nano == -(-row.cost_nano * (10_000 + markup) // 10_000)
    if not stream:
        assert Decimal(answer.headers["x-2389-cost"]) * money.NANO == row.charged_nano


@pytest.mark.parametrize("count", [10**12, 10**30])
def test_a_count_that_cannot_be_true_is_absorbed(caller: Caller, fake_openai: FakeOpenAI, count: int) -> None:
    told: dict[str, Any] = fake_openai.whole({"model": GPT, "messages": [{"role": "user"}]}, Answer())
    told["usage"] = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}
    fake_openai.script(Answer(body=json.dumps(told).encode()))
    answer = caller.chat(GPT, max_tokens=100)
    assert answer.status_code == 200
    row = caller.row()
    assert row.charged_nano == row.held_nano > 0
    assert row.absorbed_nano == row.cost_nano - row.charged_nano > 0
    assert paid(caller) == [row.held_nano]
    assert answer.headers["x-2389-cost"] == money.dollars(row.charged_nano)
