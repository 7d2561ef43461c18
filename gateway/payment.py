"""Between a request and the ledger: what it may cost is held before it is sent, or the caller is told why not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

import psycopg

from billing import money
from billing.admission import Admission, RefusedError
from billing.entries import Entry as LedgerEntry
from billing.ledger import Ledger
from billing.quotes import Quote
from billing.tariffs import Tariffs
from gateway import errors
from gateway.allowances import Allowance
from gateway.estimate import Estimate, check_fields
from gateway.operations import Operation
from gateway.registry import Entry

log = logging.getLogger(__name__)

SCOPES = {
    "wallet": "your organisation's balance",
    "organization": "your organisation's budget",
    "project": "the project's budget",
    "api_key": "this key's budget",
    "member": "the budget of this key's owner",
}


class Cashier:
    """Admits requests. One for an event loop."""

    def __init__(self, *, ledger: Ledger, tariffs: Tariffs) -> None:
        self._ledger = ledger
        self._tariffs = tariffs

    async def admit(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        model: Entry,
        ledger: LedgerEntry,
        allowance: Allowance | None = None,
    ) -> int | None:
        """Hold what the request can come to, in money and in tokens. The answer is the limit of output that must be
        sent to the provider for that to be true, or None when it needs none.

        Raises `ApiError`: 402 when there is not enough, 429 when its key has not the tokens, 400 when the cost has no
        bound or the model no price, 503 when the ledger cannot be asked.
        """
        ledger.model = model.id
        try:
            quote = await self._tariffs.quote(model.id, ledger.organization_id)
            if quote is None:
                raise _not_priced(model)
            check_fields(body, operation.unpriced)
            if quote.free and allowance is None:
                await self._hold_nothing(quote, ledger)
                return None
            most = await operation.estimate(body, model)
            if allowance is not None:
                return await self._hold_both(most, quote, ledger, allowance)
            return await self._hold(most, quote, ledger)
        except (psycopg.Error, OSError) as error:
            raise errors.unavailable(
                "Your request cannot be accounted for right now, so it was not sent. Try again in a few seconds.",
                hint=f"the ledger did not answer: {type(error).__name__}: {error}",
            ) from error

    async def release(self, ledger: LedgerEntry) -> None:
        """Give back what is held: another model will answer, at its own price. Raises `ApiError` (503)."""
        try:
            await self._ledger.release(ledger)
        except (psycopg.Error, OSError) as error:
            raise errors.unavailable(
                "Your request cannot be accounted for right now. Try again in a few seconds.",
                hint=f"the ledger did not answer: {type(error).__name__}",
            ) from error

    async def _hold_both(self, most: Estimate, quote: Quote, ledger: LedgerEntry, allowance: Allowance) -> int | None:
        """At once, so that the second takes no time. What is held when the other is refused goes back with the rest."""
        holding = self._hold_nothing(quote, ledger) if quote.free else self._hold(most, quote, ledger)
        tokens = allowance.take(most.input_tokens + most.least_output)
        limit, refused = await asyncio.gather(holding, tokens, return_exceptions=True)
        for failure in (limit, refused):
            if isinstance(failure, BaseException):
                raise failure
        return cast("int | None", limit)

    async def _hold_nothing(self, quote: Quote, ledger: LedgerEntry) -> None:
        await self._ledger.reserve(ledger, quote, wanted=0, acceptable=0)

    async def _hold(self, most: Estimate, quote: Quote, ledger: LedgerEntry) -> int | None:
        wanted = _bound(quote, most, most.all_output)
        acceptable = wanted if most.named else _bound(quote, most, most.least_output)
        try:
            admission = await self._ledger.reserve(ledger, quote, wanted=wanted, acceptable=acceptable)
        except RefusedError as error:
            raise _refused(error.admission, quote, most, wanted=acceptable) from error
        if most.named:
            return None
        return _limit(admission, quote, most, ledger)


def _bound(quote: Quote, most: Estimate, output: int) -> int:
    return quote.bound(input_tokens=most.input_tokens, output_tokens=output, hour_cache=most.hour_cache)


def _limit(admission: Admission, quote: Quote, most: Estimate, ledger: LedgerEntry) -> int | None:
    """What the hold pays for, noted in the ledger; sent to the provider only where it is less than the model's own."""
    affordable = _affordable(quote, most, admission.held)
    ledger.max_tokens = most.output_tokens if affordable is None else min(most.output_tokens, affordable)
    return None if most.model_limit is not None and ledger.max_tokens >= most.model_limit else ledger.max_tokens


def _affordable(quote: Quote, most: Estimate, nano: int) -> int | None:
    """Tokens of output in each of the answers that are asked for."""
    found = quote.affordable_output(nano, input_tokens=most.input_tokens, hour_cache=most.hour_cache)
    return None if found is None else found // most.choices


def _not_priced(model: Entry) -> errors.ApiError:
    return errors.ApiError(
        400,
        f"The model '{model.id}' has no price here, so it cannot be used. Ask the operator of this gateway to set one.",
        type=errors.INVALID,
        code="model_not_priced",
        param="model",
        hint=f"{model.id} needs a price, or free = true, in the registry",
    )


def _refused(admission: Admission, quote: Quote, most: Estimate, *, wanted: int) -> errors.ApiError:
    if admission.outcome == "halted":
        log.error("a request was refused because its organisation's ledger is halted")
        return errors.unavailable(
            "Your organisation's account is being checked, and nothing is charged to it meanwhile. Try again later.",
            code="ledger_halted",
            retry_after=60,
        )
    affordable = _affordable(quote, most, admission.affordable)
    where = SCOPES[admission.scope] + (f" '{admission.named}'" if admission.named else "")
    advice = (
        f"With max_tokens of at most {affordable} it would pass."
        if affordable
        else "Add credit, raise the budget or send less."
    )
    return errors.ApiError(
        402,
        f"This request could cost up to ${money.dollars(wanted)}, and {where} has "
        f"${money.dollars(admission.affordable)} available. {advice}",
        type="insufficient_quota",
        code="insufficient_quota",
        headers={"x-should-retry": "false"},
        details={"limit": _details(admission, affordable, wanted)},
    )


def _details(admission: Admission, affordable: int | None, wanted: int) -> dict[str, Any]:
    """What a program needs to know of the limit. Amounts are exact dollars, as text."""
    return {
        "scope": admission.scope,
        "budget_id": admission.target,
        "name": admission.named,
        "limit": money.dollars(admission.ceiling),
        "spent": None if admission.spent is None else money.dollars(admission.spent),
        "held": money.dollars(admission.on_hold),
        "available": money.dollars(admission.affordable),
        "request_bound": money.dollars(wanted),
        "resets_at": admission.resets_at.isoformat() if admission.resets_at else None,
        "max_tokens": affordable or None,
    }
