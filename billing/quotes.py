"""What a request will be charged by: the price version in force when it is admitted, and the customer's terms."""

from __future__ import annotations

from dataclasses import dataclass

from billing import money
from billing.pricing import Rates, Tariff, charge
from billing.usage import Usage


@dataclass(frozen=True, slots=True)
class Quote:
    """Fixed at admission. `tariff` is what the provider asks; `listed` what a price list says instead of a markup."""

    tariff: Tariff
    listed: Tariff | None = None
    markup_basis_points: int = 0

    @property
    def free(self) -> bool:
        return self._charged.free

    @property
    def price_id(self) -> int:
        return self.tariff.version

    @property
    def charge_price_id(self) -> int | None:
        return self.listed.version if self.listed else None

    def per_million(self, bucket: str) -> int:
        """Nano-dollars that the customer pays for a million tokens of a bucket, as long as no tier changes it."""
        return money.with_markup(getattr(self._charged.base, bucket) * 1_000_000, self._markup)

    @property
    def tiered(self) -> bool:
        """Whether a long prompt has other prices."""
        return bool(self._charged.tiers)

    def cost(self, usage: Usage) -> int:
        """Nano-dollars that the provider asks of us."""
        return self.tariff.cost(usage)

    def charge(self, usage: Usage) -> int:
        """Nano-dollars that the customer pays."""
        return charge(self._charged, usage, markup_basis_points=self._markup)

    def bound(self, *, input_tokens: int, output_tokens: int, hour_cache: bool = False) -> int:
        """Nano-dollars that a request of at most so many tokens can come to, whatever buckets they fall into."""
        pico = self._fixed(input_tokens, hour_cache) + output_tokens * _dearest_output(self._ceiling(input_tokens))
        return money.with_markup(pico, self._markup)

    def affordable_output(self, nano: int, *, input_tokens: int, hour_cache: bool = False) -> int | None:
        """How many tokens of output `nano` pays for beside that input; None when output costs nothing."""
        each = _dearest_output(self._ceiling(input_tokens)) * (money.BASIS_POINTS + self._markup)
        if each == 0:
            return None
        fixed = self._fixed(input_tokens, hour_cache) * (money.BASIS_POINTS + self._markup)
        return max(0, (nano * money.PICO_PER_NANO * money.BASIS_POINTS - fixed) // each)

    def _fixed(self, input_tokens: int, hour_cache: bool) -> int:
        return self._charged.request_pico + input_tokens * _dearest_input(self._ceiling(input_tokens), hour_cache)

    def _ceiling(self, input_tokens: int) -> Rates:
        return self._charged.ceiling(input_tokens)

    @property
    def _charged(self) -> Tariff:
        return self.listed or self.tariff

    @property
    def _markup(self) -> int:
        return 0 if self.listed else self.markup_basis_points


def _dearest_input(rates: Rates, hour_cache: bool) -> int:
    kinds = (rates.input, rates.cache_read, rates.cache_write_5m, rates.audio_input, rates.image_input)
    return max(*kinds, rates.cache_write_1h if hour_cache else 0)


def _dearest_output(rates: Rates) -> int:
    return max(rates.output, rates.reasoning, rates.audio_output, rates.image_output)
