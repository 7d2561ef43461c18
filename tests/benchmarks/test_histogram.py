"""Percentiles are those of the values that were recorded, whatever their size and wherever they were counted."""

from __future__ import annotations

import json
import math
import random

import pytest

from benchmarks.histogram import Histogram

WIDEST = 1 / 512  # of a value: half of what shares a place with it


def exact(values: list[int], percent: float) -> float:
    """By the nearest rank, from all values."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1] / 1000


@pytest.mark.parametrize("percent", [0, 1, 50, 90, 99, 99.9, 100])
def test_a_percentile_is_the_value_of_its_rank(percent: float) -> None:
    chance = random.Random(1)  # noqa: S311 - repeatable on purpose
    values = [round(chance.lognormvariate(9, 2)) for _ in range(5000)]
    assert Histogram.of(values).percentile(percent) == pytest.approx(exact(values, percent), rel=WIDEST)


@pytest.mark.parametrize(
    ("percent", "milliseconds"), [(50, 0.002), (75, 0.003), (76, 0.004), (25, 0.001), (100, 0.004)]
)
def test_small_values_are_exact(percent: float, milliseconds: float) -> None:
    assert Histogram.of([4, 1, 3, 2]).percentile(percent) == milliseconds


@pytest.mark.parametrize("value", [0, 1, 1023, 1024, 1025, 2047, 2048, 65_535, 65_536, 10**7, 10**10])
def test_no_value_is_put_far_from_where_it_is(value: int) -> None:
    one_of_two = Histogram.of([value, value + 1])
    assert one_of_two.percentile(50) * 1000 == pytest.approx(value, rel=WIDEST, abs=0.5)


def test_the_highest_is_kept_as_it_is() -> None:
    assert Histogram.of([1, 1_234_567]).percentile(100) == 1234.567


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    assert Histogram.of([-5]).percentile(50) == 0


def test_nothing_recorded_is_no_number() -> None:
    assert math.isnan(Histogram().percentile(50))
    assert math.isnan(Histogram().mean)
    assert Histogram.from_json(Histogram().to_json()).count == 0


def test_parts_that_were_counted_apart_add_up_to_the_whole() -> None:
    values = [round(1.01**power) for power in range(1500)]
    together = Histogram.of(values[::2])
    together.add(Histogram.of(values[1::2]))
    assert together.to_json() == Histogram.of(values).to_json()
    assert together.mean == pytest.approx(sum(values) / len(values) / 1000)


def test_it_is_the_same_after_a_pipe() -> None:
    before = Histogram.of([3, 5000, 5001, 10**6])
    after = Histogram.from_json(json.loads(json.dumps(before.to_json())))
    assert (after.count, after.highest, after.mean) == (4, 10**6, before.mean)
    assert [after.percentile(p) for p in (25, 50, 100)] == [before.percentile(p) for p in (25, 50, 100)]
