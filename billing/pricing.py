"""What usage costs under one version of a model's prices. Pure: the same row gives the same cost for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from billing.money import nano_from_pico, pico_per_token
from billing.usage import Usage


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars a token, by bucket of `Usage`."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    reasoning: int

    def cost(self, usage: Usage) -> int:
        """Pico-dollars."""
        return sum(getattr(self, bucket.name) * getattr(usage, bucket.name) for bucket in fields(self))


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price version: base rates, and the rates that hold for the whole request above a prompt length."""

    version: int  # the id of its row
    model: str
    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()  # (above this many prompt tokens, rates), ascending

    def rates(self, prompt_tokens: int) -> Rates:
        rates = self.base
        for above, tier in self.tiers:
            if prompt_tokens > above:
                rates = tier
        return rates

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded up once."""
        return nano_from_pico(self.rates(usage.prompt_tokens).cost(usage))


def tariff(
    *,
    version: int,
    model: str,
    prices: Mapping[str, Decimal | None],
    tiers: Iterable[Mapping[str, Any]] = (),
) -> Tariff:
    """From a price row's columns. A tier names only what it changes; `above` is its prompt length.

    A bucket without a price of its own costs what the bucket it belongs to costs: cached and written tokens are
    input, tokens written for an hour are written tokens, reasoning is output.
    """
    base = {name: prices.get(name) for name in ("input", "cached_input", "cache_write", "cache_write_1h", "output")}
    steps = sorted(tiers, key=lambda tier: int(tier["above"]))
    return Tariff(
        version=version,
        model=model,
        base=_rates(base),
        tiers=tuple((int(tier["above"]), _rates(_changed(base, tier))) for tier in steps),
    )


def _changed(base: Mapping[str, Decimal | None], tier: Mapping[str, Any]) -> dict[str, Decimal | None]:
    return {**base, **{name: Decimal(str(tier[name])) for name in base if tier.get(name) is not None}}


def _rates(prices: Mapping[str, Decimal | None]) -> Rates:
    given_input, given_output = prices["input"], prices["output"]
    if given_input is None or given_output is None:
        raise ValueError("A price needs at least input and output.")
    tokens_in, written = pico_per_token(given_input), prices["cache_write"]
    write_5m = tokens_in if written is None else pico_per_token(written)
    read, hour = prices["cached_input"], prices["cache_write_1h"]
    return Rates(
        input=tokens_in,
        cache_read=tokens_in if read is None else pico_per_token(read),
        cache_write_5m=write_5m,
        cache_write_1h=write_5m if hour is None else pico_per_token(hour),
        output=pico_per_token(given_output),
        reasoning=pico_per_token(given_output),
    )
