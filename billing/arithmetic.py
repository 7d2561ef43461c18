"""A charge as a person can follow it: each bucket of tokens by its price, the fee, the markup, and the sum."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from billing import money
from billing.models import Price, UsageEvent
from billing.recompute import quote_of
from billing.usage import Usage

LABELS = {
    "input": "Input",
    "cache_read": "Input from the cache",
    "cache_write_5m": "Input written to the cache",
    "cache_write_1h": "Input written to the cache for an hour",
    "audio_input": "Audio input",
    "image_input": "Image input",
    "output": "Output",
    "reasoning": "Reasoning",
    "audio_output": "Audio output",
    "image_output": "Image output",
}
PICO = 10**12  # in a dollar
LEAST_PLACES = 6  # of the column of amounts


@dataclass(frozen=True, slots=True)
class Line:
    """One bucket: tokens, dollars for a million of them, and what that makes."""

    label: str
    tokens: int
    rate: str
    amount: str


@dataclass(frozen=True, slots=True)
class Sum:
    """All of it, exact. Amounts are text with as many decimals as the longest needs, so that they stand in line."""

    lines: list[Line]
    fee: str  # empty where requests cost nothing by themselves
    subtotal: str
    markup: str  # what was added or taken off; empty without one
    per_cent: Decimal  # of the markup
    exact: str  # before it was rounded
    comes_to_nano: int
    price: Price  # the version that it was computed by
    is_listed: bool  # of a price list, and not the usual price with a markup
    above: int | None  # the prompt length beyond which the rates of a tier hold

    @property
    def total(self) -> str:
        return f"${money.dollars(self.comes_to_nano)}"

    @property
    def is_rounded(self) -> bool:
        return Decimal(self.exact.removeprefix("$")) != Decimal(self.comes_to_nano) / money.NANO


def of(event: UsageEvent) -> Sum | None:
    """None when it was admitted at no price, or the price is not there any more."""
    wanted = {price for price in (event.price_id, event.charge_price_id) if price is not None}
    prices: dict[int, Price] = Price.objects.in_bulk(wanted)
    try:
        quote = quote_of(event, prices)
    except KeyError:
        return None
    listed, tariff, usage = quote.listed is not None, quote.listed or quote.tariff, event.usage
    rates = tariff.rates(usage.prompt_tokens)
    picos = {bucket: getattr(rates, bucket) * getattr(usage, bucket) for bucket in _used(usage)}
    points = 0 if listed else event.markup_basis_points
    subtotal = Decimal(tariff.pico(usage)) / PICO
    markup = subtotal * points / money.BASIS_POINTS
    exact = subtotal + markup
    amounts = [*(Decimal(pico) / PICO for pico in picos.values()), Decimal(tariff.request_pico) / PICO, markup, exact]
    places = max(LEAST_PLACES, *map(_places, amounts))
    return Sum(
        lines=[
            Line(LABELS[bucket], getattr(usage, bucket), _rate(getattr(rates, bucket)), _amount(amount, places))
            for bucket, amount in zip(picos, amounts, strict=False)
        ],
        fee=_amount(Decimal(tariff.request_pico) / PICO, places) if tariff.request_pico else "",
        subtotal=_amount(subtotal, places),
        markup=_amount(markup, places, signed=True) if points else "",
        per_cent=_plain(Decimal(points) / 100),
        exact=_amount(exact, places),
        comes_to_nano=quote.charge(usage),
        price=prices[tariff.version],
        is_listed=listed,
        above=next((above for above, tier in reversed(tariff.tiers) if usage.prompt_tokens > above), None),
    )


def _used(usage: Usage) -> list[str]:
    return [bucket.name for bucket in fields(usage) if getattr(usage, bucket.name)]


def _rate(pico_per_token: int) -> str:
    dollars = Decimal(pico_per_token) / money.PICO_PER_DOLLAR_A_MILLION
    return _amount(dollars, max(2, _places(dollars)))


def _amount(dollars: Decimal, places: int, *, signed: bool = False) -> str:
    sign = "\u2212" if dollars < 0 else "+" if signed else ""
    return f"{sign}${abs(dollars):,.{places}f}"


def _places(value: Decimal) -> int:
    exponent = _plain(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _plain(value: Decimal) -> Decimal:
    """Without zeros at its end, and never as 1E+1."""
    return Decimal(f"{value.normalize():f}")
