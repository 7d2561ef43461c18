"""Counting what is long: piece by piece, no further than it matters, and never less than there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway import tokens
from gateway.estimate import LARGE, chat_estimate
from gateway.providers.base import Target
from tests.gateway.test_registry import entry

TEXTS = ["All happy families are alike. " * 9000, "漢字とかな " * 40_000, "🙂" * 70_000, "x" * 200_000]


def body(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 1}


@pytest.mark.parametrize("text", TEXTS, ids=["prose", "kanji", "emoji", "one letter"])
def test_a_long_text_counts_about_what_it_is_and_never_less(text: str) -> None:
    whole, pieces = tokens.count(text), tokens.count_long(text)
    assert whole <= pieces <= whole * 1.001 + 8


def test_counting_stops_at_what_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    real = tokens.count

    def noted(text: str) -> int:
        counted.append(len(text))
        return real(text)

    monkeypatch.setattr(tokens, "count", noted)
    assert tokens.count_long("word " * 1_000_000, enough=20_000) >= 20_000
    assert sum(counted) == 2 * tokens.PIECE


@pytest.mark.parametrize("text", ["", "plain", "ação", "漢字🙂"])
def test_the_size_of_a_text_is_in_bytes(text: str) -> None:
    assert tokens.size(text) == len(text.encode())


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
async def test_what_does_not_fit_the_window_is_held_as_all_of_it(factor: float) -> None:
    target = Target("p", "openai", "", None, "m", "m", options={"token_factor": factor})
    model = replace(entry("m"), targets=(target,), context_window=50_000)
    text = "word " * 150_000
    assert len(text) > LARGE
    assert (await chat_estimate(body(text), model)).input_tokens == 50_000


async def test_what_fits_is_held_by_its_count() -> None:
    model = replace(entry("m"), targets=(Target("p", "sandbox", "", None, "m", "m"),), context_window=1_000_000)
    text = "word " * 30_000
    held = (await chat_estimate(body(text), model)).input_tokens
    assert tokens.count(text) * 1.1 <= held <= tokens.count(text) * 1.11 + 100
