"""What a request asks of Postgres before it may spend, and the answer: that is decided by `billing_reserve` alone."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.entries import LARGEST_AMOUNT, Entry
from billing.quotes import Quote


class Reservation(NamedTuple):
    """To hold between `acceptable` and `wanted` nano-dollars; in the order in which `billing_reserve` takes them."""

    request_id: UUID
    organization_id: int
    api_key_id: int
    project_id: int | None
    member_id: int | None
    wanted: int
    acceptable: int
    model_requested: str
    model: str
    stream: bool
    price_id: int | None
    charge_price_id: int | None
    markup_basis_points: int

    @classmethod
    def of(cls, entry: Entry, quote: Quote, *, wanted: int, acceptable: int) -> Reservation:
        return cls(
            entry.request_id, entry.organization_id, entry.api_key_id, entry.project_id, entry.member_id,
            min(wanted, LARGEST_AMOUNT), min(acceptable, LARGEST_AMOUNT), entry.model_requested, entry.model,
            entry.stream, quote.price_id, quote.charge_price_id, quote.markup_basis_points,
        )  # fmt: skip


class Admission(NamedTuple):
    """What Postgres said. Amounts are nano-dollars; the limit that was nearest, when there was not enough."""

    outcome: str  # ok, insufficient or halted
    held: int
    affordable: int
    scope: str  # wallet, organization, project, api_key or member
    target: int | None  # the budget's id
    named: str | None  # the budget's name
    spent: int | None
    on_hold: int
    ceiling: int
    resets_at: datetime | None


class RefusedError(Exception):
    """A request that may not spend what it could come to."""

    def __init__(self, admission: Admission, *, wanted: int) -> None:
        super().__init__(admission.outcome)
        self.admission = admission
        self.wanted = wanted
