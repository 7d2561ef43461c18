"""What holds for a call whatever vendor serves it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any, cast

import pytest

from billing.entries import Entry as LedgerEntry
from billing.entries import Rule
from billing.ledger import Ledger
from gateway import request_ids
from gateway.dispatch import Dispatch, Request
from gateway.egress import Egress
from gateway.errors import ApiError, ModelGoneError
from gateway.operations import CHAT
from gateway.payment import Cashier
from gateway.providers.base import Target
from gateway.providers.sandbox import Sandbox
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


class Free:
    """Admits everybody, for nothing."""

    async def admit(
        self, operation: object, body: object, model: object, ledger: LedgerEntry, allowance: object = None
    ) -> int | None:
        return None

    async def release(self, ledger: LedgerEntry) -> None:
        return None


def _dispatch(registry: object, rows: Rows) -> Dispatch:
    return Dispatch(
        registry=cast("Registry", registry),
        ledger=cast("Ledger", rows),
        cashier=cast("Cashier", Free()),
        egress=cast("Egress", None),
    )


async def test_a_circle_of_models_that_the_vendor_dropped_comes_to_an_end() -> None:
    registry, rows = Circle(), Rows()
    dispatch = _dispatch(registry, rows)
    body = {"model": "one", "messages": [{"role": "user", "content": "hi"}]}
    row = LedgerEntry(request_ids.new(), 1, 1)
    with pytest.raises(ModelGoneError):
        await dispatch.complete(Request(CHAT, body=body, principal=CALLER, entry=row))
    assert registry.gone == ["one", "two"]
    assert [(settled.status, settled.error_code) for settled in rows.settled] == [(404, "model_not_found")]


class Known:
    """A registry of one model."""

    def __init__(self, *upstream: str, **fields: Any) -> None:
        routes = tuple(Target("sandbox", "sandbox", "", None, "one", name) for name in upstream)
        self._snapshot = snapshot(replace(entry("one", **fields), targets=routes))

    async def current(self) -> Snapshot:
        return self._snapshot


async def _complete(registry: Known, *messages: dict[str, Any]) -> LedgerEntry:
    """The row of a request, whether it went well or not."""
    rows = Rows()
    dispatch = _dispatch(registry, rows)
    request = Request(CHAT, {"model": "one", "messages": messages}, CALLER, LedgerEntry(request_ids.new(), 1, 1))
    with contextlib.suppress(ApiError):
        await dispatch.complete(request)
    (row,) = rows.settled
    return row


@pytest.mark.parametrize("failing", ["rate-limit", "error"])
async def test_a_route_that_fails_is_followed_by_the_next(failing: str) -> None:
    row = await _complete(Known(failing, "echo"), {"role": "user", "content": "hi"})
    assert (row.status, row.upstream_model) == (200, "echo")


async def test_the_last_routes_failure_is_the_callers_answer() -> None:
    row = await _complete(Known("error", "rate-limit"), {"role": "user", "content": "hi"})
    assert (row.status, row.upstream_model) == (429, "rate-limit")


async def test_a_fault_of_the_callers_is_not_tried_on_the_next_route() -> None:
    row = await _complete(Known("tool", "echo"))  # without a message, there is none to answer
    assert (row.status, row.upstream_model) == (400, "tool")


async def test_a_model_that_does_not_chat_is_not_asked() -> None:
    row = await _complete(Known("echo", capabilities={"chat": False}), {"role": "user", "content": "hi"})
    assert (row.status, row.error_code, row.upstream_model) == (400, "unsupported_endpoint", "")


async def test_who_hangs_up_while_an_image_is_fetched_for_them_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def for_ever(self: object, call: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sandbox, "prepare", for_ever)
    rows, body = Rows(), {"model": "one", "messages": [{"role": "user", "content": "hi"}]}
    dispatch = _dispatch(Known("echo"), rows)
    asking = asyncio.create_task(dispatch.complete(Request(CHAT, body, CALLER, LedgerEntry(request_ids.new(), 1, 1))))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    (row,) = rows.settled
    assert (row.status, row.rule, row.usage.prompt_tokens) == (499, Rule.REFUSED, 0)
