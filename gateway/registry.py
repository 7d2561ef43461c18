"""The registry as the data plane sees it: an immutable snapshot, read from Postgres every few seconds.

A snapshot that cannot be renewed stays in use: which models there are changes seldom, and an old answer is
better than none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from accounts.directory import Principal
from accounts.pool import Pool
from gateway import capabilities, credentials, errors, lifecycle
from gateway.providers.base import Target

log = logging.getLogger(__name__)

_MODELS = """
SELECT id, owned_by, description, vendor_id, context_window, max_output_tokens, capabilities, default_system_prompt,
       sandbox, demonstration, deprecated_on, shutdown_on, vendor_gone_at IS NOT NULL AS vendor_gone,
       successor_id AS successor, created_at
FROM gateway_model WHERE enabled ORDER BY id
"""
_ROUTES = """
SELECT r.model_id, r.upstream_model, r.options AS route_options, p.slug, p.kind, p.base_url, p.credential,
       p.api_key_env, p.needs_credential, p.options AS provider_options
FROM gateway_route r JOIN gateway_provider p ON p.id = r.provider_id
WHERE r.enabled AND p.enabled ORDER BY r.model_id, r.position
"""
_GONE = "UPDATE gateway_model SET vendor_gone_at = clock_timestamp() WHERE id = %s AND vendor_gone_at IS NULL"


WAIT_SECONDS = 3.0  # how long a caller waits for a Postgres that hangs


@dataclass(frozen=True)
class Entry:
    """One model, and the ways to serve it in the order they are tried."""

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
    vendor_gone: bool
    successor: str | None
    created_at: datetime
    targets: tuple[Target, ...] = ()
    kinds: tuple[str, ...] = ()  # of the providers of all its routes, also of those that wait for a credential
    missing_credentials: tuple[str, ...] = ()  # the variables that would make more routes usable

    @cached_property
    def lacking(self) -> frozenset[str]:
        """What no request to it may need: words of `gateway.capabilities`."""
        return capabilities.lacking_of(self.capabilities, self.targets)

    def lifecycle(self, today: date) -> lifecycle.Lifecycle:
        return lifecycle.of(
            vendor_id=self.vendor_id,
            deprecated_on=self.deprecated_on,
            shutdown_on=self.shutdown_on,
            vendor_gone=self.vendor_gone,
            today=today,
        )

    def to_openai(self, today: date) -> dict[str, Any]:
        """OpenAI's model object, with what else a caller may want to know of it."""
        return {
            "id": self.id,
            "object": "model",
            "created": int(self.created_at.timestamp()),
            "owned_by": self.owned_by,
            "description": self.description,
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "lifecycle": self.lifecycle(today).value,
            "shutdown_date": self.shutdown_on.isoformat() if self.shutdown_on else None,
            "successor": self.successor,
            "demonstration": self.demonstration,
            "capabilities": capabilities.shown(self.capabilities, self.kinds),
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every enabled model by public id."""

    models: Mapping[str, Entry] = field(default_factory=dict)

    def visible_to(self, principal: Principal) -> list[Entry]:
        """What the caller may use, and so may know of."""
        return [
            entry
            for entry in self.models.values()
            if (principal.sandbox_enabled or not entry.sandbox) and principal.may_use(entry.id)
        ]

    def find(self, model: str, principal: Principal) -> Entry:
        """The model of that name. Raises `ApiError`: 404, also for what this organisation is not to see, and 403 for
        what it may use with another key."""
        entry = self.models.get(model)
        if entry is None or (entry.sandbox and not principal.sandbox_enabled):
            raise errors.model_not_found(
                f"The model '{model[:120]}' does not exist or you do not have access to it. GET /v1/models lists yours."
            )
        if not principal.may_use(entry.id):
            raise errors.model_not_allowed(entry.id)
        return entry

    def serving(self, entry: Entry, *, policy: str, today: date) -> Entry:
        """Who answers for `entry` today: itself, or the first successor that is still served.

        Raises `ApiError` (404) when the model is retired and may not, or cannot, be followed.
        """
        current, seen = entry, {entry.id}
        while current.lifecycle(today) is lifecycle.Lifecycle.RETIRED:
            successor = self.models.get(current.successor or "")
            if policy == "refuse" or successor is None or successor.id in seen:
                raise _retired(entry)
            seen.add(successor.id)
            current = successor
        return current


def _retired(entry: Entry) -> errors.ApiError:
    when = f"was shut down by its vendor on {entry.shutdown_on.isoformat()}" if entry.shutdown_on else "is retired"
    what_now = f" Use its successor '{entry.successor}'." if entry.successor else " GET /v1/models lists what there is."
    return errors.model_not_found(f"The model '{entry.id}' {when}.{what_now}")


class Registry:
    """Keeps the snapshot. One for an event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._snapshot: Snapshot | None = None
        self._loading: asyncio.Task[Snapshot] | None = None
        self._marking: set[asyncio.Task[None]] = set()

    async def current(self) -> Snapshot:
        """The newest snapshot at hand. Only callers before the first one wait; whoever keeps this calls `renew`."""
        if self._snapshot is not None:
            return self._snapshot
        loading = self._begin()
        try:
            if not (await asyncio.wait({loading}, timeout=WAIT_SECONDS))[0]:
                raise TimeoutError
            return loading.result()
        except (psycopg.Error, OSError) as error:
            raise errors.unavailable(
                "The list of models cannot be read right now. Try again in a few seconds.",
                hint=f"the registry could not be loaded: {type(error).__name__}",
            ) from error

    async def renew(self) -> None:
        """Read it anew. A failure is logged, and leaves in use what there is."""
        await asyncio.wait({self._begin()})

    def _begin(self) -> asyncio.Task[Snapshot]:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(_quietly)
        return self._loading

    async def mark_gone(self, model: str) -> None:
        """The vendor says it has no such model: retired from now on, for every worker.

        When Postgres is away the next caller's refusal marks it instead: this one still gets the successor's answer.
        """
        task = asyncio.create_task(self._mark_gone(model))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)
        await asyncio.wait({task}, timeout=WAIT_SECONDS)

    async def _mark_gone(self, model: str) -> None:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_GONE, [model])
        except (psycopg.Error, OSError) as error:
            log.error("could not note that the vendor no longer has %s: %s", model, type(error).__name__)
            return
        if cursor.rowcount:
            log.error("the vendor no longer has the model %s: it is served by its successor from now on", model)
        self._begin()

    async def _load(self) -> Snapshot:
        try:
            async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
                models = await (await cursor.execute(_MODELS)).fetchall()
                routes = await (await cursor.execute(_ROUTES)).fetchall()
        except (psycopg.Error, OSError) as error:
            log.warning("the registry could not be read: %s", type(error).__name__)
            raise
        self._snapshot = build(models, routes)
        return self._snapshot


def _quietly(task: asyncio.Task[Snapshot]) -> None:
    """A renewal that failed was logged where it failed; whoever waits for it hears of it too."""
    if not task.cancelled():
        task.exception()


def build(models: list[dict[str, Any]], routes: list[dict[str, Any]]) -> Snapshot:
    """A snapshot from the rows of the two queries above."""
    entries: dict[str, Entry] = {}
    by_model: dict[str, list[dict[str, Any]]] = {}
    for route in routes:
        by_model.setdefault(route["model_id"], []).append(route)
    for row in models:
        targets, missing = [], []
        for route in by_model.get(row["id"], []):
            secret = _secret(route)
            if secret is None and route["needs_credential"]:
                missing.append(f"{route['slug']} ({route['api_key_env'] or 'no variable named'})")
            else:
                targets.append(_target(row, route, secret))
        kinds = tuple(dict.fromkeys(route["kind"] for route in by_model.get(row["id"], ())))
        entries[row["id"]] = Entry(**row, targets=tuple(targets), kinds=kinds, missing_credentials=tuple(missing))
    return Snapshot(entries)


def _secret(route: dict[str, Any]) -> str | None:
    try:
        return credentials.secret_for(
            slug=route["slug"], credential=route["credential"], api_key_env=route["api_key_env"]
        )
    except credentials.CredentialError as error:
        log.error("the credential of %s cannot be used: %s", route["slug"], error)
        return None


def _target(row: dict[str, Any], route: dict[str, Any], secret: str | None) -> Target:
    return Target(
        provider=route["slug"],
        kind=route["kind"],
        base_url=route["base_url"],
        credential=secret,
        model=row["id"],
        upstream_model=route["upstream_model"],
        max_output_tokens=row["max_output_tokens"],
        capabilities=row["capabilities"],
        options={**route["provider_options"], **route["route_options"]},
        default_system_prompt=row["default_system_prompt"],
    )


def today() -> date:
    return datetime.now(UTC).date()
