"""The months of usage events: made ahead of time, and taken out when nobody asks for them any more.

Every change here needs all of billing_usageevent for a moment, and whoever waits for that makes everybody else wait
behind it. So nothing waits for longer than `LOCK_TIMEOUT`: it gives up, and is tried another time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

LOCK_TIMEOUT = "2s"
MOVED_AT_MOST = 200_000  # rows; the settling of requests waits while they are moved
KEPT_DAYS = 31  # how long a month is over before it may be detached

log = logging.getLogger(__name__)

_IN_DEFAULT = """
SELECT count(*) FROM (
  SELECT FROM billing_usageevent_default
  WHERE request_id >= billing_uuid_at(%(first)s::timestamp AT TIME ZONE 'UTC')
    AND request_id < billing_uuid_at((%(first)s::date + interval '1 month') AT TIME ZONE 'UTC')
  LIMIT %(most)s) found
"""
# Rows of the month in the default partition: Postgres makes no partition beside them. They cannot be deleted from the
# table, where a row is final; detached, the default partition is a table of its own without that trigger, and gets it
# again when it is attached. All in one transaction, so that nobody ever sees a row twice or not at all.
_SET_DEFAULT_ASIDE = "ALTER TABLE billing_usageevent DETACH PARTITION billing_usageevent_default"
_MOVE = """
WITH moved AS (
  DELETE FROM billing_usageevent_default
  WHERE request_id >= billing_uuid_at(%(first)s::timestamp AT TIME ZONE 'UTC')
    AND request_id < billing_uuid_at((%(first)s::date + interval '1 month') AT TIME ZONE 'UTC')
  RETURNING *)
INSERT INTO billing_usageevent SELECT * FROM moved
"""
_PUT_DEFAULT_BACK = "ALTER TABLE billing_usageevent ATTACH PARTITION billing_usageevent_default DEFAULT"
_ATTACHED = """
SELECT EXISTS (SELECT FROM pg_inherits
               WHERE inhparent = 'billing_usageevent'::regclass AND inhrelid = to_regclass(%s))
"""
_DUE = """
SELECT EXISTS (SELECT FROM billing_rollupdue
               WHERE hour >= %(first)s::timestamp AT TIME ZONE 'UTC' - interval '1 day'
                 AND hour < (%(first)s::date + interval '1 month') AT TIME ZONE 'UTC' + interval '1 day')
"""


class NotDetachableError(Exception):
    """Why a month cannot be taken out, for the person who asked."""


def make_ahead(months: int = 3) -> list[date]:
    """Make the partitions of this month and of so many after it. Answers the months that were made.

    One that cannot be made now is left: its rows go to the default partition, and come along when it is made.
    """
    return [month for month in _months(months) if _make_or_leave(month)]


def detach(month: date) -> str:
    """Take a month's events out of the table. Answers the name of the table that they are in from now on.

    What they were rolled up to stays, and is not rebuilt: of a request at the month's edge the event may be gone.
    Raises `NotDetachableError`.
    """
    month = month.replace(day=1)
    name = partition_name(month)
    if _following(month) + timedelta(days=KEPT_DAYS) > timezone.now().date():
        raise NotDetachableError(f"{month:%Y-%m} has to be over for {KEPT_DAYS} days: events may still come late.")
    with _exclusively() as cursor:
        cursor.execute(_ATTACHED, [name])
        if not cursor.fetchall()[0][0]:
            raise NotDetachableError(f"{month:%Y-%m} has no partition: there is nothing to detach.")
        cursor.execute(_DUE, {"first": month})
        if cursor.fetchall()[0][0]:
            raise NotDetachableError(f"Usage of {month:%Y-%m} is not rolled up yet. Try again in a minute.")
        cursor.execute(f"ALTER TABLE billing_usageevent DETACH PARTITION {name}")
        cursor.execute("INSERT INTO billing_detachedmonth (month) VALUES (%s) ON CONFLICT DO NOTHING", [month])
    return name


def partition_name(month: date) -> str:
    return f"billing_usageevent_{month:%Y%m}"


def _make_or_leave(month: date) -> bool:
    try:
        return _make(month)
    except OperationalError as error:
        log.warning("the partition of %s is made another time: %s", f"{month:%Y-%m}", error)
        return False


def _make(month: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [partition_name(month)])
        if cursor.fetchall()[0][0]:
            return False
    rows = _rows_in_default(month)
    if rows > MOVED_AT_MOST:
        log.warning("%s stays in the default partition: it has too many rows to move them", f"{month:%Y-%m}")
        return False
    with _exclusively() as cursor:
        return _make_and_move(cursor, month) if rows else _make_empty(cursor, month)


def _rows_in_default(month: date) -> int:
    """How many rows of the month there are, or one more than may be moved."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_DEFAULT, {"first": month, "most": MOVED_AT_MOST + 1})
        rows: int = cursor.fetchall()[0][0]
        return rows


def _make_empty(cursor: CursorWrapper, month: date) -> bool:
    cursor.execute("SELECT billing_make_partition(%s::date)", [month])
    made: bool = cursor.fetchall()[0][0]
    return made


def _make_and_move(cursor: CursorWrapper, month: date) -> bool:
    cursor.execute(_SET_DEFAULT_ASIDE)
    made = _make_empty(cursor, month)
    cursor.execute(_MOVE, {"first": month})
    cursor.execute(_PUT_DEFAULT_BACK)
    return made


@contextmanager
def _exclusively() -> Iterator[CursorWrapper]:
    """A transaction that changes the table: short waits for locks, and time enough once it has them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute("SET LOCAL statement_timeout = '60s'")
        cursor.execute("LOCK TABLE billing_usageevent IN ACCESS EXCLUSIVE MODE")
        yield cursor


def _months(ahead: int) -> list[date]:
    months = [timezone.now().date().replace(day=1)]
    while len(months) <= ahead:
        months.append(_following(months[-1]))
    return months


def _following(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
