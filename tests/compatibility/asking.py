"""One request on the whole way from its validation to the answer, with a vendor that plays along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from billing.entries import Entry as LedgerEntry
from billing.ledger import Ledger
from gateway import request_ids
from gateway.dispatch import Dispatch, Request
from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.estimate import check_fields
from gateway.operations import OPERATIONS, Operation
from gateway.payment import Cashier
from gateway.providers.base import Outbound
from gateway.providers.sandbox import LocalAnswer
from gateway.registry import Entry, Registry, Snapshot
from tests.compatibility import vendors
from tests.gateway.test_registry import CALLER, snapshot

USER = {"role": "user", "content": "hi"}


@dataclass
class Seen:
    """What became of a request."""

    refusal: ApiError | None = None
    paid: bool = False  # whether money was held, or would have been
    sent: dict[str, Any] = field(default_factory=dict)  # the body that the vendor got
    chunks: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [choice["message"] for choice in self.answer.get("choices", ())]

    @property
    def message(self) -> dict[str, Any]:
        return self.messages[0]


class _Till:
    """Estimates as the gateway does, and holds nothing."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def admit(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        model: Entry,
        ledger: LedgerEntry,
        allowance: object = None,
    ) -> int | None:
        check_fields(body, operation.unpriced)
        await operation.estimate(body, model)
        self._seen.paid = True
        return None

    async def settle(self, ledger: LedgerEntry) -> None:
        return None


class _Shelf:
    """A registry of one model."""

    def __init__(self, model: Entry) -> None:
        self._model = model

    async def current(self) -> Snapshot:
        return snapshot(self._model)


class _Wire:
    """A way out that leads to the played vendor."""

    def __init__(self, kind: str, seen: Seen) -> None:
        self._kind, self._seen = kind, seen

    async def send(self, outbound: Outbound) -> LocalAnswer:
        self._seen.sent = json.loads(outbound.body)
        content_type, body = vendors.answer(self._kind, outbound.url, self._seen.sent)
        return LocalAnswer(200, {"content-type": content_type}, [body])


async def ask(model: Entry, fields: Mapping[str, Any], endpoint: str = "chat") -> Seen:
    """What happens to a request with these fields."""
    seen, operation = Seen(), next(one for one in OPERATIONS if one.name == endpoint)
    body = {"model": model.id, **({"messages": [USER]} if endpoint == "chat" else {}), **fields}
    dispatch = Dispatch(
        registry=cast("Registry", _Shelf(model)),
        ledger=cast("Ledger", _Till(seen)),
        cashier=cast("Cashier", _Till(seen)),
        egress=cast("Egress", _Wire(model.kinds[0], seen)),
    )
    try:
        operation.check(body)
        request = Request(operation, body, CALLER, LedgerEntry(request_ids.new(), 1, 1))
        if body.get("stream"):
            seen.chunks = await _streamed(dispatch, request)
        else:
            seen.answer = json.loads((await dispatch.complete(request))[0])
    except ApiError as error:
        seen.refusal = error
    return seen


async def _streamed(dispatch: Dispatch, request: Request) -> list[dict[str, Any]]:
    stream = await dispatch.stream(request)
    try:
        lines = b"".join([events async for events in stream.events()]).decode().splitlines()
    finally:
        await stream.aclose()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [json.loads(payload) for payload in data]
