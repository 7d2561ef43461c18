"""The one place where a request can be read whole: who serves it, the call, the answer, the record."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.conf import settings

from accounts.directory import Principal
from billing import money
from billing.entries import Entry as LedgerEntry
from billing.entries import Rule
from billing.ledger import Ledger
from billing.usage import Usage, UsageSource
from gateway import capabilities, errors
from gateway.allowances import Allowance
from gateway.operations import Operation
from gateway.payment import Cashier
from gateway.providers import providers
from gateway.providers.base import Completion, Egress, Target
from gateway.registry import Entry, Registry, Snapshot, today
from gateway.relay import HUNG_UP, MALFORMED, Relay, Served, note_error, unreadable

log = logging.getLogger(__name__)

LARGE_ANSWER = 1024 * 1024  # bytes; read in a thread, so that the event loop goes on
NEXT_ROUTE = frozenset({429, 500, 502, 503, 504})  # failures of one route that say nothing about the next


@dataclass(frozen=True, slots=True)
class Request:
    """A validated request of an admitted caller."""

    operation: Operation
    body: Mapping[str, Any]
    principal: Principal
    entry: LedgerEntry
    allowance: Allowance | None = None  # of a key whose tokens are limited

    @property
    def policy(self) -> str:
        """What this caller wants done about retired models: follow or refuse."""
        return self.principal.retired_models or str(settings.GATEWAY_RETIRED_MODELS)


class Dispatch:
    """Carries requests out. One for an event loop."""

    def __init__(self, *, registry: Registry, ledger: Ledger, cashier: Cashier, egress: Egress) -> None:
        self._registry = registry
        self._cashier = cashier
        self._ledger = ledger
        self._egress = egress

    async def complete(self, request: Request) -> tuple[bytes, dict[str, str]]:
        """The whole answer as JSON, and the headers that go with it. Settled before it returns."""
        entry = request.entry
        try:
            served = await self._serve(request)
            async with aclosing(served.answer):
                completion, source, content = await _completion(served, await served.answer.read())
        except asyncio.CancelledError:
            _note_hang_up(request)
            raise
        except errors.ApiError as error:
            note_error(entry, error)
            raise
        else:
            entry.usage, entry.usage_source = completion.usage or Usage(), source
            entry.finish_reason = completion.finish_reason
            entry.mark_first_token()
            entry.status, entry.rule = 200, Rule.COMPLETE  # last: whatever fails before it failed in the row too
            return content, {**served.headers(entry), "x-2389-cost": money.dollars(entry.charged_nano)}
        finally:
            if not entry.status:  # something of ours broke, and the edge says so
                note_error(entry, errors.internal())
            await self._ledger.settle(entry)

    async def stream(self, request: Request) -> Relay:
        """The answer as a stream whose first event is already here. Close it, always: that settles it."""
        try:
            served = await self._serve(request)
            return await Relay.begin(served, request.entry, self._ledger)
        except asyncio.CancelledError:
            _note_hang_up(request)
            raise
        except errors.ApiError as error:
            note_error(request.entry, error)
            raise
        finally:
            if request.entry.first_token is None:  # it ended before it began
                if not request.entry.status:
                    note_error(request.entry, errors.internal())
                await self._ledger.settle(request.entry)

    async def _serve(self, request: Request) -> Served:
        """The first route that accepts the call, of the model asked for or of the successor that answers for it."""
        snapshot = await self._registry.current()
        asked = snapshot.find(request.body["model"], request.principal)
        entry = snapshot.serving(asked, policy=request.policy, today=today())
        tried = {entry.id}
        while True:
            targets = request.operation.serving(entry)
            if not targets:
                raise _unserved(entry, asked=request.body["model"])
            capabilities.check(request.body, entry)
            limit = await self._cashier.admit(request.operation, request.body, entry, request.entry, request.allowance)
            try:
                return await self._try_routes(request, targets, limit)
            except errors.ModelGoneError:
                successor = await self._successor_of(entry, snapshot, request)
                if successor is None or successor.id in tried:
                    raise
                tried.add(successor.id)
                entry = successor
                await self._cashier.release(request.entry)

    async def _successor_of(self, gone: Entry, snapshot: Snapshot, request: Request) -> Entry | None:
        """The vendor just said that `gone` is gone: remember it, and say who is next."""
        following = snapshot.models.get(gone.successor or "")
        if following is None:
            log.error("the vendor does not know %s, which has no successor", gone.id)
            return None
        await self._registry.mark_gone(gone.id)
        if request.policy == "refuse":
            raise errors.model_not_found(
                f"The model '{gone.id}' was shut down by its vendor. Use its successor '{following.id}'."
            )
        return snapshot.serving(following, policy=request.policy, today=today())

    async def _try_routes(self, request: Request, targets: Sequence[Target], limit: int | None) -> Served:
        for target in targets[:-1]:
            try:
                return await self._call(request, target, limit)
            except errors.ApiError as error:
                if error.status not in NEXT_ROUTE:
                    raise
                log.warning("%s failed, trying the next route of %s: %s", target.provider, target.model, error.hint)
        return await self._call(request, targets[-1], limit)

    async def _call(self, request: Request, target: Target, limit: int | None) -> Served:
        """One call over one route, noted. Raises `ApiError` for every answer that is not a 200."""
        ledger, begun, status, code = request.entry, time.monotonic(), 0, "cancelled"
        try:
            served = await self._send(request, target, limit)
        except errors.ApiError as error:
            status, code = error.status, error.code or error.type
            raise
        else:
            status, code = 200, ""
            return served
        finally:
            ledger.attempts.append(
                {
                    "provider": target.provider,
                    "upstream_model": target.upstream_model,
                    "status": status,
                    "error_code": code,
                    "ms": round((time.monotonic() - begun) * 1000),
                }
            )

    async def _send(self, request: Request, target: Target, limit: int | None) -> Served:
        dialect = providers()[target.kind].dialect(request.operation.name)
        if dialect is None:  # `Operation.serving` left such routes out
            raise errors.internal()
        ledger = request.entry
        ledger.model, ledger.provider, ledger.upstream_model = target.model, target.provider, target.upstream_model
        call = request.operation.call(
            body=request.operation.call.prepared(request.body, target),
            target=target,
            request_id=str(ledger.request_id),
            created=int(time.time()),
            organization_id=ledger.organization_id,
            output_limit=limit,
        )
        call = await dialect.prepare(call)
        ledger.rule = Rule.FAILED  # from here on the provider may be at work; until there is something to bill
        answer = await dialect.send(call, self._egress)
        if answer.status == 200:
            return Served(call, dialect, answer)
        async with aclosing(answer):
            raise dialect.error(call, answer.status, answer.headers, await answer.read())


async def _completion(served: Served, body: bytes) -> tuple[Completion, UsageSource, bytes]:
    """The answer, who counted its usage, and its JSON."""
    try:
        if len(body) > LARGE_ANSWER:
            return await asyncio.to_thread(_translated, served, body)
        return _translated(served, body)
    except MALFORMED as error:
        raise unreadable(served, error) from error


def _translated(served: Served, body: bytes) -> tuple[Completion, UsageSource, bytes]:
    completion, source = served.dialect.response(served.call, body), UsageSource.PROVIDER
    if completion.usage is None:
        completion, source = replace(completion, usage=served.call.counted(completion.body)), UsageSource.COUNTED
    return completion, source, orjson.dumps(completion.body)


def _unserved(entry: Entry, *, asked: str) -> errors.ApiError:
    which = f"'{entry.id}'" if entry.id == asked else f"'{entry.id}', which answers for the retired '{asked}',"
    missing = ", ".join(entry.missing_credentials)
    hint = f"set the credential of {missing}" if missing else "no enabled route leads to an enabled provider"
    return errors.ApiError(
        503,
        f"The model {which} is not set up here. Ask the operator of this gateway, or use another model.",
        type=errors.SERVER,
        code="provider_not_configured",
        headers={"x-should-retry": "false"},  # a client library that waits and tries again only keeps people waiting
        hint=f"{entry.id} cannot be served: {hint}",
    )


def _note_hang_up(request: Request) -> None:
    """The caller went before there was an answer. What was sent to the provider was asked for: the prompt is paid."""
    entry = request.entry
    entry.status = HUNG_UP
    if entry.rule is Rule.FAILED:
        entry.rule, entry.usage_source = Rule.STOPPED, UsageSource.COUNTED
        entry.usage = Usage(input=request.operation.call.count_prompt(request.body))
