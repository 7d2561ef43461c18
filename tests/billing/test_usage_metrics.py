"""Numbers of usage as people read them: short, never rounded to nothing, and with all of it at hand."""

from __future__ import annotations

import pytest

from billing import usage_metrics
from billing.usage_charts import bar, spark
from billing.usage_metrics import METRICS
from billing.usage_sums import NOTHING, Sums


@pytest.mark.parametrize(
    ("nano", "shown", "exact"),
    [
        (0, "$0.00", ""),
        (12_345_678_900_000, "$12,345.67", "$12,345.6789"),
        (10_000_000, "$0.01", ""),
        (9_999_999, "$0.0099", "$0.009999999"),
        (842_300, "$0.00084", "$0.0008423"),
        (1, "$0.000000001", ""),
        (-19_999_999, "\u2212$0.01", "\u2212$0.019999999"),
    ],
)
def test_money_is_short_and_exact_beside_it(nano: int, shown: str, exact: str) -> None:
    spend = METRICS["spend"]
    assert (spend.shown(nano), spend.exact(nano)) == (shown, exact)


@pytest.mark.parametrize(
    ("key", "value", "shown", "exact", "plain"),
    [
        ("requests", 1234567, "1,234,567", "", "1234567"),
        ("tokens", 1_284_000_000, "1.28 bn", "1,284,000,000", "1284000000"),
        ("latency", 412, "412 ms", "", "412"),
        ("latency", 12_345, "12.3 s", "12,345 ms", "12345"),
        ("latency", None, "\u2013", "", ""),
        ("spend", 1_500_000_001, "$1.50", "$1.500000001", "1.500000001"),
    ],
)
def test_each_kind_is_written_its_own_way(key: str, value: int | None, shown: str, exact: str, plain: str) -> None:
    metric = METRICS[key]
    assert (metric.shown(value), metric.exact(value), metric.plain(value)) == (shown, exact, plain)


def test_an_average_is_of_what_had_one() -> None:
    sums = Sums(requests=3, duration_ms=100, first_token_ms=45, first_tokens=2)
    assert METRICS["latency"].of(sums) == 33
    assert METRICS["first-token"].of(sums) == 23
    assert METRICS["latency"].of(NOTHING) is None
    assert METRICS["first-token"].of(Sums(requests=1)) is None


@pytest.mark.parametrize(
    ("key", "now", "before", "said"),
    [
        ("spend", 150, 100, "up 50 % more than in May"),
        ("spend", 100, 150, "down 33 % less than in May"),
        ("requests", 99, 100, "down 1.0 % fewer than in May"),
        ("requests", 100_001, 100_000, "up under 0.1 % more than in May"),
        ("requests", 1, 100_000, "down over 99 % fewer than in May"),
        ("requests", 0, 5, "down 100 % fewer than in May"),
        ("requests", 5, 0, "up none in May"),
        ("requests", 5, 5, "flat as in May"),
        ("requests", 50, 5, "up 10 times as many as in May"),
        ("spend", 70, 5, "up 14 times as much as in May"),
        ("latency", 110, 100, "up 10 % slower than in May"),
        ("latency", 90, 100, "down 10 % faster than in May"),
        ("latency", None, 100, None),
        ("latency", 100, None, None),
        ("requests", 0, 0, None),
    ],
)
def test_a_change_is_told_in_words(key: str, now: int | None, before: int | None, said: str | None) -> None:
    found = usage_metrics.change(METRICS[key], now, before, "May")
    assert (f"{found.direction} {found.words}" if found else None) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "0 %"), (0, 9, "0 %"), (1, 10_000, "under 0.1 %"), (1, 100, "1.0 %"), (1, 3, "33 %"),
     (9999, 10_000, "over 99 %"),
     (5, 5, "100 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, said: str) -> None:
    assert usage_metrics.share(part, whole) == said


def test_a_small_line_leaves_out_what_is_missing_and_begins_at_nothing() -> None:
    assert spark([0, None, 10]) == "0.0,23.0 100.0,1.0"
    assert spark([0, 0]) == ""
    assert spark([None, 4]) == ""
    assert spark([]) == ""


def test_a_bar_is_as_long_as_its_part_of_the_longest() -> None:
    assert (bar(5, [10, 5, None]), bar(None, [10]), bar(0, [0])) == (50.0, 0.0, 0.0)
