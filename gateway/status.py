"""The status page: how providers are and were, in words and shares. No count of anybody's requests leaves this module.

A share is told only of so many calls that it says something, of all organisations together. Where nothing was called
there is no news, and that is what is said: it is not the same as good news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from django.core.cache import cache
from django.db.models import F, Q
from redis.exceptions import RedisError

from gateway import credentials, health
from gateway.models import Model, Provider, ProviderDay, ProviderHealth, StatusNote

DAYS = 90
FLOOR = 20  # calls; of fewer no share is told
SOME, MANY = 1, 10  # per cent of calls that failed, from which on a provider has some failures, or is failing
JUST_NOW, WHILE = timedelta(minutes=15), timedelta(hours=1)
APART = timedelta(minutes=15)  # of failures further from one another than this, each is an incident
MOST_INCIDENTS = 20
CACHE_KEY, CACHE_SECONDS = "status:1", 60


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of a while. For sums; never shown."""

    answered: int = 0
    failed: int = 0
    limited: int = 0
    first_token_ms: int | None = None

    @property
    def judged(self) -> int:
        return self.answered + self.failed

    @property
    def enough(self) -> bool:
        return self.judged >= FLOOR

    @property
    def is_limited(self) -> bool:
        return self.limited >= FLOOR and self.limited >= self.judged


@dataclass(frozen=True, slots=True)
class State:
    """A tone of the pages (good, warn, bad, or none), and the words that say the same."""

    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of a provider."""

    day: date
    state: State
    share: str = ""  # that was answered, in per cent


@dataclass(frozen=True, slots=True)
class Line:
    """A provider."""

    slug: str
    name: str
    now: State
    share: str  # of the whole time, or empty
    first_token_ms: int | None
    days: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """A while in which many calls of a provider failed."""

    provider: str
    start: datetime
    end: datetime | None  # None while it goes on
    share: str  # that failed


@dataclass(frozen=True, slots=True)
class Note:
    """What staff say."""

    title: str
    body: str
    starts_at: datetime
    ends_at: datetime | None
    current: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page, as of one instant."""

    at: datetime
    database: bool = True
    lines: tuple[Line, ...] = ()
    incidents: tuple[Incident, ...] = ()
    notes: tuple[Note, ...] = field(default=())

    @property
    def overall(self) -> State:
        if not self.database:
            return State("bad", "The gateway's database does not answer. Requests may be refused.")
        bad = [line.name for line in self.lines if line.now.tone == "bad"]
        if bad:
            return State("bad", f"{_listed(bad)} {'is' if len(bad) == 1 else 'are'} failing.")
        warn = [line.name for line in self.lines if line.now.tone == "warn"]
        if warn:
            return State("warn", f"Some calls of {_listed(warn)} fail.")
        if not any(line.now.tone for line in self.lines):
            return State("", "The gateway answers. Too little was called in the last hour to say how providers are.")
        if all(line.now.tone for line in self.lines):
            return State("good", "Everything works.")
        return State("good", "Everything that was called in the last hour works.")


def report(now: datetime) -> Report:
    """Made anew once a minute, or for each caller while the cache is away."""
    try:
        found = cache.get(CACHE_KEY)
    except (RedisError, OSError):
        return _made(now)
    if isinstance(found, Report):
        return found
    made = _made(now)
    try:
        cache.set(CACHE_KEY, made, CACHE_SECONDS)
    except (RedisError, OSError):
        return made
    return made


def cache_answers() -> bool:
    """Whether Valkey does: without it limits are counted by each process for itself."""
    try:
        cache.get(CACHE_KEY)
    except (RedisError, OSError):
        return False
    return True


def states(slugs: Collection[str], now: datetime) -> dict[str, State]:
    """How these providers are."""
    recent = _recent(slugs, now)
    return {slug: _state_now(slug, recent) for slug in slugs}


def shown() -> list[Provider]:
    """The providers that the page is about: in use, told to the public, and not there to rehearse failures with."""
    real = Model.objects.filter(sandbox=False, enabled=True, routes__enabled=True).values("routes__provider")
    found = Provider.objects.filter(enabled=True, listed=True, pk__in=real).order_by("name")
    return [provider for provider in found if is_set_up(provider)]


def is_set_up(provider: Provider) -> bool:
    """Whether calls can be made of it at all."""
    where = credentials.source(
        credential=provider.credential, api_key_env=provider.api_key_env, needed=provider.needs_credential
    )
    return where is not credentials.Source.MISSING


def _made(now: datetime) -> Report:
    providers = shown()
    names = {provider.slug: provider.name for provider in providers}
    first = (now - (DAYS - 1) * health.DAY).date()
    recent, days = _recent(names, now), _days(names, first)
    lines = [_line(slug, name, recent, days.get(slug, {}), first) for slug, name in names.items()]
    return Report(at=now, lines=tuple(lines), incidents=tuple(_incidents(names, now)), notes=tuple(_notes(now)))


# -- now -------------------------------------------------------------------------------------------

Recent = Mapping[str, tuple[Counts, Counts]]  # by provider: of the last minutes, of the last hour


def _recent(slugs: Collection[str], now: datetime) -> Recent:
    found = ProviderHealth.objects.filter(provider__in=slugs, at__gt=now - WHILE - health.SLOT)
    rows = list(found.values_list("provider", "at", "answered", "failed", "limited", "first_token_ms"))
    whole = {slug: [Counts(*row[2:]) for row in rows if row[0] == slug] for slug in slugs}
    since = now - JUST_NOW - health.SLOT
    last = {slug: [Counts(*row[2:]) for row in rows if row[0] == slug and row[1] > since] for slug in slugs}
    return {slug: (_sum(last[slug]), _sum(whole[slug])) for slug in slugs}


def _sum(counts: list[Counts]) -> Counts:
    waits = sorted(one.first_token_ms for one in counts if one.first_token_ms is not None)
    return Counts(
        sum(one.answered for one in counts),
        sum(one.failed for one in counts),
        sum(one.limited for one in counts),
        waits[len(waits) // 2] if waits else None,
    )


def _state_now(slug: str, recent: Recent) -> State:
    last, whole = recent[slug]
    counts = last if last.enough or last.is_limited else whole
    if counts.is_limited:
        return State("warn", "At its rate limit")
    if not counts.enough:
        return State("", "Too little was called to say" if counts.judged or counts.limited else "No data")
    return _judged(counts)


def _judged(counts: Counts) -> State:
    failed = 100 * counts.failed
    if failed >= MANY * counts.judged:
        return State("bad", "Failing")
    return State("warn", "Some failures") if failed >= SOME * counts.judged else State("good", "Works")


# -- the days --------------------------------------------------------------------------------------


def _days(slugs: Collection[str], first: date) -> dict[str, dict[date, Counts]]:
    days: dict[str, dict[date, Counts]] = {}
    for row in ProviderDay.objects.filter(provider__in=slugs, day__gte=first):
        counts = Counts(row.answered, row.failed, row.limited, row.first_token_ms)
        days.setdefault(row.provider, {})[row.day] = counts
    return days


def _line(slug: str, name: str, recent: Recent, days: Mapping[date, Counts], first: date) -> Line:
    cells = tuple(_cell(day, days.get(day, Counts())) for day in (first + n * health.DAY for n in range(DAYS)))
    whole = _sum(list(days.values()))
    return Line(
        slug=slug,
        name=name,
        now=_state_now(slug, recent),
        share=_share(whole.answered, whole.judged, "0.01") if whole.enough else "",
        first_token_ms=recent[slug][1].first_token_ms if recent[slug][1].enough else None,
        days=cells,
    )


def _cell(day: date, counts: Counts) -> Cell:
    if counts.is_limited:
        return Cell(day, State("warn", "At its rate limit"))
    if not counts.enough:
        return Cell(day, State("", "Too little traffic" if counts.judged or counts.limited else "No data"))
    failed = 100 * counts.failed
    if failed < SOME * counts.judged:
        state = State("good", "Worked")
    else:
        state = State("warn", "Some failures") if failed < MANY * counts.judged else State("bad", "Many failures")
    return Cell(day, state, _share(counts.answered, counts.judged, "0.1"))


def _share(part: int, whole: int, grain: str) -> str:
    """Per cent, never rounded up: what failed once was not there all the time."""
    share = (Decimal(100 * part) / whole).quantize(Decimal(grain), ROUND_DOWN)
    return "100" if part == whole else f"{share:f}"


# -- what went wrong -------------------------------------------------------------------------------


def _incidents(names: Mapping[str, str], now: datetime) -> list[Incident]:
    """The newest first. A slot counts when a quarter of its calls failed."""
    bad = ProviderHealth.objects.filter(
        provider__in=names, at__gte=now - DAYS * health.DAY, failed__gte=3, answered__lte=3 * F("failed")
    )
    rows = list(bad.order_by("at").values_list("provider", "at", "answered", "failed"))
    found: list[Incident] = []
    for slug, name in names.items():
        for slots in _runs((at, answered, failed) for one, at, answered, failed in rows if one == slug):
            failed, judged = sum(slot[2] for slot in slots), sum(slot[1] + slot[2] for slot in slots)
            end = slots[-1][0] + health.SLOT
            if judged >= FLOOR:
                share = _share(failed, judged, "1")
                found.append(Incident(name, slots[0][0], None if end > now - 2 * health.SLOT else end, share))
    return sorted(found, key=lambda incident: incident.start, reverse=True)[:MOST_INCIDENTS]


def _runs(slots: Iterable[tuple[datetime, int, int]]) -> list[list[tuple[datetime, int, int]]]:
    """Slots that follow one another closely, together."""
    runs: list[list[tuple[datetime, int, int]]] = []
    for slot in slots:
        if runs and slot[0] - runs[-1][-1][0] <= APART:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    return runs


def _notes(now: datetime) -> list[Note]:
    found = StatusNote.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now - DAYS * health.DAY), starts_at__lte=now
    ).order_by("-starts_at")[:MOST_INCIDENTS]
    return [
        Note(note.title, note.body, note.starts_at, note.ends_at, note.ends_at is None or note.ends_at > now)
        for note in found
    ]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
