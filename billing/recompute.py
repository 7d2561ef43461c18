"""Computes charges again from their rows: the tokens, the price version and the terms that stand there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.entries import Rule
from billing.models import Price, UsageEvent
from billing.pricing import PRICES, Tariff, tariff
from billing.quotes import Quote

BILLED = (Rule.COMPLETE.value, Rule.STOPPED.value)


def quote_of(event: UsageEvent, prices: dict[int, Price]) -> Quote:
    """What the event was admitted at. Raises `KeyError` when its price is not there any more."""
    listed = None if event.charge_price_id is None else _tariff(prices[event.charge_price_id])
    return Quote(_tariff(prices[event.price_id or 0]), listed, event.markup_basis_points)


def differing(organization_id: int | None, since: datetime, most: int) -> Iterator[tuple[int, str]]:
    """Of the newest events, those whose charge is not what their row comes to: organisation and what is wrong."""
    events = UsageEvent.objects.filter(rule__in=BILLED, price_id__isnull=False, admitted_at__gte=since)
    if organization_id is not None:
        events = events.filter(organization_id=organization_id)
    newest = list(events.order_by("-request_id")[:most])
    wanted = {price for event in newest for price in (event.price_id, event.charge_price_id) if price is not None}
    prices = Price.objects.in_bulk(wanted)
    for event in newest:
        problem = _problem(event, prices)
        if problem:
            yield event.organization_id, f"request {event.request_id}: {problem}"


def _problem(event: UsageEvent, prices: dict[int, Price]) -> str:
    try:
        quote = quote_of(event, prices)
    except KeyError as error:
        return f"its price version {error} is not there"
    charge = quote.charge(event.usage)
    if event.charged_nano != min(charge, event.held_nano):
        return f"charged {event.charged_nano}, its row comes to {min(charge, event.held_nano)}"
    if event.absorbed_nano != charge - event.charged_nano:
        return f"absorbed {event.absorbed_nano}, its row comes to {charge - event.charged_nano}"
    if event.cost_nano != quote.cost(event.usage):
        return f"cost {event.cost_nano}, its row comes to {quote.cost(event.usage)}"
    return ""


def _tariff(price: Price) -> Tariff:
    prices = {name: getattr(price, name) for name in PRICES}
    return tariff(version=price.pk, model=price.model, prices=prices, tiers=price.tiers, free=price.free)
