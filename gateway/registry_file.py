"""A registry file read into values, with everything that is wrong with it told at once.

docs/registry.md describes the format. What a column refuses is refused here by that very column; this module adds
what only a file can get wrong: unknown fields, names that lead nowhere, names twice, circles of successors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model as Row

from billing.models import Price
from billing.pricing import PRICES, RATES
from gateway.capability_words import WORDS
from gateway.credentials import FILE
from gateway.models import Model, Provider, Route
from gateway.providers import providers
from gateway.toml_table import Table, nearest

# The same for options, with what their values are. A provider's module may read more than these.
OPTIONS: Mapping[str, type] = {
    "drop": list, "drop_unless_effort_none": list, "drop_from_messages": list, "rename": dict, "roles": dict,
    "rename_max_tokens": bool, "functions_as_tools": bool, "stream_options": bool, "api_version": str, "headers": dict,
}  # fmt: skip
SURELY_MEANT = 0.85  # how alike a word must be: kinds have options of their own, and those are not to be refused
_OPTION_WORDS = {list: 'a list such as ["user"]', dict: "a table", bool: "true or false", str: "a string"}


class RegistryFileError(Exception):
    """The file cannot be used. `problems` says why, a sentence each, naming table and field."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    slug: str
    name: str
    kind: str
    base_url: str
    base_url_env: str  # the variable that holds the address, when the file does not
    api_key_env: str  # a variable, or `file:` and a path
    needs_credential: bool
    options: Mapping[str, Any]
    listed: bool
    enabled: bool | None  # None leaves the switch to the admin

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PROVIDER_COLUMNS}


@dataclass(frozen=True, slots=True)
class RouteEntry:
    provider: str
    upstream_model: str
    options: Mapping[str, Any]
    enabled: bool | None


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """Dollars for a million tokens, and for a request. `tiers` as billing keeps them: prices above a prompt length,
    as text."""

    rates: Mapping[str, Decimal | None]
    tiers: tuple[Mapping[str, Any], ...] = ()
    free: bool = False


@dataclass(frozen=True, slots=True)
class ModelEntry:
    id: str
    owned_by: str
    description: str
    vendor_id: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: Mapping[str, Any]
    default_system_prompt: str
    sandbox: bool
    demonstration: bool
    deprecated_on: date | None
    shutdown_on: date | None
    successor: str | None
    listed: bool
    enabled: bool | None  # None leaves the switch to the admin
    prices: PriceEntry | None  # None leaves them to the admin
    routes: tuple[RouteEntry, ...] | None  # None leaves them to the admin

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _MODEL_COLUMNS} | {"successor_id": self.successor}


_PROVIDER_COLUMNS = ("name", "kind", "base_url", "api_key_env", "needs_credential", "options", "listed")
_MODEL_COLUMNS = (
    "owned_by", "description", "vendor_id", "context_window", "max_output_tokens", "capabilities",
    "default_system_prompt", "sandbox", "demonstration", "deprecated_on", "shutdown_on",
    "listed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What there is besides the file, and what its names may therefore refer to."""

    providers: frozenset[str] = frozenset()
    successors: Mapping[str, str | None] = field(default_factory=dict)  # by model


@dataclass(frozen=True, slots=True)
class RegistryFile:
    providers: tuple[ProviderEntry, ...] = ()
    models: tuple[ModelEntry, ...] = ()


def parse(text: str, *, name: str, known: Known | None = None) -> RegistryFile:
    """The values of the file called `name`. Raises `RegistryFileError` with everything that is wrong."""
    known, problems = known or Known(), list[str]()
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryFileError([f"{name} is not TOML: {error}."]) from error
    top = Table(name, content, problems)
    file = RegistryFile(
        providers=tuple(_provider(table) for table in _named(top, "provider", "slug")),
        models=tuple(_model(table) for table in _named(top, "model", "id")),
    )
    top.finish()
    problems.extend(f"{name}: {problem}" for problem in _references(file, known))
    if problems:
        raise RegistryFileError(problems)
    return file


def _named(top: Table, kind: str, key: str) -> Iterable[Table]:
    """The [[kind]] tables, each called by its key in what is said of it."""
    for table in top.tables(kind):
        table.where = f'{top.where}: [[{kind}]] "{table.text(key)}"' if table.text(key) else table.where
        yield table


def _provider(table: Table) -> ProviderEntry:
    slug, needs = table.required("slug"), table.flag("needs_credential")
    variable, path = table.text("api_key_env"), table.text("api_key_file")
    entry = ProviderEntry(
        slug=slug,
        name=table.text("name", slug),
        kind=table.required("kind"),
        base_url=table.text("base_url"),
        base_url_env=table.text("base_url_env"),
        api_key_env=f"{FILE}{path}" if path else variable,
        needs_credential=True if needs is None else needs,
        options=_options(table),
        listed=table.flag("listed") is not False,
        enabled=table.flag("enabled"),
    )
    table.finish()
    if entry.base_url and entry.base_url_env:
        table.complain("base_url_env", "and base_url exclude each other: keep one.")
    if variable and path:
        table.complain("api_key_file", "and api_key_env exclude each other: keep one.")
    kinds = sorted(providers())
    if entry.kind and entry.kind not in kinds:
        table.complain("kind", f"is {entry.kind!r}; the kinds are {', '.join(kinds)}.{nearest(entry.kind, kinds)}")
    elif entry.kind and not (entry.base_url or entry.base_url_env) and _is_nowhere(entry.kind):
        table.complain("base_url", f"is missing: a provider of kind {entry.kind} has no address that everybody shares.")
    _check(table, Provider(slug=slug, **entry.columns()), exclude={"kind"})
    return entry


def _is_nowhere(kind: str) -> bool:
    provider = providers()[kind]
    return provider.needs_base_url and not provider.default_base_url


def _model(table: Table) -> ModelEntry:
    identity = table.required("id")
    entry = ModelEntry(
        id=identity,
        owned_by=table.required("owned_by"),
        description=table.text("description"),
        vendor_id=table.text("vendor_id", identity),
        context_window=table.whole("context_window"),
        max_output_tokens=table.whole("max_output_tokens"),
        capabilities=_capabilities(table),
        default_system_prompt=table.text("default_system_prompt"),
        sandbox=bool(table.flag("sandbox")),
        demonstration=bool(table.flag("demonstration")),
        deprecated_on=table.day("deprecated_on"),
        shutdown_on=table.day("shutdown_on"),
        successor=table.text("successor") or None,
        listed=table.flag("listed") is not False,
        enabled=table.flag("enabled"),
        prices=_prices(table.table("prices")) if "prices" in table else None,
        routes=_routes(table) if "routes" in table else None,
    )
    table.finish()
    _check(table, Model(id=identity, **entry.columns()), exclude={"successor"})
    return entry


def _capabilities(table: Table) -> dict[str, Any]:
    found = table.mapping("capabilities")
    for word, value in found.items():
        if word in WORDS:
            complaint = WORDS[word].complaint(value)
        else:  # a provider's module may read more words than these
            suggestion = nearest(word, WORDS)
            complaint = f"is unknown.{suggestion}" if suggestion else ""
        if complaint:
            table.complain(f"capabilities.{word}", complaint)
    return found


def _options(table: Table) -> dict[str, Any]:
    found = table.mapping("options")
    for word, value in found.items():
        kind = OPTIONS.get(word)
        close = get_close_matches(word, OPTIONS, 1, SURELY_MEANT) if kind is None else []
        if close:
            table.complain(f"options.{word}", f"is unknown. Did you mean {close[0]}?")
        elif kind is not None and not _holds_words(value, kind):
            table.complain(f"options.{word}", f"must be {_OPTION_WORDS[kind]}, not {value!r}.")
    return found


def _holds_words(value: object, kind: type) -> bool:
    """Whether it is of that kind, and what is in it is text."""
    inner = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return isinstance(value, kind) and all(isinstance(word, str) for word in inner)


def _prices(table: Table) -> PriceEntry:
    if table.flag("free"):
        return _free(table)
    rates = {rate: table.decimal(rate) for rate in PRICES}
    for rate in ("input", "output"):
        if rate not in table:
            table.complain(rate, 'is missing; write "0" when it costs nothing.')
    tiers = [_tier(tier) for tier in table.tables("tiers")]
    table.finish()
    steps = [tier["above"] for tier in tiers]
    if steps != sorted(set(steps)):
        table.complain("tiers", "must rise: each `above` once, the lowest first.")
    if {rates["input"], rates["output"]} == {Decimal(0)} and not any(rates.values()) and not _any_costs(tiers):
        table.complain("free", "is missing: nothing costs anything here. Write prices = { free = true } if that is so.")
    _check(table, Price(model="any", **rates), exclude={name for name, rate in rates.items() if rate is None})
    return PriceEntry(rates, tuple(tiers))


def _free(table: Table) -> PriceEntry:
    rates = {rate: table.decimal(rate) for rate in PRICES}
    for rate in [*(rate for rate, number in rates.items() if number), *(("tiers",) if table.tables("tiers") else ())]:
        table.complain(rate, "and free = true exclude each other: keep one.")
    table.finish()
    return PriceEntry({**dict.fromkeys(PRICES), "input": Decimal(0), "output": Decimal(0)}, free=True)


def _any_costs(tiers: Iterable[Mapping[str, Any]]) -> bool:
    return any(Decimal(tier[rate]) for tier in tiers for rate in RATES if rate in tier)


def _tier(table: Table) -> dict[str, Any]:
    above = table.whole("above") or 0
    if above < 1:
        table.complain("above", "must be a prompt length in tokens, 1 or more.")
    rates = {rate: number for rate in RATES if (number := table.decimal(rate)) is not None}
    table.finish()
    zeros = dict.fromkeys(("input", "output"), Decimal(0))
    _check(table, Price(model="any", **zeros | rates))
    if not rates:
        table.complain("above", "changes no price: name at least one.")
    return {"above": above, **{rate: f"{number:f}" for rate, number in rates.items()}}


def _routes(table: Table) -> tuple[RouteEntry, ...]:
    found: list[RouteEntry] = []
    for route in table.tables("routes"):
        entry = RouteEntry(
            provider=route.required("provider"),
            upstream_model=route.required("model"),
            options=_options(route),
            enabled=route.flag("enabled"),
        )
        route.finish()
        _check(
            route,
            Route(upstream_model=entry.upstream_model, options=dict(entry.options)),
            exclude={"model", "provider"},
        )
        if any((e.provider, e.upstream_model) == (entry.provider, entry.upstream_model) for e in found):
            route.complain("model", f"{entry.upstream_model!r} of {entry.provider!r} is a route already.")
        found.append(entry)
    return tuple(found)


def _check(table: Table, row: Row, *, exclude: Collection[str] = ()) -> None:
    """What the columns themselves say of the values. Fields that are missing were complained of already."""
    try:
        row.clean_fields(exclude=set(exclude))
    except ValidationError as error:
        for name, complaints in error.message_dict.items():
            if getattr(row, name) != "":
                table.complain(name, f"is {getattr(row, name)!s}: {' '.join(complaints)}")


def _references(file: RegistryFile, known: Known) -> Iterable[str]:
    yield from _repeated("provider", [entry.slug for entry in file.providers])
    yield from _repeated("model", [entry.id for entry in file.models])
    slugs = known.providers | {entry.slug for entry in file.providers}
    successors = {**known.successors, **{entry.id: entry.successor for entry in file.models}}
    for entry in file.models:
        for place, route in enumerate(entry.routes or ()):
            if route.provider and route.provider not in slugs:
                where = f'[[model]] "{entry.id}", routes[{place}]: provider'
                yield f"{where} {route.provider!r} is not there.{nearest(route.provider, slugs)}"
        where = f'[[model]] "{entry.id}": successor'
        if entry.successor is not None and entry.successor not in successors:
            yield f"{where} {entry.successor!r} is not a model.{nearest(entry.successor, successors)}"
        elif circle := _circle(entry.id, successors):
            yield f"{where}s form a circle: {' -> '.join(circle)}."


def _repeated(kind: str, names: list[str]) -> Iterable[str]:
    for name in dict.fromkeys(names):
        if name and names.count(name) > 1:
            yield f'[[{kind}]] "{name}" is there {names.count(name)} times.'


def _circle(start: str, successors: Mapping[str, str | None]) -> list[str]:
    """The way from `start` back to itself, or nothing. Circles further on are found from where they start."""
    way, current = [start], successors.get(start)
    while current is not None and current not in way:
        way.append(current)
        current = successors.get(current)
    return [*way, start] if current == start else []
