"""A figure that would tell of the generator, the fake provider or the servers is not reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.machine import Cores
from benchmarks.plans import Outcome
from benchmarks.rig import Sample, figures, why_not


def sample(rate: float = 1000, *, busy: float = 0.99, beside: float = 0.5, failed: int = 0, late: int = 100) -> Sample:
    outcome = Outcome(seconds=10, answered=round(rate * 10))
    if failed:
        outcome.failed["status 503"] = failed
    outcome.late.record(late)
    shares = {"the provider": beside / 2, "the generator": beside / 2}
    return Sample("2389", outcome, busy, shares, beside, foreign=0.0, processor=busy * 10)


def test_a_gateway_that_is_itself_the_limit_is_reported() -> None:
    assert why_not(sample(), measured=1000, ceiling=20_000, timed=True) == ""


def test_a_rate_near_what_the_provider_gives_directly_is_refused() -> None:
    assert "20,000 by themselves" in why_not(sample(), measured=14_000, ceiling=20_000)
    assert why_not(sample(), measured=13_000, ceiling=20_000) == ""


def test_a_core_beside_the_gateway_that_is_full_is_a_reason_only_while_the_gateway_had_time() -> None:
    assert "the generator 48%" in why_not(sample(busy=0.6, beside=0.96))
    assert why_not(sample(busy=0.97, beside=0.96)) == ""


def test_stores_that_are_full_are_no_reason_because_they_are_measured_too() -> None:
    full = replace(sample(busy=0.6, beside=0.96), beside={"Postgres and Valkey": 0.8, "the generator": 0.16})
    assert why_not(full) == ""


def test_a_duration_is_refused_when_the_generator_was_late_itself() -> None:
    assert "25 ms late" in why_not(sample(late=25_000), timed=True)
    assert why_not(sample(late=25_000)) == ""


@pytest.mark.parametrize(("failed", "refused"), [(5, False), (20, True)])
def test_failures_are_no_answers(failed: int, refused: bool) -> None:
    assert bool(why_not(sample(failed=failed))) is refused


def test_nothing_answered_is_no_figure() -> None:
    assert why_not(sample(rate=0)) == "nothing was answered"


def test_one_bad_round_spoils_a_figure_and_the_slowest_direct_round_is_the_ceiling() -> None:
    found = {
        "Directly": [sample(4000), sample(9000)],
        "2389": [sample(1000), sample(2000)],
        "other": [sample(1000), sample(3000)],
    }
    made = {
        one.system: one
        for one in figures("rate", "", found, lambda one: one.outcome.rate, rate=lambda one: one.outcome.rate)
    }
    assert not made["Directly"].refused
    assert not made["2389"].refused
    assert "4,000 by themselves" in made["other"].refused
    assert made["2389"].median == 1500


@pytest.mark.parametrize(
    ("available", "told"),
    [({0}, "0 0 0 0"), ({0, 1}, "0 1 1 1"), ({4, 5, 6}, "4 5 6 6"), ({0, 1, 2, 3, 4}, "0 1 2 3")],
)
def test_the_gateway_has_a_core_to_itself_where_there_are_two(available: set[int], told: str) -> None:
    cores = Cores.share(available)
    parts = (cores.gateway, cores.load, cores.provider, cores.servers)
    assert " ".join(str(min(part)) for part in parts) == told


def test_directly_the_generator_and_the_provider_are_what_is_measured() -> None:
    direct = replace(sample(busy=0.5, beside=0.96), system="Directly")
    assert why_not(direct) == ""
    assert "failed" in why_not(replace(sample(failed=500), system="Directly"))
