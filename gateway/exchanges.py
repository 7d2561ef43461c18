"""Stored prompts and answers: opened for whoever may see them, deleted when their time is over."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from accounts.models import AuditEvent, Organization
from billing.models import UsageEvent
from gateway import credentials
from gateway.keeping import purpose
from gateway.models import StoredExchange

MOST_COUNTED = 10_000
AT_ONCE = 500  # rows that are deleted or encrypted anew in one statement
LOOKED_BACK = 500  # events of a person, for one that says the same of today

# Of each organisation by itself: what is older than it wants, and everything where it wants nothing.
_FORGET = """
DELETE FROM gateway_storedexchange s USING (
  SELECT x.organization_id, x.request_id FROM accounts_organization o CROSS JOIN LATERAL (
    SELECT e.organization_id, e.request_id FROM gateway_storedexchange e
    WHERE e.organization_id = o.id AND (o.prompt_retention_days IS NULL OR o.closed_at IS NOT NULL
      OR e.request_id < billing_uuid_at(now() - make_interval(days => o.prompt_retention_days)))
    ORDER BY e.request_id LIMIT %(most)s) x
  WHERE %(organization)s::bigint IS NULL OR o.id = %(organization)s::bigint
  LIMIT %(most)s) old
WHERE s.organization_id = old.organization_id AND s.request_id = old.request_id
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One part of the conversation."""

    who: str
    text: str
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """The request or the answer, as JSON. `size` is its length before it was cut."""

    text: str
    size: int
    is_cut: bool

    @property
    def pretty(self) -> str:
        """On lines of its own where it is whole; what was cut is shown as it is."""
        value = self.value
        return self.text if value is None else _pretty(value)

    @property
    def value(self) -> Any:
        """None when it was cut, or is no JSON."""
        try:
            return None if self.is_cut else json.loads(self.text)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored exchange, in the clear."""

    path: str
    request: Side
    answer: Side
    streamed: bool
    whole: bool
    ends_at: datetime  # when it is deleted

    @property
    def said(self) -> list[Said]:
        """The conversation, as far as it can be told apart."""
        return [*_asked(self.request.value), *_answered(self.answer.value)]


def find(organization: Organization, request_id: uuid.UUID) -> Opened | None:
    """None when nothing is stored of it, or its time is over. Raises `CredentialError`."""
    days = organization.prompt_retention_days
    if days is None:
        return None
    kept: StoredExchange | None = StoredExchange.objects.of(organization).filter(request_id=request_id).first()
    ends_at = _arrived(request_id) + timedelta(days=days)
    if kept is None or ends_at <= timezone.now():
        return None
    packed = credentials.unseal(purpose(organization.pk, request_id), bytes(kept.content))
    content = orjson.loads(zlib.decompress(packed))
    return Opened(
        path=content["path"],
        request=_side(content["request"]),
        answer=_side(content["answer"]),
        streamed=content["streamed"],
        whole=content["whole"],
        ends_at=ends_at,
    )


def is_stored(organization: Organization, request_id: uuid.UUID) -> bool:
    if organization.prompt_retention_days is None:
        return False
    return StoredExchange.objects.of(organization).filter(request_id=request_id).exists()


def note_look(request: HttpRequest, organization: Organization, event: UsageEvent) -> None:
    """Write down that somebody read it: once a day for each person and request."""
    own = AuditEvent.objects.of(organization).filter(actor=request.user.pk)
    newest = own.order_by("-pk").values("pk")[:LOOKED_BACK]
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    told = AuditEvent.objects.filter(
        pk__in=list(newest.values_list("pk", flat=True)), action=Action.PROMPTS_READ,
        target_id=str(event.pk), created_at__gte=today,
    )  # fmt: skip
    if not told.exists():
        audit.record(request, organization, Action.PROMPTS_READ, event)


def count(organization: Organization) -> int:
    """How many are stored, or one more than `MOST_COUNTED` when there are more."""
    return StoredExchange.objects.of(organization).order_by()[: MOST_COUNTED + 1].count()


def counted(number: int) -> str:
    """`1 exchange`, `2,000 exchanges`, `more than 10,000 exchanges`."""
    if number > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} exchanges"
    return "1 exchange" if number == 1 else f"{number:,} exchanges"


def forget(organization: Organization | None = None, *, rounds: int = 1000) -> int:
    """Delete what is not to be kept any more, some at a time, of one organisation or of all. How many there were."""
    deleted = 0
    for _ in range(rounds):
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, {"most": AT_ONCE, "organization": organization.pk if organization else None})
            deleted += cursor.rowcount
            if cursor.rowcount < AT_ONCE:
                break
    return deleted


def rotate() -> Iterator[str]:
    """Encrypt what is stored anew under the newest key. Says of each what became of it: rotated, unchanged, failed."""
    last: tuple[int, uuid.UUID] | None = None
    while rows := _after(last):
        for row in rows:
            yield _rotate(row)
        last = rows[-1].organization_id, rows[-1].request_id


def _after(last: tuple[int, uuid.UUID] | None) -> list[StoredExchange]:
    rows = StoredExchange.objects.order_by("organization_id", "request_id")
    return list((rows.filter(pk__gt=last) if last else rows)[:AT_ONCE])


def _rotate(row: StoredExchange) -> str:
    sealed, bound = bytes(row.content), purpose(row.organization_id, row.request_id)
    if sealed.startswith(f"{credentials.newest_key_id()}:".encode()):
        return "unchanged"
    try:
        renewed = credentials.seal(bound, credentials.unseal(bound, sealed))
    except credentials.CredentialError:
        return "failed"
    StoredExchange.objects.filter(pk=row.pk).update(content=renewed)
    return "rotated"


def _arrived(request_id: uuid.UUID) -> datetime:
    """When the request came: a UUID version 7 begins with its milliseconds."""
    return datetime.fromtimestamp((request_id.int >> 80) / 1000, UTC)


def _side(kept: dict[str, Any]) -> Side:
    return Side(kept["text"], kept["bytes"], kept["cut"])


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _asked(body: Any) -> Iterator[Said]:
    if not isinstance(body, dict):
        return
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            yield from _message(message)
    for name in ("prompt", "input"):
        if body.get(name) is not None:
            yield _content(name, body[name])


def _answered(answer: Any) -> Iterator[Said]:
    if not isinstance(answer, dict):
        return
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
            yield from _message({"role": "assistant", **choice["message"]})
        elif isinstance(choice, dict) and choice.get("text"):
            yield _content("answer", choice["text"])
    if isinstance(answer.get("error"), dict):
        yield Said("error", str(answer["error"].get("message") or _pretty(answer["error"])))


def _message(message: dict[str, Any]) -> Iterator[Said]:
    who = str(message.get("role") or "unknown")
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            yield Said(f"{who}, reasoning", message[name])
            break
    if message.get("content"):
        yield _content(who, message["content"])
    if message.get("refusal"):
        yield _content(f"{who}, refusal", message["refusal"])
    for call in message.get("tool_calls") or []:
        yield Said(f"{who}, tool call", _pretty(call), is_json=True)


def _content(who: str, content: Any) -> Said:
    """Text as text. Of parts, those that are text; anything else as JSON."""
    if isinstance(content, str):
        return Said(who, content)
    if isinstance(content, list) and all(isinstance(part, str) for part in content):
        return Said(who, "\n".join(content))
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = (part["text"] if isinstance(part.get("text"), str) else _pretty(part) for part in content)
        return Said(who, "\n".join(texts))
    return Said(who, _pretty(content), is_json=True)
