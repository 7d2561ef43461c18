"""What holds for a call whatever vendor serves it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from billing.ledger import Entry as LedgerEntry
from billing.ledger import Ledger
from gateway import request_ids
from gateway.dispatch import ChatRequest, Dispatch
from gateway.egress import Egress
from gateway.errors import ModelGoneError
from gateway.providers.base import Target
from gateway.registry import Registry, Snapshot
from tests.gateway.test_registry import CALLER, entry, snapshot


class Circle:
    """A registry of two models that are each other's successor, neither of which the vendor has."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    async def current(self) -> Snapshot:
        return snapshot(*(self._model(name, successor) for name, successor in (("one", "two"), ("two", "one"))))

    async def mark_gone(self, model: str) -> None:
        self.gone.append(model)

    def _model(self, name: str, successor: str) -> Any:
        target = Target("sandbox", "sandbox", "", None, name, f"no-{name}")
        return replace(entry(name, successor=successor), targets=(target,))


class Rows:
    def __init__(self) -> None:
        self.settled: list[LedgerEntry] = []

    async def settle(self, entry: LedgerEntry) -> None:
        self.settled.append(entry)


async def test_a_circle_of_models_that_the_vendor_dropped_comes_to_an_end() -> None:
    registry, rows = Circle(), Rows()
    dispatch = Dispatch(registry=cast("Registry", registry), ledger=cast("Ledger", rows), egress=cast("Egress", None))
    body = {"model": "one", "messages": [{"role": "user", "content": "hi"}]}
    row = LedgerEntry(request_ids.new(), 1, 1)
    with pytest.raises(ModelGoneError):
        await dispatch.complete(ChatRequest(body=body, principal=CALLER, entry=row))
    assert registry.gone == ["one", "two"]
    assert [(settled.status, settled.error_code) for settled in rows.settled] == [(404, "model_not_found")]
