"""Prices are exact, buckets are priced apart, and the sum is rounded up once."""

import random
from dataclasses import asdict, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing import money
from billing.pricing import RATES, Rates, Tariff, Terms, charge, tariff
from billing.usage import Usage

SONNET = {
    "input": Decimal(3),
    "cached_input": Decimal("0.30"),
    "cache_write": Decimal("3.75"),
    "cache_write_1h": Decimal(6),
    "output": Decimal(15),
}
LONG = [{"above": 200_000, "input": "6", "output": "22.50", "cached_input": "0.60", "cache_write": "7.50"}]


def sonnet() -> Tariff:
    return tariff(version=1, model="claude", prices=SONNET, tiers=LONG)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(), 0),
        (Usage(input=1), 3_000),
        (Usage(input=25, output=8), 25 * 3_000 + 8 * 15_000),
        (Usage(input=10, cache_read=90, output=1), 10 * 3_000 + 90 * 300 + 15_000),
        (Usage(cache_write_5m=4, cache_write_1h=2), 4 * 3_750 + 2 * 6_000),
        (Usage(output=3, reasoning=5), 8 * 15_000),
        (Usage(input=200_000), 200_000 * 3_000),
        (Usage(input=200_001), 200_001 * 6_000),
        (Usage(input=1, cache_read=200_000, output=2), 6_000 + 200_000 * 600 + 2 * 22_500),
    ],
)
def test_usage_costs_what_the_arithmetic_says(usage: Usage, nano: int) -> None:
    assert sonnet().cost(usage) == nano


def test_the_total_is_rounded_up_once() -> None:
    cheap = tariff(version=1, model="m", prices={"input": Decimal("0.000001"), "output": Decimal("0.000001")})
    assert cheap.cost(Usage(input=1, output=1)) == 1
    assert cheap.cost(Usage(input=999, output=1)) == 1
    assert cheap.cost(Usage(input=1000, output=1)) == 2


def test_a_bucket_without_its_own_price_costs_what_it_is_part_of() -> None:
    plain = tariff(version=1, model="m", prices={"input": Decimal(1), "output": Decimal(2)})
    assert plain.cost(Usage(cache_read=1)) == plain.cost(Usage(cache_write_1h=1)) == plain.cost(Usage(input=1)) == 1000
    assert plain.cost(Usage(audio_input=1)) == plain.cost(Usage(image_input=1)) == 1000
    assert plain.cost(Usage(reasoning=1)) == plain.cost(Usage(output=1)) == 2000
    assert plain.cost(Usage(audio_output=1)) == plain.cost(Usage(image_output=1)) == 2000


def test_prices_and_counts_have_the_same_buckets() -> None:
    assert [bucket.name for bucket in fields(Rates)] == [bucket.name for bucket in fields(Usage)]
    assert len(RATES) == len(fields(Usage))


def test_every_bucket_has_a_price_of_its_own() -> None:
    prices = {rate: Decimal(number) for number, rate in enumerate(RATES, start=1)}
    priced = tariff(version=1, model="m", prices=prices)
    assert [priced.cost(Usage(**{bucket.name: 1})) for bucket in fields(Usage)] == [
        1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000,
    ]  # fmt: skip


def test_a_request_has_its_fee_however_few_its_tokens() -> None:
    prices = {"input": Decimal(1), "output": Decimal(2), "request": Decimal("0.000000001")}
    priced = tariff(version=1, model="m", prices=prices)
    assert (priced.request_pico, priced.cost(Usage()), priced.pico(Usage(input=1))) == (1000, 1, 1_001_000)


def test_a_fee_alone_is_a_price() -> None:
    prices = {"input": Decimal(0), "output": Decimal(0), "request": Decimal("0.005")}
    assert tariff(version=1, model="m", prices=prices).cost(Usage(input=99, output=99)) == 5_000_000


def test_an_hour_of_cache_without_its_own_price_costs_what_a_written_token_costs() -> None:
    prices = {"input": Decimal(1), "output": Decimal(2), "cache_write": Decimal("1.25")}
    assert tariff(version=1, model="m", prices=prices).cost(Usage(cache_write_1h=4)) == 5_000


def test_the_highest_tier_that_is_passed_counts_in_whatever_order_they_stand() -> None:
    tiers = [{"above": 200, "input": "4"}, {"above": 100, "input": "2"}]
    stepped = tariff(version=1, model="m", prices={"input": Decimal(1), "output": Decimal(1)}, tiers=tiers)
    assert [stepped.cost(Usage(input=count)) for count in (100, 101, 201)] == [100_000, 202_000, 804_000]


def test_the_ceiling_is_the_dearest_of_what_a_prompt_can_reach() -> None:
    tiers = [{"above": 100, "input": "5", "output": "1"}, {"above": 200, "input": "2", "output": "9"}]
    stepped = tariff(version=1, model="m", prices={"input": Decimal(1), "output": Decimal(4)}, tiers=tiers)
    reached = {length: stepped.ceiling(length) for length in (0, 100, 101, 200, 201)}
    dollars = {length: (rates.input // 10**6, rates.output // 10**6) for length, rates in reached.items()}
    assert dollars == {0: (1, 4), 100: (1, 4), 101: (5, 4), 200: (5, 4), 201: (5, 9)}


@pytest.mark.parametrize(
    ("markup", "nano"),
    [
        (0, 3001),  # 3,000.3 nano-dollars
        (1, 3001),  # 3,000.3 * 1.0001 = 3,000.60003
        (1000, 3301),  # 3,000.3 * 1.1 = 3,300.33: rounded before the markup it would be 3,302
        (100_000, 33_004),  # 3,000.3 * 11 = 33,003.3
        (-5000, 1501),  # 3,000.3 / 2 = 1,500.15
        (-10_000, 0),
    ],
)
def test_a_markup_is_on_the_exact_amount_and_rounded_up_once(markup: int, nano: int) -> None:
    # 3 tokens at 1.0001 dollars a million are 3,000,300 pico-dollars.
    priced = tariff(version=1, model="m", prices={"input": Decimal("1.0001"), "output": Decimal(0)})
    assert charge(priced, Usage(input=3), markup_basis_points=markup) == nano


def test_a_charge_without_markup_is_the_cost() -> None:
    usage = Usage(input=25, cache_read=7, output=8)
    assert charge(sonnet(), usage, markup_basis_points=Terms().markup_basis_points) == sonnet().cost(usage)


def test_free_stays_free_whatever_the_markup() -> None:
    free = tariff(version=1, model="m", prices={"input": Decimal(0), "output": Decimal(0)}, free=True)
    assert free.free
    assert charge(free, Usage(input=10**9, reasoning=10**9), markup_basis_points=100_000) == 0


# -- against fractions ----------------------------------------------------------------------------

PARENTS = {
    "cached_input": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}  # fmt: skip


def asked(prices: dict[str, Decimal | None], rate: str) -> Fraction:
    """Dollars a token, of the rate itself or of the one that it is part of."""
    price = prices[rate]
    return asked(prices, PARENTS[rate]) if price is None else Fraction(price) / 1_000_000


def some_prices(chance: random.Random) -> dict[str, Decimal | None]:
    known: dict[str, Any] = {rate: chance.choice([None, Decimal(chance.randrange(10**9)).scaleb(-6)]) for rate in RATES}
    always = {rate: Decimal(chance.randrange(10**8)).scaleb(-6) for rate in ("input", "output")}
    return {**known, **always, "request": chance.choice([None, Decimal(chance.randrange(10**9)).scaleb(-9)])}


@pytest.mark.parametrize("seed", range(50))
def test_any_usage_costs_the_sum_of_its_buckets_rounded_up_once(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - numbers to try, no secret
    prices, markup = some_prices(chance), chance.randrange(-10_000, 100_001)
    priced = tariff(version=1, model="m", prices=prices)
    for _ in range(20):
        usage = Usage(**{bucket.name: chance.randrange(10 ** chance.randrange(1, 8)) for bucket in fields(Usage)})
        total = Fraction(prices["request"] or 0)
        total += sum(asked(prices, rate) * count for rate, count in zip(RATES, asdict(usage).values(), strict=True))
        assert priced.cost(usage) == -(-total * 10**9 // 1)
        assert charge(priced, usage, markup_basis_points=markup) == -(-total * (10_000 + markup) * 10**5 // 1)


@pytest.mark.parametrize("price", ["-1", "0.0000001"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        money.pico_per_token(Decimal(price))


@pytest.mark.parametrize("fee", ["-1", "0.0000000001"])
def test_what_is_no_fee_is_refused(fee: str) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        money.pico_per_request(Decimal(fee))


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "0.00"), (1, "0.000000001"), (842_000, "0.000842"), (12_500_000_000, "12.50"), (-3_000_000_000, "-3.00")],
)
def test_amounts_are_shown_exactly(nano: int, shown: str) -> None:
    assert money.dollars(nano) == shown
