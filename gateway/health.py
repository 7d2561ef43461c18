"""Providers' health, rolled up from the usage events of all organisations: no work of any request's.

A call that a provider answered counts as answered, also when the caller hung up on the answer. One that it did not
answer, that broke off, or with which it refused this gateway's account, counts as failed. What it refused as the
caller's own mistake says nothing of its health and is in no count; neither is what the gateway itself broke.

Events come late: a stream is entered when it ends, half an hour after it was admitted at most, and what was spooled
comes later still. So the last while is built anew each minute, and the last day each hour. All of it may run twice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from billing.models import DetachedMonth
from gateway.models import ProviderDay, ProviderHealth

SLOT = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RECENT = timedelta(minutes=40)  # the longest answer, and some
LATE = timedelta(hours=26)
KEPT = timedelta(days=92)
KEPT_DAYS = timedelta(days=400)

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('gateway.health', 0))"
_FORGET = "DELETE FROM gateway_providerhealth WHERE at >= %(start)s AND at < %(end)s"
# Events are found organisation by organisation, by the index on (organization_id, admitted_at): OFFSET 0 keeps Postgres
# from joining them in another way. By the bound on the id it opens the partitions of one or two months only.
_ROLL = """
INSERT INTO gateway_providerhealth (provider, at, answered, failed, limited, first_token_ms)
SELECT provider, at, count(*) FILTER (WHERE answered), count(*) FILTER (WHERE failed), count(*) FILTER (WHERE limited),
  percentile_disc(0.5) WITHIN GROUP (ORDER BY first_token_ms) FILTER (WHERE answered AND alone AND stream)
FROM (
  SELECT provider, at, stream, first_token_ms, alone,
    status = 200 OR (status = 499 AND began) AS answered,
    status >= 500 AND code NOT IN ('internal_error', 'service_unavailable', 'upstream_permission_error') AS failed,
    status = 429 AS limited
  FROM (
    SELECT t.attempt ->> 'provider' AS provider, date_bin('5 minutes', e.admitted_at, 'epoch'::timestamptz) AS at,
      e.stream, e.first_token_ms, e.calls = 1 AS alone,
      (t.attempt ->> 'status')::int = 200 AS began,
      -- An answer that began well may still have ended badly: then the whole request did.
      CASE WHEN (t.attempt ->> 'status')::int = 200 THEN e.status ELSE (t.attempt ->> 'status')::int END AS status,
      CASE WHEN (t.attempt ->> 'status')::int = 200 THEN e.error_code ELSE t.attempt ->> 'error_code' END AS code
    FROM accounts_organization o
    CROSS JOIN LATERAL (
      SELECT admitted_at, stream, status, error_code, first_token_ms, attempts, jsonb_array_length(attempts) AS calls
      FROM billing_usageevent
      WHERE organization_id = o.id AND admitted_at >= %(start)s AND admitted_at < %(end)s
        AND request_id >= billing_uuid_at(%(start)s::timestamptz - interval '1 day')
        AND request_id < billing_uuid_at(%(end)s::timestamptz + interval '1 day')
      OFFSET 0) e
    CROSS JOIN LATERAL jsonb_array_elements(e.attempts) AS t (attempt)) AS call
  ) AS judged
WHERE provider <> '' AND (answered OR failed OR limited)
GROUP BY 1, 2
"""
_FORGET_DAYS = "DELETE FROM gateway_providerday WHERE day BETWEEN %(first)s AND %(last)s"
_ROLL_DAYS = """
INSERT INTO gateway_providerday (provider, day, answered, failed, limited, first_token_ms)
SELECT provider, (at AT TIME ZONE 'UTC')::date, sum(answered), sum(failed), sum(limited),
  percentile_disc(0.5) WITHIN GROUP (ORDER BY first_token_ms)
FROM gateway_providerhealth
WHERE at >= %(first)s::date::timestamp AT TIME ZONE 'UTC' AND at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC'
GROUP BY 1, 2
"""


def roll_up_recent(now: datetime) -> None:
    """What requests of the last while came to."""
    rebuild(floor(now) - RECENT, floor(now) + SLOT)


def roll_up_late(now: datetime) -> None:
    """The last day again, an hour at a time, and the end of what is kept long enough."""
    end = floor(now) + SLOT
    start = end - LATE
    while start < end:
        rebuild(start, min(start + HOUR, end))
        start += HOUR
    ProviderHealth.objects.filter(at__lt=now - KEPT).delete()
    ProviderDay.objects.filter(day__lt=(now - KEPT_DAYS).date()).delete()


def rebuild_days(first: date, last: date) -> int:
    """Whole days from their events. Answers how many; those near a month whose events were taken out are left alone."""
    built = 0
    for number in range((last - first).days + 1):
        day = first + number * DAY
        if not _taken_out(day):
            for hour in range(24):
                begin = datetime.combine(day, time(hour), UTC)
                rebuild(begin, begin + HOUR)
            built += 1
    return built


@transaction.atomic
def rebuild(start: datetime, end: datetime) -> None:
    """Both must be whole five minutes. One at a time, so that a day is never summed while a part of it is away."""
    span = {"start": start, "end": end}
    days = {"first": start.astimezone(UTC).date(), "last": (end - SLOT).astimezone(UTC).date()}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_FORGET, span)
        cursor.execute(_ROLL, span)
        cursor.execute(_FORGET_DAYS, days)
        cursor.execute(_ROLL_DAYS, days)


def floor(at: datetime) -> datetime:
    """The beginning of its five minutes."""
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)


def _taken_out(day: date) -> bool:
    months = {(day + around).replace(day=1) for around in (-DAY, timedelta(), DAY)}
    return DetachedMonth.objects.filter(month__in=months).exists()
