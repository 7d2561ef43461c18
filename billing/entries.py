"""One request in the ledger's eyes, from admission to its usage event."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from billing.quotes import Quote
from billing.usage import BUCKETS, Usage, UsageSource, counts_of

LARGEST_COUNT = 2**31 - 1
LARGEST_AMOUNT = 2**63 - 1
COLUMNS = tuple(f"{bucket}_tokens" for bucket in BUCKETS)
NOTHING = Usage()


class Rule(StrEnum):
    """Which paragraph of docs/billing.md decided what a request is charged."""

    COMPLETE = "complete"  # the answer came to its end: what the provider counted
    STOPPED = "stopped"  # it stopped early: what was produced until then, and the prompt
    FAILED = "failed"  # it failed before any output: nothing
    REFUSED = "refused"  # nothing was sent to a provider: nothing
    FREE = "free"  # the model costs nothing
    REPLAYED = "replayed"  # the answer of an earlier request with the same Idempotency-Key: nothing
    ORPHANED = "orphaned"  # its process died: what was last heard of
    LATE = "late"  # its process came back after that


BILLED = frozenset({Rule.COMPLETE, Rule.STOPPED})


@dataclass(slots=True)
class Entry:
    """Filled in as things become known; `status` is what the caller got."""

    request_id: uuid.UUID
    organization_id: int
    api_key_id: int
    project_id: int | None = None
    member_id: int | None = None
    external_id: str = ""
    model_requested: str = ""
    model: str = ""
    provider: str = ""
    upstream_model: str = ""
    stream: bool = False
    status: int = 0
    error_code: str = ""
    finish_reason: str = ""
    usage: Usage = NOTHING
    usage_source: UsageSource = UsageSource.NONE
    rule: Rule = Rule.REFUSED
    quote: Quote | None = None
    held_nano: int | None = None  # None until it is reserved
    max_tokens: int | None = None  # what was sent to the provider for the money's sake
    attempts: list[dict[str, Any]] = field(default_factory=list)
    measure: Callable[[], Usage] | None = None  # what it has come to, while it is under way
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    settled: bool = False
    _billed: tuple[tuple[Usage, Rule, Quote | None], tuple[Usage, int, int]] | None = None

    def mark_first_token(self) -> None:
        if self.first_token is None:
            self.first_token = time.monotonic()

    @property
    def counts(self) -> Usage:
        """The usage as a row can hold it: what cannot be true is kept within bounds, and so is what it costs."""
        return within_bounds(self.usage)

    @property
    def charged_nano(self) -> int:
        """What the customer pays: never more than was held."""
        return min(self._bill()[2], self.held_nano or 0)

    def _bill(self) -> tuple[Usage, int, int]:
        """What it used, what that costs us, and what it would cost the customer if all of it had been held: worked out
        once for what is known now."""
        by = (self.usage, self.rule, self.quote)
        if self._billed is None or self._billed[0] != by:
            usage, quote = self.counts, self.quote if self.rule in BILLED else None
            self._billed = by, (usage, quote.cost(usage), quote.charge(usage)) if quote else (usage, 0, 0)
        return self._billed[1]

    def record(self) -> dict[str, Any]:
        """The usage event by column, as `billing_settle` takes it and the spool keeps it: nothing that was said."""
        first = None if self.first_token is None else round((self.first_token - self.started) * 1000)
        usage, cost, charge = self._bill()
        free = self.quote is not None and self.rule in BILLED and self.quote.free
        return {
            "request_id": self.request_id,
            "external_id": _text(self.external_id, 200),
            "organization_id": self.organization_id,
            "api_key_id": self.api_key_id,
            "project_id": self.project_id,
            "member_id": self.member_id,
            "model_requested": _text(self.model_requested, 120),
            "model": self.model,
            "provider": self.provider,
            "upstream_model": self.upstream_model,
            "stream": self.stream,
            "status": self.status,
            "error_code": _text(self.error_code, 60),
            "finish_reason": _text(self.finish_reason, 30),
            **dict(zip(COLUMNS, counts_of(usage), strict=True)),
            "usage_source": self.usage_source.value,
            "rule": (Rule.FREE if free else self.rule).value,
            "cost_nano": min(cost, LARGEST_AMOUNT),
            "charged_nano": min(charge, LARGEST_AMOUNT),
            "max_tokens": self.max_tokens,
            "attempts": self._attempts(cost),
            "started_at": self.started_at,
            "ended_at": datetime.now(UTC),
            "first_token_ms": first,
            "duration_ms": round((time.monotonic() - self.started) * 1000),
        }

    def _attempts(self, cost: int) -> list[dict[str, Any]]:
        """Each call of a provider, with its own cost: only the one that answered has one."""
        last = len(self.attempts) - 1
        return [
            {
                **attempt,
                "error_code": _text(attempt.get("error_code", ""), 60),  # a provider's own word
                "cost_nano": cost if place == last else 0,
            }
            for place, attempt in enumerate(self.attempts)
        ]


def within_bounds(usage: Usage) -> Usage:
    """What a column can hold of it."""
    counts = counts_of(usage)
    if min(counts) >= 0 and max(counts) <= LARGEST_COUNT and set(map(type, counts)) == {int}:
        return usage
    return Usage(*map(_count, counts))


def _text(value: object, length: int) -> str:
    """What callers and providers wrote, as Postgres can keep it: one bad row would refuse all that share its batch."""
    text = str(value)
    if text.isascii() and "\0" not in text:
        return text[:length]
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:length]


def _count(value: float) -> int:
    return min(max(0, int(value)), LARGEST_COUNT)
