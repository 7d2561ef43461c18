"""Where keys stand at this moment, for people: read from Valkey as the data plane counts, without counting the look.

Keys are looked at a page at a time: those that were used most today, or all of them by a cursor. Nothing here goes
through all of an organisation's keys.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db.models import Sum
from redis.exceptions import RedisError

from accounts.models import ApiKey, Organization
from billing import overview
from billing.models import Budget, UsageDay
from billing.overview import BudgetLine
from gateway.buckets import READ, Level, bucket_of
from gateway.limits import COUNT, WINDOW_MS, log_of
from gateway.scripts import TIMEOUT_SECONDS
from gateway.streams import Lease

log = logging.getLogger(__name__)

PAGE = 50
# KEYS the log of requests, the bucket; ARGV limit of requests, window, limit of tokens or 0
# -> requests in the window, when the oldest of them leaves it, now in ms, what is missing in the bucket
LOOK = f"""{READ}
local tokens = tonumber(ARGV[3])
local lacks = tokens > 0 and missing(KEYS[2], tokens, now) or 0
local room = false
{COUNT}
return {{count, reset, now, string.format('%.17g', lacks)}}
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is used, and when that is over; `used` is None while nobody can tell."""

    limit: int
    used: int | None
    free_at: datetime | None = None  # when more of it is free, or all of it: None when none of it is used

    @property
    def share(self) -> float:
        """Of 100, for the bar."""
        return round(min(100.0, (self.used or 0) * 100 / self.limit), 2)

    @property
    def state(self) -> str:
        used = self.used or 0
        return "over" if used >= self.limit else "near" if used * 100 >= self.limit * 80 else "within"


@dataclass(frozen=True, slots=True)
class Row:
    """A key and its limits. It has no limit of tokens where `tokens` is None."""

    key: ApiKey
    requests: Standing
    tokens: Standing | None
    streams: Standing
    budgets: list[BudgetLine]


@dataclass(frozen=True, slots=True)
class Look:
    """A page of keys as they stand, and the organisation's streams; `away` when Valkey does not answer."""

    rows: list[Row]
    streams: Standing
    away: bool


def busiest(organization: Organization, today: datetime) -> list[ApiKey]:
    """The working keys that made most requests since midnight, UTC."""
    days = UsageDay.objects.filter(organization_id=organization.pk, day=today.astimezone(UTC).date(), api_key_id__gt=0)
    ranked = days.order_by().values_list("api_key_id").annotate(made=Sum("requests")).order_by("-made", "api_key_id")
    numbers = [number for number, _ in ranked[:PAGE]]
    found = ApiKey.objects.of(organization).active().select_related("project", "owner").in_bulk(numbers)
    return [found[number] for number in numbers if number in found]


def newest(organization: Organization, before: int) -> tuple[list[ApiKey], int | None]:
    """A page of all working keys, and where the next one begins."""
    keys = ApiKey.objects.of(organization).active().ordinary().select_related("project", "owner").order_by("-pk")
    if before:
        keys = keys.filter(pk__lt=before)
    page = list(keys[: PAGE + 1])
    return page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None


def look(organization: Organization, keys: Sequence[ApiKey], now: datetime) -> Look:
    budgets: dict[int | None, list[BudgetLine]] = {}
    numbers = [key.pk for key in keys]
    for line in overview.budgets(organization, now, scope=Budget.Scope.API_KEY, target_id__in=numbers):
        budgets.setdefault(line.budget.target_id, []).append(line)
    answers = _ask(organization, keys)
    ofall = Standing(settings.GATEWAY_STREAMS_PER_ORGANIZATION, answers[0] if answers else None)
    rows = [
        _row(key, answers[1 + 2 * at : 3 + 2 * at] if answers else None, budgets.get(key.pk, []))
        for at, key in enumerate(keys)
    ]
    return Look(rows, ofall, away=answers is None)


def _row(key: ApiKey, answers: Sequence[Any] | None, budgets: list[BudgetLine]) -> Row:
    most = key.requests_per_minute or settings.GATEWAY_DEFAULT_RPM
    tokens = key.tokens_per_minute
    streams = key.parallel_streams or settings.GATEWAY_STREAMS_PER_KEY
    if answers is None:
        unknown = Standing(tokens, None) if tokens else None
        return Row(key, Standing(most, None), unknown, Standing(streams, None), budgets)
    (used, reset_ms, now_ms, missing), opened = answers
    requests = Standing(most, used, _instant(reset_ms) if used else None)
    return Row(key, requests, _tokens(tokens, float(missing), now_ms), Standing(streams, opened), budgets)


def _tokens(limit: int | None, missing: float, now_ms: int) -> Standing | None:
    if limit is None:
        return None
    level = Level(limit, missing, now_ms)
    used = limit - level.remaining
    full_at = _instant(now_ms) + timedelta(seconds=level.seconds_until(limit))
    return Standing(limit, used, full_at if used else None)


def _ask(organization: Organization, keys: Sequence[ApiKey]) -> list[Any] | None:
    """The organisation's streams, then of each key its counts and its streams. None while Valkey is away."""
    valkey = _valkey()
    script = valkey.register_script(LOOK)
    try:
        seconds, _ = valkey.time()
        now = f"({seconds * 1000}"
        pipeline = valkey.pipeline(transaction=False)
        pipeline.zcount(Lease(0, organization.pk).names[1], now, "+inf")
        for key in keys:
            most = key.requests_per_minute or settings.GATEWAY_DEFAULT_RPM
            names = [log_of(key.pk), bucket_of(key.pk)]
            script(keys=names, args=[most, WINDOW_MS, key.tokens_per_minute or 0], client=pipeline)
            pipeline.zcount(Lease(key.pk, organization.pk).names[0], now, "+inf")
        return list(pipeline.execute())
    except (RedisError, OSError) as error:
        log.warning("the limits page is without what is used: %s", type(error).__name__)
        return None


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@cache
def _valkey() -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
    )
    return client
