"""The list of an organisation's requests: a row a request, and the same rows as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async

from accounts.models import ApiKey, Organization
from billing import money, requests
from billing.entries import Rule
from billing.models import Hold, UsageEvent
from billing.requests import Found, Place, Wanted
from gateway.receipts import BUCKETS

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run
FILE_ROWS = 50_000
FILE_PAGE = 1000
FILE_PAGES = 200  # looks at the table for one file, each of at most `requests.SCANNED` rows
COLUMNS = (
    "id", "external_id", "admitted_at", "ended_at", "api_key_id", "api_key", "project_id", "model_requested", "model",
    "provider", "stream", "http_status", "error_code", "finish_reason", *(f"{name}_tokens" for name in BUCKETS),
    "usage_source", "rule", "charged", "first_token_ms", "duration_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A request as the list shows it."""

    request: UsageEvent | Hold
    key: ApiKey | None

    @property
    def is_running(self) -> bool:
        return isinstance(self.request, Hold)

    @property
    def tone(self) -> str:
        return tone_of(self.request)

    @property
    def words(self) -> str:
        return words_of(self.request)

    @property
    def prompt_tokens(self) -> int:
        return self.request.usage.prompt_tokens if isinstance(self.request, UsageEvent) else 0

    @property
    def completion_tokens(self) -> int:
        return self.request.usage.completion_tokens if isinstance(self.request, UsageEvent) else 0


def rows_of(organization: Organization, found: Iterable[UsageEvent | Hold]) -> list[Row]:
    """With the keys they were sent with; of a key that is not there any more, with none."""
    listed = list(found)
    keys = ApiKey.objects.of(organization).in_bulk({request.api_key_id for request in listed})
    return [Row(request, keys.get(request.api_key_id)) for request in listed]


def under_way(organization: Organization, wanted: Wanted, found: Found) -> list[Hold]:
    """What runs, without what has ended since it was looked up."""
    ended = {event.request_id for event in found.rows}
    return [hold for hold in requests.running(organization, wanted) if hold.request_id not in ended]


def tone_of(request: UsageEvent | Hold) -> str:
    if isinstance(request, Hold):
        return ""
    if request.status < 400:
        return "good"
    return "warn" if request.status == 499 else "bad"


def words_of(request: UsageEvent | Hold) -> str:
    """How it ended, in two words; the number where there is one to tell."""
    if isinstance(request, Hold):
        return "Running"
    if request.rule == Rule.REPLAYED:
        return "Replayed"
    if request.status < 400:
        return "Succeeded"
    if request.status == 499:
        return "Hung up"
    if request.rule == Rule.ORPHANED:
        return "Interrupted"
    return f"{'Refused' if request.rule == Rule.REFUSED else 'Failed'}, {request.status}"


# -- as a file ----------------------------------------------------------------------------------------


async def as_csv(organization: Organization, wanted: Wanted, newest: datetime) -> AsyncIterator[bytes]:
    """What the page lists by these filters, newest first, up to `FILE_ROWS`; nothing that is admitted after `newest`.

    Piece by piece, each by queries of its own: no transaction stays open while somebody reads slowly.
    """
    yield _line(COLUMNS)
    place: Place | None = Place(newest)
    written = pages = 0
    while place is not None and written < FILE_ROWS and pages < FILE_PAGES:
        size = min(FILE_PAGE, FILE_ROWS - written)
        lines, place = await sync_to_async(_piece)(organization, wanted, place, size)
        written, pages = written + len(lines), pages + 1
        yield b"".join(lines)


def _piece(organization: Organization, wanted: Wanted, before: Place, size: int) -> tuple[list[bytes], Place | None]:
    found = requests.page_of(organization, wanted, before, size=size)
    return [_line(_values(row)) for row in rows_of(organization, found.rows)], found.older


def _values(row: Row) -> list[Any]:
    event = row.request
    assert isinstance(event, UsageEvent)  # noqa: S101 - for the type alone: what runs is in no file
    return [
        event.request_id, event.external_id, event.admitted_at.isoformat(), event.ended_at.isoformat(),
        event.api_key_id, row.key.name if row.key else "", event.project_id, event.model_requested, event.model,
        event.provider, event.stream, event.status, event.error_code, event.finish_reason,
        *(getattr(event, f"{bucket}_tokens") for bucket in BUCKETS),
        event.usage_source, event.rule, money.dollars(event.charged_nano), event.first_token_ms, event.duration_ms,
    ]  # fmt: skip


def _line(values: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(
        [f"'{one}" if isinstance(one, str) and one.startswith(FORMULA) else one for one in values]
    )
    return text.getvalue().encode()
