"""Makes the tables say what a registry file says, in one transaction, and tells what that changed.

The file owns what it states. What it leaves out (a switch, a model's prices, its routes) belongs to the admin, and
so do stored credentials, always. Prices are never edited: other numbers are a new version, in force from now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models import Model as Row

from billing.models import Price
from billing.pricing import PRICES
from gateway.models import Model, Provider, Route
from gateway.registry_file import Known, ModelEntry, PriceEntry, ProviderEntry, RegistryFile, RouteEntry

_LOCK = 2389_0001  # held while a file is applied: several processes may start at once
_ASIDE = 1000  # positions are moved out of the way by this much while routes change places


@dataclass(slots=True)
class Report:
    """What was done, a line a change. A row counts once, however much of it changed."""

    created: int = 0
    changed: int = 0
    retired: int = 0
    unchanged: int = 0
    lines: list[str] = field(default_factory=list)

    def count(self, what: str, *, created: bool, changes: list[str]) -> None:
        if created:
            self.created += 1
            self.lines.append(f"created {what}")
        elif changes:
            self.changed += 1
            self.lines.append(f"changed {what}: {'; '.join(changes)}")
        else:
            self.unchanged += 1

    def summary(self) -> str:
        counts = f"{self.created} created, {self.changed} changed, {self.unchanged} unchanged"
        return f"{counts}, {self.retired} retired." if self.retired else f"{counts}."


def known() -> Known:
    """What the tables hold, for a file that refers to it without listing it."""
    return Known(
        providers=frozenset(Provider.objects.values_list("slug", flat=True)),
        successors=dict(Model.objects.values_list("id", "successor_id")),
    )


def apply(
    file: RegistryFile, *, environment: Callable[[str], str | None], prune: bool = False, dry_run: bool = False
) -> Report:
    """`environment` gives the variables that `base_url_env` names. A dry run reports and leaves all as it was."""
    report = Report()
    with transaction.atomic():
        take_turns()
        slugs = {row.slug: row for row in Provider.objects.all()}
        for entry in file.providers:
            _provider(slugs, entry, environment(entry.base_url_env) if entry.base_url_env else None, report)
        models, prices = {row.id: row for row in Model.objects.all()}, Price.objects.in_force()
        for model in file.models:
            _model(models.get(model.id), model, slugs, prices.get(model.id), report)
        if prune:
            _retire(Provider.objects.exclude(slug__in=[entry.slug for entry in file.providers]), "provider", report)
            _retire(Model.objects.exclude(id__in=[entry.id for entry in file.models]), "model", report)
        if dry_run:
            transaction.set_rollback(True)
    return report


def take_turns() -> None:
    """Wait for whoever else brings the registry or its prices in step, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _provider(slugs: dict[str, Provider], entry: ProviderEntry, address: str | None, report: Report) -> None:
    row, columns, changes = slugs.get(entry.slug), entry.columns(), list[str]()
    if entry.base_url_env:
        columns["base_url"] = address or ""
    columns |= _switch(entry, row, address)
    if row is None:
        slugs[entry.slug] = Provider.objects.create(slug=entry.slug, **columns)
    else:
        changes = _update(row, columns)
    without = entry.base_url_env and not address
    note = f" (switched off: {entry.base_url_env} is not set)" if without else ""
    report.count(f"provider {entry.slug}{note}", created=row is None, changes=changes)


def _switch(entry: ProviderEntry, row: Provider | None, address: str | None) -> dict[str, bool]:
    """A provider whose address is missing is off, and on again once it has one. Else the switch stays as it is,
    unless the file states it."""
    if entry.base_url_env and not address:
        return {"enabled": False}
    if entry.enabled is not None:
        return {"enabled": entry.enabled}
    waited = row is not None and bool(entry.base_url_env) and not row.base_url
    return {"enabled": True} if waited else {}


def _model(
    row: Model | None, entry: ModelEntry, slugs: Mapping[str, Provider], price: Price | None, report: Report
) -> None:
    columns = entry.columns() | ({} if entry.enabled is None else {"enabled": entry.enabled})
    changes = list[str]()
    if row is None:
        Model.objects.create(id=entry.id, **columns)
    else:
        changes += _update(row, columns)
    if entry.routes is not None:
        changes += _routes(entry.id, entry.routes, slugs)
    if entry.prices is not None:
        changes += _price(entry.id, entry.prices, price)
    report.count(f"model {entry.id}", created=row is None, changes=changes)
    if row is not None and not row.enabled:
        report.lines.append(f"note: model {entry.id} is switched off; switch it on in the admin or with enabled = true")


def _update(row: Row, columns: Mapping[str, Any]) -> list[str]:
    changes = [name for name, value in columns.items() if getattr(row, name) != value]
    said = [f"{name.removesuffix('_id')} {_short(getattr(row, name))} -> {_short(columns[name])}" for name in changes]
    for name in changes:
        setattr(row, name, columns[name])
    if changes:
        row.save(update_fields=changes)
    return said


def _short(value: object) -> str:
    text = "none" if value in (None, "") else f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _routes(model: str, entries: tuple[RouteEntry, ...], slugs: Mapping[str, Provider]) -> list[str]:
    """The file's routes in the file's order. A route that stays keeps its row, and with it its switch."""
    rows = {(row.provider_id, row.upstream_model): row for row in Route.objects.filter(model=model)}
    wanted = {(slugs[entry.provider].pk, entry.upstream_model): entry for entry in entries}
    changes = list[str]()
    for key in [key for key in rows if key not in wanted]:
        changes.append(f"route {rows[key].upstream_model} removed")
        rows.pop(key).delete()
    if any(rows[key].position != place for place, key in enumerate(wanted) if key in rows):
        Route.objects.filter(model=model).update(position=F("position") + _ASIDE)
        for row in rows.values():
            row.position += _ASIDE
    for place, (key, entry) in enumerate(wanted.items()):
        columns = {"position": place, "options": entry.options}
        columns |= {} if entry.enabled is None else {"enabled": entry.enabled}
        if key in rows:
            changes += [f"route {entry.upstream_model}: {change}" for change in _update(rows[key], columns)]
        else:
            Route.objects.create(model_id=model, provider_id=key[0], upstream_model=key[1], **columns)
            changes.append(f"route {entry.upstream_model} by {entry.provider} added")
    return changes


def _price(model: str, entry: PriceEntry, current: Price | None) -> list[str]:
    if current is not None and _numbers(current.tiers) == _numbers(entry.tiers):
        changed = [rate for rate in PRICES if getattr(current, rate) != entry.rates[rate]]
        said = [f"{rate} {_short(getattr(current, rate))} -> {_short(entry.rates[rate])}" for rate in changed]
    else:
        said = ["tiers" if current else "first"]
    if said:
        add_price(model, entry)
    return [f"new price ({', '.join(said)})"] if said else []


def add_price(model: str, entry: PriceEntry) -> None:
    """A new version, in force from now on."""
    Price.objects.create(model=model, tiers=[dict(tier) for tier in entry.tiers], free=entry.free, **entry.rates)


def _numbers(tiers: Any) -> list[dict[str, Decimal]]:
    return [{name: Decimal(str(value)) for name, value in tier.items()} for tier in tiers]


def _retire(rows: Any, kind: str, report: Report) -> None:
    for row in rows.filter(enabled=True):
        row.enabled = False
        row.save(update_fields=["enabled"])
        report.retired += 1
        report.lines.append(f"retired {kind} {row.slug if kind == 'provider' else row.id}: not in the file")
