"""Single requests of an organisation, newest first: filtered, a page at a time, and never by reading all there are.

They are in the order of their admission, which the index on (organization_id, admitted_at) has. A filter has no index
of its own, because every index is paid for by every request. What it asks for is looked up in the roll-ups first:
they know which hours can hold it at all, so that a key's three requests of last spring are found at once. What is
left is read in that order, at most `SCANNED` rows for a page; whoever wants to see further back goes on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from django.db import connection
from django.db.models import F, Q

from accounts.models import Organization
from billing.models import DetachedMonth, Hold, RollupDue, UsageDay, UsageEvent, UsageHour

PAGE = 50
SCANNED = 20_000  # rows that are looked at for one page, whatever is asked
STRETCHES = 40  # stretches of hours that are looked into for one page
DAYS = 31  # days that are looked up at a time
ROUNDS = 24  # times that they are, for one page: two years, where none of them has what is wanted
MOST_DUE = 1000  # hours that are not rolled up yet and may hold anything
RUNNING = 20  # requests under way that are listed; there may be thousands
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEAR = 4 * HOUR  # hours that begin no further apart are read together: a query costs more than some rows too many
LOWEST = uuid.UUID(int=0)

SUCCEEDED = Q(status__lt=400)
HUNG_UP = Q(status=499)
FAILED = Q(status__gte=400) & ~HUNG_UP
STATUSES: dict[str, Q] = {
    "succeeded": SUCCEEDED,
    "failed": FAILED,
    "4xx": FAILED & Q(status__lt=500),
    "5xx": Q(status__gte=500),
    "hung-up": HUNG_UP,
}
# What must be true of a roll-up in which such a request is counted.
ROLLED: dict[str, Q] = {
    "succeeded": Q(requests__gt=F("errors") + F("hung_up")),
    "failed": Q(errors__gt=0),
    "4xx": Q(errors__gt=0),
    "5xx": Q(errors__gt=0),
    "hung-up": Q(hung_up__gt=0),
}

_WINDOW = """
SELECT count(*), min(admitted_at) FROM (
  SELECT admitted_at FROM billing_usageevent
  WHERE organization_id = %s AND admitted_at >= %s AND admitted_at < %s ORDER BY admitted_at DESC LIMIT %s) seen
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is filtered by; what is empty or None filters nothing. `until` is the first instant after it."""

    since: datetime | None = None
    until: datetime | None = None
    api_key_id: int | None = None
    model: str = ""
    status: str = ""  # one of `STATUSES`, or "running"
    finish: str = ""
    external_id: str = ""
    least_nano: int | None = None
    most_nano: int | None = None
    least_ms: int | None = None
    most_ms: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether it asks for more than days, so that rows have to be looked for."""
        return self.outcome != Q() or self.api_key_id is not None or bool(self.model)

    @property
    def outcome(self) -> Q:
        """What is asked of how a request ended."""
        found = STATUSES.get(self.status, Q())
        for name, value in (("finish_reason", self.finish), ("external_id", self.external_id)):
            found &= Q(**{name: value}) if value else Q()
        bounds = {
            "charged_nano__gte": self.least_nano, "charged_nano__lte": self.most_nano,
            "duration_ms__gte": self.least_ms, "duration_ms__lte": self.most_ms,
        }  # fmt: skip
        return found & Q(**{name: value for name, value in bounds.items() if value is not None})

    @property
    def whose(self) -> Q:
        """What is asked of who sent it, and to what: true of a request and of its roll-up alike."""
        found = Q() if self.api_key_id is None else Q(api_key_id=self.api_key_id)
        return found & (Q(model=self.model) if self.model else Q())

    @property
    def rolled(self) -> Q:
        """What must be true of a roll-up that counts such a request."""
        found = self.whose & ROLLED.get(self.status, Q())
        sums = {"charged_nano__gte": self.least_nano, "duration_ms_sum__gte": self.least_ms}
        return found & Q(**{name: value for name, value in sums.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere in the list: what follows was admitted earlier, or at that instant under a lower id.

    Requests that come or end later stand above it or beneath it and move nothing, so that no page repeats a row.
    """

    at: datetime
    request_id: uuid.UUID = LOWEST

    def __str__(self) -> str:
        """As it stands in an address."""
        since = self.at - datetime(1970, 1, 1, tzinfo=UTC)
        return f"{since // timedelta(microseconds=1)}.{self.request_id.hex}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for what is no place."""
        micros, _, identifier = text.partition(".")
        if not (micros.isascii() and micros.isdigit() and len(micros) <= 17):
            return None
        try:
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))
            return cls(at, uuid.UUID(identifier))
        except (ValueError, OverflowError):
            return None

    @classmethod
    def of(cls, event: UsageEvent) -> Self:
        return cls(event.admitted_at, event.request_id)

    @property
    def end(self) -> datetime:
        """The first instant that is wholly above it."""
        return self.at if self.request_id == LOWEST else self.at + timedelta(microseconds=1)

    @property
    def beneath(self) -> Q:
        lower = Q(admitted_at__lt=self.at) | Q(admitted_at=self.at, request_id__lt=self.request_id)
        return Q(admitted_at__lte=self.at) & lower


@dataclass(frozen=True, slots=True)
class Found:
    """A page of requests. `older` is where the next one begins, None at the end of all.

    `looked_back_to` is set when as many rows were looked at as may be: what is wanted can be further back still.
    """

    rows: list[UsageEvent]
    older: Place | None = None
    looked_back_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hours in a row: from one instant to just before another."""

    start: datetime
    end: datetime


def page_of(organization: Organization, wanted: Wanted, before: Place | None = None, *, size: int = PAGE) -> Found:
    """The newest requests that are wanted, or those beneath a place."""
    if wanted.status == "running":
        return Found([])
    if wanted.narrows:
        return _Search(organization, wanted, before, size).page()
    rows = _between(_events(organization, before), wanted.since, wanted.until)
    found = list(rows[: size + 1])
    return Found(found[:size], Place.of(found[size - 1]) if len(found) > size else None)


def running(organization: Organization, wanted: Wanted) -> list[Hold]:
    """Requests under way, newest first: the newest `RUNNING`, and one more when there are more."""
    if wanted.outcome != Q() or wanted.status not in {"", "running"}:
        return []  # nobody knows yet how they will end
    rows = _between(Hold.objects.of(organization).filter(wanted.whose), wanted.since, wanted.until)
    return list(rows.order_by("-request_id")[: RUNNING + 1])


def find(organization: Organization, request_id: uuid.UUID) -> UsageEvent | Hold | None:
    """One request, ended or under way."""
    for table in (UsageEvent, Hold, UsageEvent):  # again, for one that has just ended
        found: UsageEvent | Hold | None = table.objects.of(organization).filter(request_id=request_id).first()
        if found is not None:
            return found
    return None


def models_of(organization: Organization, since: date) -> list[str]:
    """The models that it called since a day."""
    days = UsageDay.objects.of(organization).filter(day__gte=since).exclude(model="")
    return sorted(days.order_by().values_list("model", flat=True).distinct())


class _Search:
    """One look for rows of which only some are wanted."""

    def __init__(self, organization: Organization, wanted: Wanted, before: Place | None, size: int) -> None:
        self._organization = organization
        self._wanted = wanted
        self._before = before
        self._size = size
        self._rows: list[UsageEvent] = []
        self._left = SCANNED
        self._stretches_left = STRETCHES

    def page(self) -> Found:
        end = self._wanted.until or datetime.max.replace(tzinfo=UTC)
        reached: datetime | None = min(end, self._before.end) if self._before else end
        for _ in range(ROUNDS):
            stretches, reached = self._stretches(reached or end)
            found = self._look_into(stretches)
            if found:
                return found
            if reached is None:
                return Found(self._rows)
        return self._so_far(reached or end)

    def _look_into(self, stretches: list[Stretch]) -> Found | None:
        """A page, when it is full or enough was looked at for one."""
        for stretch in stretches:
            if self._left <= 0 or not self._stretches_left:
                return self._so_far(stretch.end)
            self._stretches_left -= 1
            seen, edge = self._window(stretch, self._left)
            self._read(Stretch(edge or stretch.start, stretch.end))
            if len(self._rows) > self._size:
                return Found(self._rows[: self._size], Place.of(self._rows[self._size - 1]))
            self._left -= seen
            if edge:
                return self._so_far(edge)
        return None

    def _so_far(self, reached: datetime) -> Found:
        return Found(self._rows, Place(reached), reached)

    def _read(self, stretch: Stretch) -> None:
        rows = _between(_events(self._organization, self._before), stretch.start, stretch.end)
        # A request is admitted within a day of the instant in its id: Postgres opens one or two partitions for that.
        rows = rows.filter(request_id__gte=_id_at(stretch.start - DAY), request_id__lt=_id_at(stretch.end + DAY))
        rows = rows.filter(self._wanted.whose & self._wanted.outcome)
        self._rows += rows[: self._size + 1 - len(self._rows)]

    def _window(self, stretch: Stretch, most: int) -> tuple[int, datetime | None]:
        """How many rows there are to look at, at most so many; and when the last one was, if there are that many."""
        with connection.cursor() as cursor:
            cursor.execute(_WINDOW, [self._organization.pk, stretch.start, stretch.end, most])
            seen, edge = cursor.fetchall()[0]
        return seen, edge if seen >= most else None

    def _stretches(self, end: datetime) -> tuple[list[Stretch], datetime | None]:
        """Where there is anything like it before `end`, newest first; and how far back that was looked up, None for
        all the way."""
        due = self._due(end)  # first: what is rolled up meanwhile is found there
        days = self._days(end)
        ends = [_midnight(days[DAYS - 1])] if len(days) > DAYS else []
        ends += [due[-1]] if len(due) == MOST_DUE else []
        reached = max(ends, default=None)
        known = UsageHour.objects.of(self._organization).filter(self._wanted.rolled, _hours_of(days[:DAYS]))
        there = {*due, *known.order_by().values_list("hour", flat=True).distinct()}
        since = max(filter(None, (self._wanted.since, reached)), default=datetime.min.replace(tzinfo=UTC))
        return list(_joined((hour for hour in there if hour < end and hour + HOUR > since), since, end)), reached

    def _due(self, end: datetime) -> list[datetime]:
        """Hours that are not rolled up yet, and may so hold anything, newest first."""
        found = _between(RollupDue.objects.filter(organization_id=self._organization.pk), None, end, by="hour")
        return list(found.order_by("-hour").values_list("hour", flat=True)[:MOST_DUE])

    def _days(self, end: datetime) -> list[date]:
        """The newest days with anything like it, and one more than are looked into when there are more."""
        last = (end - timedelta(microseconds=1)).date()
        found = UsageDay.objects.of(self._organization).filter(self._wanted.rolled, day__lte=last)
        if self._wanted.since:
            found = found.filter(day__gte=self._wanted.since.date())
        for month in DetachedMonth.objects.values_list("month", flat=True):
            found = found.exclude(day__gte=month, day__lt=(month + timedelta(days=31)).replace(day=1))
        return list(found.order_by("-day").values_list("day", flat=True).distinct()[: DAYS + 1])


def _events(organization: Organization, before: Place | None) -> Any:
    rows = UsageEvent.objects.of(organization).order_by("-admitted_at", "-request_id")
    return rows.filter(before.beneath) if before else rows


def _between(rows: Any, since: datetime | None, until: datetime | None, *, by: str = "admitted_at") -> Any:
    rows = rows.filter(**{f"{by}__gte": since}) if since else rows
    return rows.filter(**{f"{by}__lt": until}) if until else rows


def _hours_of(days: list[date]) -> Q:
    """The hours of these days, newest first: as a span where most of its days are wanted, else one by one."""
    if not days or (days[0] - days[-1]).days < 2 * len(days):
        first, last = (days[-1], days[0]) if days else (date.min, date.min)
        return Q(hour__gte=_midnight(first), hour__lt=_midnight(last) + DAY)
    return Q(hour__in=[_midnight(day) + number * HOUR for day in days for number in range(24)])


def _joined(hours: Iterable[datetime], since: datetime, until: datetime) -> Iterable[Stretch]:
    """Hours with next to nothing between them as one stretch, newest first, within the two instants."""
    start = end = None
    for hour in sorted(hours, reverse=True):
        if start is not None and end is not None:
            if start - hour <= NEAR:
                start = hour
                continue
            yield Stretch(max(start, since), min(end, until))
        start, end = hour, hour + HOUR
    if start is not None and end is not None:
        yield Stretch(max(start, since), min(end, until))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _id_at(at: datetime) -> uuid.UUID:
    """The lowest id of a request that came at that instant, as billing_uuid_at has it."""
    milliseconds = max(0, (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
