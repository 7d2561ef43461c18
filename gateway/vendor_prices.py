"""What vendors ask for their models, as the package genai-prices lists it, and how that differs from our prices.

The package is found by a server's address, as its patterns have it, and by the model's own id at its vendor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing import money
from billing.models import Price
from billing.pricing import PRICES, RATES
from gateway.models import Model, Route
from gateway.providers import providers
from gateway.registry_file import PriceEntry

if TYPE_CHECKING:  # an extra: whoever writes all prices by hand does without it
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice
    from genai_prices.types import Provider as Vendor

COLUMNS = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "image_input": "input_image_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_output": "output_audio_mtok",
    "image_output": "output_image_mtok",
}
REQUESTS = "requests_kcount"  # the package prices a thousand of them


class PackageMissingError(Exception):
    """The package is not installed."""


class NotListedError(Exception):
    """The package has no price that can be taken over. Its text says why, and follows the model's name."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another price for a model, and a line for each rate that changes."""

    model: str
    price: PriceEntry
    lines: tuple[str, ...]


@dataclass(slots=True)
class Comparison:
    proposals: list[Proposal] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # a model each, and why nothing is proposed for it


def package() -> DataSnapshot:
    """The prices that were installed with the package; nothing is fetched."""
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError as error:
        raise PackageMissingError from error
    return get_snapshot()


def compare(models: Iterable[Model], current: Mapping[str, Price], *, at: datetime) -> Comparison:
    """What the package lists at an instant beside the prices in force, by model."""
    snapshot, found = package(), Comparison()
    for model in models:
        price = current.get(model.id)
        try:
            if price is not None and price.free:
                raise NotListedError("is free here")
            entry = _entry(_model(snapshot, model).get_prices(at))
        except NotListedError as error:
            found.skipped.append(f"{model.id} {error}")
            continue
        if lines := tuple(_difference(price, entry)):
            found.proposals.append(Proposal(model.id, entry, lines))
        else:
            found.same.append(model.id)
    return found


def _model(snapshot: DataSnapshot, model: Model) -> ModelInfo:
    """As the first of its routes that the package knows is asked for it."""
    for route in model.routes.all():
        vendor = _vendor(snapshot, route)
        for name in (model.vendor_id, route.upstream_model) if vendor else ():
            try:
                return snapshot.find_provider_model(name, vendor, None, None)[1]
            except LookupError:
                continue
    raise NotListedError("is not known to the package")


def _vendor(snapshot: DataSnapshot, route: Route) -> Vendor | None:
    """By the server's own address, else by that of its kind: a proxy in between has an address nobody knows."""
    kind = providers().get(route.provider.kind)
    for address in (route.provider.base_url, kind.default_base_url if kind else ""):
        try:
            if address:
                return snapshot.find_provider(None, None, address)
        except LookupError:
            continue
    return None


def _entry(listed: ModelPrice) -> PriceEntry:
    rates: dict[str, Decimal | None] = dict.fromkeys(PRICES)
    tiers: dict[int, dict[str, Any]] = {}
    for rate, column in COLUMNS.items():
        price = getattr(listed, column, None)
        rates[rate] = _exact(rate, getattr(price, "base", price))
        for tier in getattr(price, "tiers", ()):
            tiers.setdefault(tier.start, {"above": tier.start})[rate] = f"{_exact(rate, tier.price):f}"
    requests = getattr(listed, REQUESTS, None)
    rates["request"] = None if requests is None else requests / 1000
    if not any(rates.values()):
        raise NotListedError("costs nothing by the token or the request in the package")
    rates |= {rate: Decimal(0) for rate in ("input", "output") if rates[rate] is None}
    return PriceEntry(rates, tuple(tiers[above] for above in sorted(tiers)))


def _exact(rate: str, price: Decimal | None) -> Decimal | None:
    try:
        return price if price is None or money.pico_per_token(price) >= 0 else None
    except ValueError as error:
        raise NotListedError(f"has {rate} {price} in the package, which cannot be kept exactly") from error


def _difference(price: Price | None, entry: PriceEntry) -> Iterator[str]:
    yield from _changes(_rates(price), entry.rates, PRICES)
    old, new = _tiers(price.tiers if price else ()), _tiers(entry.tiers)
    for above in sorted({*old, *new}):
        for line in _changes(old.get(above, {}), new.get(above, {}), RATES):
            yield f"above {above:,}: {line}"


def _changes(old: Mapping[str, Decimal | None], new: Mapping[str, Decimal | None], names: Sequence[str]) -> list[str]:
    differ = [name for name in names if old.get(name) != new.get(name)]
    return [f"{name} {_shown(old.get(name))} -> {_shown(new.get(name))}" for name in differ]


def _rates(price: Price | None) -> dict[str, Decimal | None]:
    return {rate: getattr(price, rate) for rate in PRICES} if price else {}


def _tiers(tiers: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, Decimal | None]]:
    return {int(tier["above"]): {rate: Decimal(str(tier[rate])) for rate in RATES if rate in tier} for tier in tiers}


def _shown(price: Decimal | None) -> str:
    return "none" if price is None else f"{price.normalize():f}"
