"""The catalogue: the models that somebody may see, with what they can do and cost, found, filtered and sorted.

The public sees what is switched on and listed, by providers that are listed. Members of an organisation see what
`GET /v1/models` would tell its keys: everything that is switched on, but for the sandbox where it is turned off.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from accounts.models import Organization
from gateway import capabilities, registry
from gateway.catalogue_prices import PriceTable, price_tables
from gateway.lifecycle import Lifecycle
from gateway.models import Model, Provider, Route
from gateway.registry import Entry
from gateway.status import State, is_set_up

_COLUMNS = (
    "id", "owned_by", "description", "vendor_id", "context_window", "max_output_tokens", "capabilities",
    "default_system_prompt", "sandbox", "demonstration", "deprecated_on", "shutdown_on", "created_at",
)  # fmt: skip
LIVE, NOT_SET_UP, RETIRING, RETIRED = "live", "not set up", "retiring", "retired"


@dataclass(frozen=True)
class Listing:
    """A model as its readers see it."""

    entry: Entry
    stage: str
    providers: tuple[Provider, ...]  # that serve it, in the order they are tried, as far as the reader may know
    price: PriceTable | None

    @cached_property
    def can(self) -> Mapping[str, Any]:
        """What is known of its capabilities. Of hundreds of models only those of one page are asked."""
        return capabilities.shown(self.entry.capabilities, self.entry.kinds)

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def state(self) -> State:
        """Where it stands, in a few words."""
        ends = self.entry.shutdown_on
        if self.stage == RETIRED:
            return State("", "Retired")
        if self.stage == RETIRING:
            return State("warn", f"Retires on {ends:%-d %B %Y}" if ends else "Will be retired")
        return State("good", "Live") if self.stage == LIVE else State("", "Not set up here")

    def does(self, word: str) -> bool:
        return bool(self.can.get(word))


def visible(organization: Organization | None, today: date) -> dict[str, Listing]:
    """By public id, in its order. Without an organisation it is what everybody may see."""
    rows = list(
        Model.objects.filter(enabled=True).order_by("id").values(*_COLUMNS, "listed", "vendor_gone_at", "successor_id")
    )
    routes = list(Route.objects.order_by("model", "position").select_related("provider"))
    hidden = _hidden(rows, routes) if organization is None else set[str]()
    if organization is not None and not organization.sandbox_enabled:
        hidden |= {row["id"] for row in rows if row["sandbox"]}
    served: dict[str, list[Route]] = {}
    for route in routes:
        if route.enabled and route.provider.enabled:
            served.setdefault(route.model_id, []).append(route)
    entries = registry.build(
        [_row(row) for row in rows if row["id"] not in hidden],
        [_route(route) for found in served.values() for route in found],
    ).models
    prices = price_tables(organization)
    set_up = {route.provider_id: is_set_up(route.provider) for found in served.values() for route in found}
    return {
        entry.id: _listing(entry, entries, served.get(entry.id, []), prices.get(entry.id), set_up, organization, today)
        for entry in entries.values()
    }


def answering(listing: Listing, listings: Mapping[str, Listing]) -> Listing | None:
    """Who answers for a retired model: the first successor that is not itself retired, if the reader may know it."""
    current, seen = listing, {listing.id}
    while current.stage == RETIRED:
        following = listings.get(current.entry.successor or "")
        if following is None or following.id in seen:
            return None
        seen.add(following.id)
        current = following
    return current


def near(asked: str, listings: Iterable[str]) -> list[str]:
    """Ids that may have been meant: alike, or with all of it in them."""
    ids = list(listings)
    lower = asked.lower()
    inside = [one for one in ids if len(lower) > 2 and (lower in one.lower() or one.lower() in lower)]
    alike = get_close_matches(asked, ids, 5, 0.5)
    return list(dict.fromkeys([*alike, *inside]))[:5]


def _hidden(rows: list[dict[str, Any]], routes: list[Route]) -> set[str]:
    """What is not for the public: by its own switch, or because nobody serves it who may be named."""
    providers: dict[str, list[bool]] = {}
    for route in routes:
        providers.setdefault(route.model_id, []).append(route.provider.listed)
    alone = {model for model, listed in providers.items() if not any(listed)}
    return {row["id"] for row in rows if not row["listed"] or row["id"] in alone}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """As `gateway.registry` reads it."""
    known = {name: row[name] for name in _COLUMNS}
    return {**known, "vendor_gone": row["vendor_gone_at"] is not None, "successor": row["successor_id"]}


def _route(route: Route) -> dict[str, Any]:
    """As `gateway.registry` reads it, but without any secret: pages send nothing to providers."""
    return {
        "model_id": route.model_id,
        "upstream_model": route.upstream_model,
        "route_options": route.options,
        "slug": route.provider.slug,
        "kind": route.provider.kind,
        "base_url": "",
        "credential": "",
        "api_key_env": "",
        "needs_credential": False,
        "provider_options": route.provider.options,
    }


def _listing(
    entry: Entry,
    entries: Mapping[str, Entry],
    routes: list[Route],
    price: PriceTable | None,
    set_up: Mapping[int, bool],
    organization: Organization | None,
    today: date,
) -> Listing:
    stage = {Lifecycle.RETIRED: RETIRED, Lifecycle.DEPRECATED: RETIRING}.get(entry.lifecycle(today), LIVE)
    if stage == LIVE and not any(set_up[route.provider_id] for route in routes):
        stage = NOT_SET_UP
    known = entry if entry.successor in entries else replace(entry, successor=None)
    providers = {
        route.provider_id: route.provider for route in routes if organization is not None or route.provider.listed
    }
    return Listing(known, stage, tuple(providers.values()), price)


# -- looking for one -------------------------------------------------------------------------------

FEATURES = {
    "tools": "Tools",
    "vision": "Images",
    "reasoning": "Reasoning",
    "json_schema": "JSON schema",
    "pdf": "PDF files",
    "audio": "Audio",
    "embeddings": "Embeddings",
}
STATUSES = {"": "In use", LIVE: "Live", RETIRING: "Retiring", RETIRED: "Retired", "all": "All"}
CONTEXTS = {"": "Any", "32000": "32,000 or more", "128000": "128,000 or more", "200000": "200,000 or more",
            "1000000": "1,000,000 or more"}  # fmt: skip
PRICES = {"": "Any", "0": "Free", "0.5": "Up to $0.50", "1": "Up to $1", "3": "Up to $3", "10": "Up to $10"}
SORTS = {"": "Name", "input": "Input price", "output": "Output price", "context": "Context", "newest": "Newest"}
_NO_PRICE = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody looks for. Every part may be empty."""

    q: str = ""
    vendor: str = ""
    can: tuple[str, ...] = ()
    status: str = ""
    context: str = ""
    price: str = ""
    sort: str = ""

    def choose(self, listings: Iterable[Listing]) -> list[Listing]:
        return sorted((listing for listing in listings if self._fits(listing)), key=self._order())

    def _fits(self, listing: Listing) -> bool:
        entry, price = listing.entry, listing.price
        text = f"{entry.id} {entry.owned_by} {entry.description}".lower()
        if not all(word in text for word in self.q.lower().split()):
            return False
        if self.vendor and entry.owned_by != self.vendor:
            return False
        if not all(listing.does(word) for word in self.can):
            return False
        if self.context and (entry.context_window or 0) < int(self.context):
            return False
        if self.price and (price is None or price.input > Decimal(self.price)):
            return False
        return self.status == "all" or (listing.stage == self.status if self.status else listing.stage != RETIRED)

    def _order(self) -> Callable[[Listing], Any]:
        orders: dict[str, Callable[[Listing], Any]] = {
            "input": lambda one: one.price.input if one.price else _NO_PRICE,
            "output": lambda one: one.price.output if one.price else _NO_PRICE,
            "context": lambda one: -(one.entry.context_window or 0),
            "newest": lambda one: -one.entry.created_at.timestamp(),
        }
        by = orders.get(self.sort)
        return (lambda one: (by(one), one.id)) if by else operator.attrgetter("id")
