"""Prices are exact, buckets are priced apart, and the sum is rounded up once."""

from decimal import Decimal

import pytest

from billing import money
from billing.pricing import Tariff, tariff
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
    assert plain.cost(Usage(reasoning=1)) == plain.cost(Usage(output=1)) == 2000


def test_an_hour_of_cache_without_its_own_price_costs_what_a_written_token_costs() -> None:
    prices = {"input": Decimal(1), "output": Decimal(2), "cache_write": Decimal("1.25")}
    assert tariff(version=1, model="m", prices=prices).cost(Usage(cache_write_1h=4)) == 5_000


def test_the_highest_tier_that_is_passed_counts_in_whatever_order_they_stand() -> None:
    tiers = [{"above": 200, "input": "4"}, {"above": 100, "input": "2"}]
    stepped = tariff(version=1, model="m", prices={"input": Decimal(1), "output": Decimal(1)}, tiers=tiers)
    assert [stepped.cost(Usage(input=count)) for count in (100, 101, 201)] == [100_000, 202_000, 804_000]


@pytest.mark.parametrize("price", ["-1", "0.0000001"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        money.pico_per_token(Decimal(price))


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "0.00"), (1, "0.000000001"), (842_000, "0.000842"), (12_500_000_000, "12.50"), (-3_000_000_000, "-3.00")],
)
def test_amounts_are_shown_exactly(nano: int, shown: str) -> None:
    assert money.dollars(nano) == shown
