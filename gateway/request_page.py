"""One request as its page tells it: what happened when, what it cost and why, and where that stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import ApiKey, Organization, Project
from accounts.templatetags.moments import duration
from billing import arithmetic, money
from billing.arithmetic import Sum
from billing.entries import Rule
from billing.models import Hold, Transfer, UsageEvent
from billing.usage import UsageSource
from gateway import error_words
from gateway.error_words import Words
from gateway.requests_list import tone_of, words_of

SECOND = timedelta(seconds=1)

# Which line of docs/billing.md decided, in words for whoever was charged.
RULES: dict[str, str] = {
    Rule.COMPLETE: "The answer came to its end. What it used is charged.",
    Rule.STOPPED: "The answer stopped early. The prompt and what had been produced until then are charged.",
    Rule.FAILED: "It failed before any output. Nothing is charged.",
    Rule.REFUSED: "Nothing was sent to a provider. Nothing is charged.",
    Rule.FREE: "The model costs nothing.",
    Rule.REPLAYED: "It is the answer of an earlier request with the same Idempotency-Key. It is not charged again.",
    Rule.ORPHANED: "The process that served it died. What it had last reported is charged.",
    Rule.LATE: "The process that served it was taken for dead and came back. What it counted is charged.",
}
HUNG_UP = "The caller hung up. The prompt and what had been produced until then are charged."
UNKNOWN = "It was made before charges were recorded here. Nothing is charged."
SOURCES: dict[str, str] = {
    UsageSource.PROVIDER: "The provider counted the tokens.",
    UsageSource.COUNTED: "The provider gave no count of what it produced, so the tokens are our own count.",
    UsageSource.SWEPT: "The tokens are what was last reported, at most two seconds before.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: `after` says how long after the request arrived."""

    label: str
    note: str = ""
    after: str = ""
    at: datetime | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the whole time, as a share of a hundred."""

    name: str
    label: str
    start: float
    width: float
    took: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a provider."""

    provider: str
    upstream_model: str
    status: int
    error_code: str
    took: str
    words: str
    tone: str


class Receipt:
    """What the page of one request shows."""

    def __init__(self, organization: Organization, request: UsageEvent | Hold) -> None:
        self.request = request
        self.event = request if isinstance(request, UsageEvent) else None
        self.is_running = self.event is None
        self.tone, self.words = tone_of(request), words_of(request)
        self.held_nano = self.event.held_nano if self.event else request.amount_nano  # type: ignore[union-attr]
        self.key: ApiKey | None = ApiKey.objects.of(organization).filter(pk=request.api_key_id).first()
        self.project: Project | None = None
        self.entries: list[Transfer] = []
        self.sum: Sum | None = None
        if self.event is not None:
            self.project = Project.objects.of(organization).filter(pk=self.event.project_id).first()
            self.entries = _entries(organization, self.event)
            self.sum = arithmetic.of(self.event)

    @property
    def steps(self) -> list[Step]:
        return list(_steps(self.event) if self.event else _steps_until_now(self.request))

    @property
    def phases(self) -> list[Phase]:
        return _phases(self.event) if self.event else []

    @property
    def attempts(self) -> list[Attempt]:
        return [_attempt(one) for one in self.event.attempts] if self.event else []

    @property
    def error(self) -> Words | None:
        """What went wrong, in words; also for a code that only its provider knows."""
        event = self.event
        if event is None or event.status < 400:
            return None
        if event.status == 499:
            return Words("The caller hung up before the answer was complete.")
        known = error_words.explain(event.status, event.error_code)
        return known or Words("The provider refused it, with a code of its own. The answer said what is wrong.")

    @property
    def rule(self) -> str:
        event = self.event
        if event is None:
            return ""
        if event.rule == Rule.STOPPED and event.status == 499:
            return HUNG_UP
        return RULES.get(event.rule, UNKNOWN)

    @property
    def source(self) -> str:
        return SOURCES.get(self.event.usage_source, "") if self.event else ""

    @property
    def is_computed(self) -> bool:
        """Whether the charge follows from tokens and prices; where nothing is charged there is nothing to compute."""
        billed = {Rule.COMPLETE, Rule.STOPPED, Rule.ORPHANED, Rule.LATE}
        return self.sum is not None and self.event is not None and self.event.rule in billed

    @property
    def adds_up(self) -> bool:
        """Whether the charge is the sum, or what was held of it. Not of one that was closed before all was known."""
        if self.sum is None or self.event is None:
            return False
        return self.event.charged_nano == min(self.sum.comes_to_nano, self.held_nano)

    @property
    def given_back_nano(self) -> int:
        return self.held_nano - self.event.charged_nano if self.event else 0

    @property
    def refunded_nano(self) -> int:
        return sum(entry.amount_nano for entry in self.entries if entry.kind == Transfer.Kind.REFUND)


def _entries(organization: Organization, event: UsageEvent) -> list[Transfer]:
    """What stands in the ledger about it, each found by the index on kind and ref."""
    kinds = (Transfer.Kind.USAGE, Transfer.Kind.LATE_USAGE, Transfer.Kind.REFUND)
    found = Transfer.objects.of(organization).filter(kind__in=kinds, ref=str(event.request_id))
    return list(found.order_by("pk"))


def _steps_until_now(hold: Any) -> Iterator[Step]:
    yield Step("Admitted", f"{_dollars(hold.amount_nano)} held", at=hold.admitted_at)
    if hold.provider:
        yield Step(f"Sent to {hold.provider}", "Its answer is on its way", at=None)
    yield Step("Last heard of", at=hold.heard_at)


def _steps(event: UsageEvent) -> Iterator[Step]:
    queued = _queued_ms(event)
    yield Step("Arrived", at=event.started_at)
    if event.attempts or event.held_nano:
        held = f"{_dollars(event.held_nano)} held" if event.held_nano else "nothing to hold"
        yield Step("Admitted", held, f"after {duration(queued)}")
    sent = queued
    for kept in event.attempts:
        attempt = _attempt(kept)
        told = f"{attempt.words} in {attempt.took}"
        yield Step(f"Sent to {attempt.provider}", told, f"after {duration(sent)}", tone=attempt.tone)
        sent += int(kept.get("ms") or 0)
    if event.stream and event.first_token_ms is not None:
        yield Step("First token", "", f"after {duration(event.first_token_ms)}")
    last = "Ended" if event.status < 400 else words_of(event)
    yield Step(last, _ending(event), f"after {duration(event.duration_ms)}", event.ended_at, tone_of(event))


def _ending(event: UsageEvent) -> str:
    parts = [
        f"finish reason {event.finish_reason}" if event.finish_reason else "",
        f"{event.usage.completion_tokens:,} tokens of output" if event.usage.completion_tokens else "",
    ]
    return ", ".join(part for part in parts if part)


def _queued_ms(event: UsageEvent) -> int:
    """From its arrival to its admission, as far as two clocks can tell; never more than all of it took."""
    return min(max(0, round((event.admitted_at - event.started_at) / SECOND * 1000)), event.duration_ms)


def _phases(event: UsageEvent) -> list[Phase]:
    """Waiting to be admitted, waiting for the first word, and the answer: what of the whole time each took."""
    whole = event.duration_ms
    if whole <= 0 or not event.attempts:
        return []
    queued = _queued_ms(event)
    first = min(max(event.first_token_ms or whole, queued), whole) if event.stream else whole
    marks = [
        ("queued", "Queued", 0, queued),
        ("waiting", "Until the first token" if event.stream else "At the provider", queued, first),
        ("answering", "Answering", first, whole),
    ]
    return [
        Phase(name, label, round(start * 100 / whole, 2), round((end - start) * 100 / whole, 2), duration(end - start))
        for name, label, start, end in marks
        if end > start or name == "queued"
    ]


def _attempt(kept: dict[str, Any]) -> Attempt:
    status, code = int(kept.get("status") or 0), str(kept.get("error_code") or "")
    words = f"answered {status}" if status else "given up" if code == "cancelled" else "no answer"
    tone = "good" if status == 200 else "warn" if code == "cancelled" else "bad"
    return Attempt(
        provider=str(kept.get("provider", "")),
        upstream_model=str(kept.get("upstream_model", "")),
        status=status,
        error_code=code,
        took=duration(int(kept.get("ms") or 0)),
        words=words,
        tone=tone,
    )


def _dollars(nano: int) -> str:
    return f"${money.dollars(nano)}"
