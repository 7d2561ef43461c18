"""Usage by hour and day, rebuilt from the events whenever they have changed.

Whatever writes an event marks its hour in billing_rollupdue, in the same transaction. A roll-up takes the marked hours
of one organisation's day, builds them anew and lets go of the marks that have not grown meanwhile, also in one
transaction: it may so run twice, at once, or be cut off, and no row that came late is missed.

One advisory lock for an organisation's day stands before all of it. Every statement after it sees what the one who
held it before has done; the day is summed from the hours, so it must not be summed while one of them changes. No
other lock is waited for: a mark that is being written at this moment is passed over, and is due again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import OperationalError, connection, transaction

from accounts.models import Organization

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST_DAYS = 1000  # how many days of organisations one run takes on; the next is seconds away

log = logging.getLogger(__name__)

# An hour near a month whose events were taken out is not due: it would be rebuilt from what is left of it.
_DUE = """
SELECT organization_id, (hour AT TIME ZONE 'UTC')::date AS day FROM billing_rollupdue r
WHERE NOT EXISTS (
  SELECT FROM billing_detachedmonth d
  WHERE r.hour >= d.month::timestamp AT TIME ZONE 'UTC' - interval '1 day'
    AND r.hour < (d.month + interval '1 month') AT TIME ZONE 'UTC' + interval '1 day')
GROUP BY 1, 2 ORDER BY min(hour) LIMIT %s
"""
_MARKS = """
SELECT hour, marks FROM billing_rollupdue WHERE organization_id = %s AND hour >= %s AND hour < %s ORDER BY hour
"""
_FORGET_MARKS = """
DELETE FROM billing_rollupdue WHERE (organization_id, hour) IN (
  SELECT r.organization_id, r.hour
  FROM billing_rollupdue r JOIN unnest(%s::timestamptz[], %s::bigint[]) AS seen (hour, marks) USING (hour, marks)
  WHERE r.organization_id = %s
  FOR UPDATE OF r SKIP LOCKED)
"""
_FORGET_HOURS = "DELETE FROM billing_usagehour WHERE organization_id = %s AND hour = ANY (%s::timestamptz[])"
# Events are found by the index on (organization_id, admitted_at). A request is admitted within a day of the instant
# in its id: by that bound Postgres opens the partitions of one or two months only.
_ROLL_HOURS = """
INSERT INTO billing_usagehour (organization_id, hour, project_id, api_key_id, member_id, model, provider,
  requests, errors, hung_up, streams,
  input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens,
  image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, image_output_tokens,
  cost_nano, charged_nano, absorbed_nano, duration_ms_sum, first_token_ms_sum, first_token_count)
SELECT organization_id, date_trunc('hour', admitted_at, 'UTC'), coalesce(project_id, 0), api_key_id,
  coalesce(member_id, 0), model, provider,
  count(*), count(*) FILTER (WHERE status >= 400 AND status <> 499), count(*) FILTER (WHERE status = 499),
  count(*) FILTER (WHERE stream),
  sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
  sum(audio_input_tokens), sum(image_input_tokens), sum(output_tokens), sum(reasoning_tokens),
  sum(audio_output_tokens), sum(image_output_tokens),
  sum(cost_nano), sum(charged_nano), sum(absorbed_nano), sum(duration_ms), coalesce(sum(first_token_ms), 0),
  count(first_token_ms)
FROM billing_usageevent
WHERE organization_id = %(organization)s AND admitted_at >= %(start)s AND admitted_at < %(end)s
  AND request_id >= billing_uuid_at(%(start)s::timestamptz - interval '1 day')
  AND request_id < billing_uuid_at(%(end)s::timestamptz + interval '1 day')
  AND date_trunc('hour', admitted_at, 'UTC') = ANY (%(hours)s::timestamptz[])
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_FORGET_DAY = "DELETE FROM billing_usageday WHERE organization_id = %s AND day = %s"
_ROLL_DAY = """
INSERT INTO billing_usageday (organization_id, day, project_id, api_key_id, member_id, model, provider,
  requests, errors, hung_up, streams,
  input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens,
  image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, image_output_tokens,
  cost_nano, charged_nano, absorbed_nano, duration_ms_sum, first_token_ms_sum, first_token_count)
SELECT organization_id, %(day)s::date, project_id, api_key_id, member_id, model, provider,
  sum(requests), sum(errors), sum(hung_up), sum(streams),
  sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
  sum(audio_input_tokens), sum(image_input_tokens), sum(output_tokens), sum(reasoning_tokens),
  sum(audio_output_tokens), sum(image_output_tokens),
  sum(cost_nano), sum(charged_nano), sum(absorbed_nano), sum(duration_ms_sum), sum(first_token_ms_sum),
  sum(first_token_count)
FROM billing_usagehour
WHERE organization_id = %(organization)s AND hour >= %(start)s AND hour < %(end)s
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
# The days that hold anything: of events, or of roll-ups that are to go. None of those whose events are elsewhere.
_DAYS = """
SELECT day FROM (
  SELECT (hour AT TIME ZONE 'UTC')::date AS day FROM billing_usagehour WHERE organization_id = %(organization)s
  UNION SELECT day FROM billing_usageday WHERE organization_id = %(organization)s
  UNION SELECT (admitted_at AT TIME ZONE 'UTC')::date FROM billing_usageevent
    WHERE organization_id = %(organization)s AND admitted_at >= %(first)s::date::timestamp AT TIME ZONE 'UTC'
      AND admitted_at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC') known
WHERE day BETWEEN %(first)s AND %(last)s AND NOT EXISTS (
  SELECT FROM billing_detachedmonth d WHERE day BETWEEN d.month - 1 AND (d.month + interval '1 month')::date)
ORDER BY day
"""

# Days that are not due and yet were rolled up to something else than their events come to. Answers nothing, or a
# defect. Reads every event that there is.
ROLLUP_AUDIT = """
WITH event AS (
  SELECT organization_id, (admitted_at AT TIME ZONE 'UTC')::date AS day, count(*) AS requests,
    sum(charged_nano) AS charged,
    sum(input_tokens::bigint + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens
      + image_input_tokens + output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens) AS tokens
  FROM billing_usageevent GROUP BY 1, 2
), by_hour AS (
  SELECT organization_id, (hour AT TIME ZONE 'UTC')::date AS day, sum(requests) AS requests,
    sum(charged_nano) AS charged,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens
      + image_input_tokens + output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens) AS tokens
  FROM billing_usagehour GROUP BY 1, 2
), by_day AS (
  SELECT organization_id, day, sum(requests) AS requests, sum(charged_nano) AS charged,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens
      + image_input_tokens + output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens) AS tokens
  FROM billing_usageday GROUP BY 1, 2
)
SELECT known.organization_id, known.detail FROM (
  SELECT organization_id, day, format(
      '%s: events have %s requests, %s charged, %s tokens; hours %s, %s, %s; days %s, %s, %s', day,
      coalesce(e.requests, 0), coalesce(e.charged, 0), coalesce(e.tokens, 0), coalesce(h.requests, 0),
      coalesce(h.charged, 0), coalesce(h.tokens, 0), coalesce(d.requests, 0), coalesce(d.charged, 0),
      coalesce(d.tokens, 0)) AS detail
  FROM event e FULL JOIN by_hour h USING (organization_id, day) FULL JOIN by_day d USING (organization_id, day)
  WHERE (e.requests, e.charged, e.tokens) IS DISTINCT FROM (h.requests, h.charged, h.tokens)
    OR (e.requests, e.charged, e.tokens) IS DISTINCT FROM (d.requests, d.charged, d.tokens)) known
WHERE NOT EXISTS (SELECT FROM billing_rollupdue r
    WHERE r.organization_id = known.organization_id AND (r.hour AT TIME ZONE 'UTC')::date = known.day)
  AND NOT EXISTS (SELECT FROM billing_detachedmonth m
    WHERE known.day BETWEEN m.month - 1 AND (m.month + interval '1 month')::date)
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A day of UTC of one organisation."""

    organization_id: int
    day: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.day, time.min, UTC)

    @property
    def end(self) -> datetime:
        return self.start + DAY

    @property
    def hours(self) -> list[datetime]:
        return [self.start + n * HOUR for n in range(24)]


def roll_up() -> int:
    """Bring every hour that is due, and its day, up to its events. Answers how many days were brought up.

    A day that somebody else is at, or that Postgres gives up on, stays due; it does not stand in the others' way.
    """
    rolled = 0
    for span in _due():
        try:
            rolled += _roll_up(span)
        except OperationalError as error:
            log.warning("usage of organisation %s on %s stays due: %s", span.organization_id, span.day, error)
    return rolled


def rebuild(organization: Organization, first_day: date, last_day: date) -> int:
    """Build the roll-ups of these days anew, whether due or not. Answers how many days there were.

    Days whose events were detached keep what they have, and so do the days beside them.
    """
    days = _known_days(organization, first_day, last_day)
    for day in days:
        span = Span(organization.pk, day)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_lock_name(span)])
            marks = _marks(span)
            _build(span, span.hours)
            _forget(span, marks)
    return len(days)


def _due() -> list[Span]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [MOST_DAYS])
        return [Span(organization_id, day) for organization_id, day in cursor.fetchall()]


def _roll_up(span: Span) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [_lock_name(span)])
        if not cursor.fetchall()[0][0]:
            return False
        marks = _marks(span)
        if marks:
            _build(span, [hour for hour, _ in marks])
            _forget(span, marks)
    return bool(marks)


def _lock_name(span: Span) -> str:
    return f"billing.rollups {span.organization_id} {span.day}"


def _marks(span: Span) -> list[tuple[datetime, int]]:
    """The hours that are due, and how often they were marked. Read before the events are, never after."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, [span.organization_id, span.start, span.end])
        return [(hour, marks) for hour, marks in cursor.fetchall()]


def _build(span: Span, hours: Sequence[datetime]) -> None:
    organization, start, end = span.organization_id, hours[0], hours[-1] + HOUR
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_HOURS, [organization, list(hours)])
        cursor.execute(_ROLL_HOURS, {"organization": organization, "start": start, "end": end, "hours": list(hours)})
        cursor.execute(_FORGET_DAY, [organization, span.day])
        cursor.execute(_ROLL_DAY, {"organization": organization, "day": span.day, "start": span.start, "end": span.end})


def _forget(span: Span, marks: Sequence[tuple[datetime, int]]) -> None:
    """Let go of the marks that are still what they were. The last statement: who writes a new one waits for the end."""
    with connection.cursor() as cursor:
        hours, counts = [hour for hour, _ in marks], [count for _, count in marks]
        cursor.execute(_FORGET_MARKS, [hours, counts, span.organization_id])


def _known_days(organization: Organization, first: date, last: date) -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, {"organization": organization.pk, "first": first, "last": last})
        return [day for (day,) in cursor.fetchall()]
