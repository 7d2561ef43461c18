"""What a million tokens of each model cost a reader, as exactly as they are charged.

The same rows and rules as `billing.tariffs`: the newest version that is in force, a price list's own price in its
place, and the organisation's markup where there is none. A markup is added here without rounding; what is charged is
rounded once a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.models import Organization
from billing.models import Price
from billing.money import BASIS_POINTS
from billing.offers import terms_of
from billing.pricing import RATES

# What a bucket that has no price of its own costs as, and how people read each.
COSTS_AS = {
    "cached_input": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}  # fmt: skip
LABELS = {
    "input": "Input",
    "cached_input": "Input read from a cache",
    "cache_write": "Input written to a cache",
    "cache_write_1h": "Input written to a cache for an hour",
    "audio_input": "Audio input",
    "image_input": "Image input",
    "output": "Output",
    "reasoning": "Reasoning",
    "audio_output": "Audio output",
    "image_output": "Image output",
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A row of a price table: dollars for a million tokens, for prompts of each length in turn."""

    label: str
    prices: tuple[Decimal, ...]
    costs_as: str = ""  # the bucket whose price it is, in words


@dataclass(frozen=True, slots=True)
class PriceTable:
    """What a model costs."""

    rates: Mapping[str, Decimal | None]  # of the shortest prompts, only those that are stated
    tiers: tuple[tuple[int, Mapping[str, Decimal]], ...]  # above so many tokens of prompt, what changes
    request: Decimal | None
    free: bool
    listed: bool = False  # a price list's own
    markup_basis_points: int = 0  # that is in these numbers

    @property
    def input(self) -> Decimal:
        return self.rate("input")

    @property
    def cached_input(self) -> Decimal:
        return self.rate("cached_input")

    @property
    def output(self) -> Decimal:
        return self.rate("output")

    def rate(self, name: str, tier: int = 0) -> Decimal:
        """Of a bucket, at the tier of that number; 0 is that of the shortest prompts."""
        stated = {**self.rates, **(self.tiers[tier - 1][1] if tier else {})}
        while stated.get(name) is None:
            name = COSTS_AS[name]
        return stated[name] or Decimal(0)

    @property
    def lengths(self) -> list[str]:
        """What prompts each column is for; one column needs no words."""
        if not self.tiers:
            return []
        steps = [above for above, _ in self.tiers]
        return [f"Up to {steps[0]:,} tokens", *(f"Above {above:,} tokens" for above in steps)]

    @property
    def buckets(self) -> list[Bucket]:
        stated = [name for name in RATES if self.rates.get(name) is not None or self._in_a_tier(name)]
        columns = range(len(self.tiers) + 1)
        rows = [Bucket(LABELS[name], tuple(self.rate(name, tier) for tier in columns)) for name in stated]
        if "cached_input" not in stated:
            rows.append(Bucket(LABELS["cached_input"], tuple(self.rate("cached_input", t) for t in columns), "input"))
        return rows

    def _in_a_tier(self, name: str) -> bool:
        return any(name in changed for _, changed in self.tiers)


def price_tables(organization: Organization | None) -> dict[str, PriceTable]:
    """By model. A model that has no price for anybody has none for the customers of a list either."""
    terms = terms_of(organization)
    lists = Q(price_list=None) | Q(price_list=terms.price_list) if terms.price_list else Q(price_list=None)
    found = Price.objects.filter(lists, effective_at__lte=timezone.now())
    newest = found.order_by("model", "price_list_id", "-effective_at", "-id").distinct("model", "price_list_id")
    asked: dict[str, Price] = {}
    listed: dict[str, Price] = {}
    for price in newest:
        (asked if price.price_list_id is None else listed)[price.model] = price
    return {
        model: _table(listed[model], 0) if model in listed else _table(price, terms.markup_basis_points)
        for model, price in asked.items()
    }


def _table(price: Price, markup: int) -> PriceTable:
    def charged(rate: Decimal | None) -> Decimal | None:
        return None if rate is None else rate * (BASIS_POINTS + markup) / BASIS_POINTS

    steps: list[dict[str, Any]] = sorted(price.tiers, key=lambda tier: int(tier["above"]))
    return PriceTable(
        rates={name: charged(getattr(price, name)) for name in RATES},
        tiers=tuple(
            (
                int(step["above"]),
                {
                    name: rate
                    for name in RATES
                    if (rate := charged(Decimal(str(step[name])) if step.get(name) is not None else None)) is not None
                },
            )
            for step in steps
        ),
        request=charged(price.request) if price.request else None,
        free=price.free,
        listed=price.price_list_id is not None,
        markup_basis_points=markup,
    )
