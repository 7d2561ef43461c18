"""The first minute of a member: which key they begin with, and what became of their first request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from accounts.models import ApiKey, Membership, Scope
from billing.models import Hold, UsageDay, UsageEvent, UsageHour

RECENT = timedelta(minutes=10)  # what is looked through request by request, each time somebody asks
ROWS = 200  # of one organisation's requests, the most that are looked at
FAILED = 400


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a key's requests. With none of the three, nothing has come yet."""

    done: UsageEvent | None = None
    failed: UsageEvent | None = None
    under_way: Hold | None = None
    long_ago: bool = False  # it was used, before what is kept of single requests

    @property
    def is_finished(self) -> bool:
        return self.done is not None or self.long_ago


def own_key(membership: Membership, number: int | None = None) -> ApiKey | None:
    """The newest key of theirs that can make a first request, or the one of that number."""
    mine = ApiKey.objects.of(membership.organization).filter(owner=membership.user_id)
    mine = mine if number is None else mine.filter(pk=number)
    found: ApiKey | None = (
        mine.ordinary()
        .active()
        .with_standing()
        .filter(scopes__contains=[Scope.CHAT.value])
        .select_related("organization", "project", "owner")
        .order_by("-pk")
        .first()
    )
    return found


def look(key: ApiKey, now: datetime) -> Seen:
    """Its first request, as new as the database is: a second after the answer at most. Cheap, as it is asked often."""
    ended = _ended(key, max(key.created_at, now - RECENT))
    done = next((event for event in ended if event.status < FAILED), None)
    if done is not None:
        return Seen(done=done)
    if key.created_at < now - RECENT:
        earlier = _long_ago(key)
        if earlier is not None:
            return earlier
    holds = Hold.objects.filter(organization_id=key.organization_id, api_key_id=key.pk)
    return Seen(failed=ended[-1] if ended else None, under_way=holds.order_by("-request_id").first())


def _ended(key: ApiKey, since: datetime) -> list[UsageEvent]:
    """In the order they came. Ids of requests lie in the order of time, so that this reads a piece of one index."""
    events = UsageEvent.objects.filter(organization_id=key.organization_id, request_id__gte=floor(since))
    newest = events.filter(api_key_id=key.pk).order_by("-request_id")[:ROWS]
    return list(newest)[::-1]


def _long_ago(key: ApiKey) -> Seen | None:
    """From the roll-ups, and then the one request itself where it is still kept."""
    whole = {"organization_id": key.organization_id, "api_key_id": key.pk}
    good = F("errors") + F("hung_up")
    if not UsageDay.objects.filter(**whole, day__gte=key.created_at.date(), requests__gt=good).exists():
        return None
    hours = UsageHour.objects.filter(**whole, hour__gte=key.created_at - timedelta(hours=1), requests__gt=good)
    hour = hours.order_by("hour").values_list("hour", flat=True).first()
    if hour is None:
        return Seen(long_ago=True)
    span = (floor(hour), floor(hour + timedelta(hours=1)))
    events = UsageEvent.objects.filter(**whole, request_id__range=span, status__lt=FAILED)
    first = events.order_by("request_id").first()
    return Seen(done=first) if first else Seen(long_ago=True)


def floor(at: datetime) -> uuid.UUID:
    """No request of that millisecond or later has a smaller id."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


# What to do about an error of a first request, by its code; what is not here is in the documentation.
WAYS = {
    "insufficient_quota": "There is not enough credit or budget for it. Add credit, or try a sandbox/ model.",
    "invalid_request_error": "The body is not what was expected. Copy the lines whole, with all quotation marks.",
    "model_not_found": "There is no such model here. Copy the lines of step 2 as they are.",
    "model_not_priced": "That model has no price here yet. Use the model of step 2, and tell the operator.",
    "model_not_allowed": "This key may not use that model. Use the model of step 2, or change what the key may use.",
    "provider_not_configured": "The operator has set up no credential for that model. Use the model of step 2.",
    "rate_limit_exceeded": "Too many requests in a minute. Wait for a moment, then send it again.",
    "organization_suspended": "This organisation is suspended. Ask the operator of this gateway.",
}  # fmt: skip
HUNG_UP = "The program hung up before the answer was there. Send it again, and let it wait."
PROVIDER_FAILED = "The provider of the model failed. Send it again; if that goes on, use another model."
LOOK_UP = "What your program was answered says which field is wrong, and what would be right."


def way_out(event: UsageEvent) -> str:
    """What to do now, in a sentence or two."""
    if event.status == 499:
        return HUNG_UP
    return WAYS.get(event.error_code) or (PROVIDER_FAILED if event.status >= 500 else LOOK_UP)
