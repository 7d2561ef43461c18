"""What usage costs under one version of a model's prices. Pure: the same row gives the same cost for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter, mul
from typing import Any

from billing import money
from billing.usage import BUCKETS, Usage, counts_of

# The columns of a price, dollars for a million tokens, in the order in which people are shown them.
RATES = (
    "input", "cached_input", "cache_write", "cache_write_1h", "audio_input", "image_input",
    "output", "reasoning", "audio_output", "image_output",
)  # fmt: skip
PRICES = (*RATES, "request")  # and dollars for each request


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars a token, by bucket of `Usage`."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    audio_input: int
    image_input: int
    output: int
    reasoning: int
    audio_output: int
    image_output: int

    def cost(self, usage: Usage) -> int:
        """Pico-dollars."""
        return sum(map(mul, _rates_of(self), counts_of(usage)))


_rates_of: Callable[[Rates], tuple[int, ...]] = attrgetter(*BUCKETS)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price version: base rates, the rates that hold for the whole request above a prompt length, and a fee."""

    version: int  # the id of its row
    model: str
    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()  # (above this many prompt tokens, rates), ascending
    request_pico: int = 0  # pico-dollars for each request, however long
    free: bool = False  # nothing costs anything, and somebody said so

    def rates(self, prompt_tokens: int) -> Rates:
        rates = self.base
        for above, tier in self.tiers:
            if prompt_tokens > above:
                rates = tier
        return rates

    def ceiling(self, prompt_tokens: int) -> Rates:
        """The most that a token of each bucket can cost while the prompt has at most so many tokens: a tier may be
        cheaper than the one below it."""
        reached = [self.base, *(tier for above, tier in self.tiers if prompt_tokens > above)]
        return self.base if len(reached) == 1 else Rates(*map(max, *map(_rates_of, reached)))

    def pico(self, usage: Usage) -> int:
        """Pico-dollars, exactly, with the request's fee."""
        return self.request_pico + self.rates(usage.prompt_tokens).cost(usage)

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded up once."""
        return money.nano_from_pico(self.pico(usage))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a customer pays by: prices of a list of its own where the list has them, else ours and a markup."""

    markup_basis_points: int = 0
    price_list_id: int | None = None


def charge(tariff: Tariff, usage: Usage, *, markup_basis_points: int) -> int:
    """Nano-dollars with the markup, rounded up once. What is free stays free."""
    return money.with_markup(tariff.pico(usage), markup_basis_points)


def tariff(
    *,
    version: int,
    model: str,
    prices: Mapping[str, Decimal | None],
    tiers: Iterable[Mapping[str, Any]] = (),
    free: bool = False,
) -> Tariff:
    """From a price row's columns. A tier names only what it changes; `above` is its prompt length.

    A bucket without a price of its own costs what the bucket it belongs to costs: cached and written tokens, audio and
    images are input, tokens written for an hour are written tokens, reasoning and what is spoken or drawn are output.
    """
    base = {name: prices.get(name) for name in RATES}
    steps = sorted(tiers, key=lambda tier: int(tier["above"]))
    return Tariff(
        version=version,
        model=model,
        base=_rates(base),
        tiers=tuple((int(tier["above"]), _rates(_changed(base, tier))) for tier in steps),
        request_pico=money.pico_per_request(prices.get("request") or Decimal(0)),
        free=free,
    )


def _changed(base: Mapping[str, Decimal | None], tier: Mapping[str, Any]) -> dict[str, Decimal | None]:
    return {**base, **{name: Decimal(str(tier[name])) for name in base if tier.get(name) is not None}}


def _rates(prices: Mapping[str, Decimal | None]) -> Rates:
    if prices["input"] is None or prices["output"] is None:
        raise ValueError("A price needs at least input and output.")
    pico = {name: money.pico_per_token(price) for name, price in prices.items() if price is not None}
    sent, made = pico["input"], pico["output"]
    written = pico.get("cache_write", sent)
    return Rates(
        input=sent,
        cache_read=pico.get("cached_input", sent),
        cache_write_5m=written,
        cache_write_1h=pico.get("cache_write_1h", written),
        audio_input=pico.get("audio_input", sent),
        image_input=pico.get("image_input", sent),
        output=made,
        reasoning=pico.get("reasoning", made),
        audio_output=pico.get("audio_output", made),
        image_output=pico.get("image_output", made),
    )
