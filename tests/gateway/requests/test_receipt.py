"""The receipt of one request: a person can follow each figure to the charge, and the charge to the ledger."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey, Organization, User
from billing import arithmetic
from billing.models import Transfer, UsageEvent
from billing.money import NANO
from billing.usage import Usage
from tests.factories import make_key, make_organization, make_price, make_price_list
from tests.gateway.requests.events import LIST, end, hold, receipt, text

pytestmark = pytest.mark.django_db

BUCKETS = Usage(1204, 18_342, 2048, 12, 3, 4, 611, 288, 5, 6)


def test_each_bucket_is_multiplied_by_its_price(developer: Client, key: ApiKey) -> None:
    price = make_price("gpt-6-luna", input="2", output="10", cached_input="0.1", cache_write="2.5")
    page = text(developer.get(receipt(end(key, price, Usage(input=1204, cache_read=18_342, output=611)))))
    assert "Input 1,204 \u00d7 $2.00 $0.0024080" in page
    assert "Input from the cache 18,342 \u00d7 $0.10 $0.0018342" in page
    assert "Output 611 \u00d7 $10.00 $0.0061100" in page
    assert "In all $0.0103522 Charged $0.0103522" in page
    assert f"Price version {price.pk} of gpt-6-luna" in page


def test_the_fee_the_markup_and_the_rounding_stand_in_it(developer: Client, key: ApiKey) -> None:
    price = make_price("gpt-6-luna", input="1.25", output="10", request="0.005")
    page = text(developer.get(receipt(end(key, price, Usage(input=13, output=1), markup=1750))))
    assert "Fee of the request $0.00500000000" in page
    assert "Together $0.00502625000" in page
    assert "Markup 17.5 % +$0.00087959375" in page
    assert "Exactly $0.00590584375" in page
    assert "Rounded up to a billionth of a dollar $0.005905844 Charged $0.005905844" in page


def test_a_discount_is_called_one(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(end(key, make_price("gpt-6-luna"), Usage(input=1000), markup=-500))))
    assert "Discount -5 % \u2212$0.000050" in page


def test_a_price_list_is_what_is_multiplied_by_and_no_markup_is_added(developer: Client, key: ApiKey) -> None:
    usual = make_price("gpt-6-luna", input="2")
    own = make_price("gpt-6-luna", input="1.5", price_list=make_price_list())
    page = text(developer.get(receipt(end(key, usual, Usage(input=1000), markup=1000, listed=own))))
    assert "Input 1,000 \u00d7 $1.50 $0.001500" in page
    assert f"Price version {own.pk}" in page
    assert "from your price list" in page
    assert "Markup" not in page


def test_a_tier_is_named(developer: Client, key: ApiKey) -> None:
    price = make_price("gpt-6-luna", input="1", tiers=[{"above": 500, "input": "4"}])
    page = text(developer.get(receipt(end(key, price, Usage(input=501)))))
    assert "Input 501 \u00d7 $4.00" in page
    assert "prompts of more than 500 tokens" in page


def test_what_came_to_more_than_was_held_is_not_charged_and_it_is_said(developer: Client, key: ApiKey) -> None:
    one = end(key, make_price("gpt-6-luna"), Usage(output=1000), amount=1_500_000)
    page = text(developer.get(receipt(one)))
    assert "In all $0.002 More than was held, and not charged \u2212$0.0005 Charged $0.0015" in page
    assert "Given back $0.00" in page


def test_a_charge_that_is_not_the_sum_says_why(developer: Client, key: ApiKey) -> None:
    fields: dict[str, Any] = {"rule": "orphaned", "status": 500, "error_code": "interrupted", "charged_nano": 1_000_000}
    differs = text(developer.get(receipt(end(key, make_price("gpt-6-luna"), Usage(output=1000), **fields))))
    assert "In all $0.002 Charged $0.001" in differs
    assert "The charge is not this sum" in differs
    agrees = text(developer.get(receipt(end(key, make_price("claude"), Usage(output=1000)))))
    assert "The charge is not this sum" not in agrees


def test_what_was_held_and_given_back_stands_there(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(end(key, make_price("gpt-6-luna"), Usage(output=1000), amount=5_000_000))))
    assert "Held when it was admitted $0.005 Charged $0.002 Given back $0.003" in page


@pytest.mark.parametrize("markup", [0, 1750, -333])
def test_the_sum_is_what_the_ledger_charged(key: ApiKey, markup: int) -> None:
    price = make_price("gpt-6-luna", input="1.234567", output="9.87", cache_write_1h="3.3", request="0.000000001")
    event = UsageEvent.objects.get(request_id=end(key, price, BUCKETS, markup=markup))
    found = arithmetic.of(event)
    assert found is not None
    parts = [Decimal(line.amount.removeprefix("$")) for line in found.lines]
    together = sum(parts) + Decimal(found.fee.removeprefix("$"))
    assert together == Decimal(found.subtotal.removeprefix("$"))
    exact = Decimal(found.exact.removeprefix("$"))
    assert exact == together * (10_000 + markup) / 10_000
    assert 0 <= Decimal(event.charged_nano) / NANO - exact < Decimal(1) / NANO
    assert found.comes_to_nano == event.charged_nano
    assert [line.tokens for line in found.lines] == [1204, 18_342, 2048, 12, 3, 4, 611, 288, 5, 6]


def test_without_its_price_nothing_is_made_up(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(end(key, None, Usage(input=5)))))
    assert "Price version" not in page
    assert "The answer came to its end. What it used is charged." in page


RULES: list[tuple[dict[str, Any], str]] = [
    ({"rule": "stopped", "status": 499}, "The caller hung up. The prompt and what had been produced"),
    ({"rule": "stopped", "status": 502}, "The answer stopped early."),
    ({"rule": "failed", "status": 502}, "It failed before any output. Nothing is charged."),
    ({"rule": "refused", "status": 404}, "Nothing was sent to a provider. Nothing is charged."),
    ({"rule": "free"}, "The model costs nothing."),
    ({"rule": "replayed"}, "It is the answer of an earlier request with the same Idempotency-Key."),
    ({"rule": "orphaned", "status": 500, "error_code": "interrupted"}, "What it had last reported is charged."),
    ({"rule": "late"}, "was taken for dead and came back"),
    ({"rule": ""}, "It was made before charges were recorded here."),
]


@pytest.mark.parametrize(("fields", "told"), RULES, ids=[told for _, told in RULES])
def test_the_rule_that_decided_is_told_in_words(
    developer: Client, key: ApiKey, fields: dict[str, Any], told: str
) -> None:
    assert told in text(developer.get(receipt(end(key, None, **fields))))


def test_where_nothing_is_charged_no_sum_is_shown(developer: Client, key: ApiKey) -> None:
    one = end(key, make_price("gpt-6-luna"), Usage(), rule="failed", status=502, charged_nano=0)
    page = text(developer.get(receipt(one)))
    assert "Price for a million" not in page
    assert "No entry: nothing was charged" in page


def test_an_error_is_told_in_the_words_of_the_documentation(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(end(key, rule="failed", status=504, error_code="upstream_timeout"))))
    assert "504 upstream_timeout The provider did not answer in time. Try again." in page


def test_an_error_that_only_its_provider_knows_is_no_riddle(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(end(key, rule="failed", status=400, error_code="tool_use_failed"))))
    assert "400 tool_use_failed The provider refused it, with a code of its own." in page


def test_every_call_of_a_provider_is_listed_without_what_it_cost_us(developer: Client, key: ApiKey) -> None:
    attempts = [
        {"provider": "openai", "upstream_model": "luna", "status": 429, "error_code": "rate_limit_exceeded", "ms": 82,
         "cost_nano": 0},
        {"provider": "azure", "upstream_model": "luna-eu", "status": 200, "error_code": "", "ms": 310, "cost_nano": 77},
    ]  # fmt: skip
    response = developer.get(receipt(end(key, attempts=attempts, cost_nano=77_123_456)))
    page = text(response)
    assert "openai luna 429 rate_limit_exceeded 82 ms azure luna-eu 200 310 ms" in page
    assert "Sent to azure · answered 200 in 310 ms after 86 ms" in page
    assert "077123456" not in page


def test_the_timeline_goes_from_its_arrival_to_its_end(developer: Client, key: ApiKey) -> None:
    response = developer.get(receipt(end(key, None, Usage(output=5), amount=10**6)))
    steps = [(step.label, step.after) for step in response.context["receipt"].steps]
    assert steps == [
        ("Arrived", ""), ("Admitted", "after 4 ms"), ("Sent to openai", "after 4 ms"), ("First token", "after 412 ms"),
        ("Ended", "after 1.9 s"),
    ]  # fmt: skip
    phases = response.context["receipt"].phases
    assert [(phase.label, phase.took) for phase in phases] == [
        ("Queued", "4 ms"), ("Until the first token", "408 ms"), ("Answering", "1.5 s"),
    ]  # fmt: skip
    assert sum(phase.width for phase in phases) == pytest.approx(100, abs=0.1)


def test_clocks_that_differ_make_no_time_negative(developer: Client, key: ApiKey) -> None:
    one = end(key, started_at="2026-11-20T12:30:05+00:00", first_token_ms=5000, duration_ms=3000)
    response = developer.get(receipt(one))
    assert all(phase.width >= 0 for phase in response.context["receipt"].phases)
    assert "Queued 0 ms" in text(response)


def test_the_entry_in_the_ledger_is_a_link_away(developer: Client, key: ApiKey) -> None:
    one = end(key, make_price("gpt-6-luna"), Usage(output=1000))
    entry = Transfer.objects.get(kind="usage", ref=str(one))
    response = developer.get(receipt(one))
    address = f"/o/acme/billing/?before={entry.pk + 1}"
    assert f'href="{address}#ledger"' in response.content.decode()
    assert str(one) in text(developer.get(address))


def test_its_key_is_a_link_away(developer: Client, key: ApiKey) -> None:
    page = developer.get(receipt(end(key))).content.decode()
    assert f'href="/o/acme/keys/{key.pk}/">production</a> <code>{key.hint}</code>' in page
    assert f'href="{LIST}?key={key.pk}"' in page


def test_one_that_runs_says_so_and_what_it_holds(developer: Client, key: ApiKey) -> None:
    page = text(developer.get(receipt(hold(key, amount=5_000_000))))
    assert "Running" in page
    assert "Held $0.0050" in page
    assert "Sent to openai" in page
    assert "What it cost" not in page


def test_what_callers_and_providers_wrote_is_text(developer: Client, key: ApiKey) -> None:
    mark = "<script>alert(1)</script>"
    one = end(
        key, model_requested=mark, model=mark, provider=mark, error_code=mark, external_id=mark, status=400,
        finish_reason="<b>stop</b>", attempts=[{"provider": mark, "status": 400, "error_code": mark, "ms": 1}],
    )  # fmt: skip
    for address in (receipt(one), LIST):
        page = developer.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<b>stop" not in page
        assert "&lt;script&gt;alert" in page


def test_the_request_of_another_organisation_is_not_there(
    client: Client, charlie: User, organization: Organization, key: ApiKey
) -> None:
    ours = end(key)
    theirs = end(make_key(make_organization("neighbour"))[0])
    client.force_login(charlie)
    assert client.get(receipt(ours)).status_code == 404
    assert client.get(f"/o/stranger/requests/{ours}/").status_code == 404
    client.force_login(organization.memberships.first().user)  # type: ignore[union-attr]
    assert client.get(receipt(ours)).status_code == 200
    assert client.get(receipt(theirs)).status_code == 404
    assert client.get(receipt(uuid.uuid4())).status_code == 404
