"""What a caller asks of the roll-ups: a stretch of time in buckets, grouped and filtered. OpenAI's own parameters."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

LATEST = 4_102_444_800  # the year 2100: what is later was meant to be milliseconds
HIGHEST_ID = 2**63 - 1
PAGE_PREFIX = "page_"


@dataclass(frozen=True, slots=True)
class Width:
    """A width of buckets, and how many of them a page has."""

    name: str
    seconds: int
    default_limit: int
    max_limit: int

    def begin(self, instant: int) -> int:
        """The beginning of the bucket that an instant is in. Hours and days of UTC are whole in unix time."""
        return instant - instant % self.seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """What one endpoint takes. Groups and filters are by parameter, and name a column."""

    widths: Mapping[str, Width]
    groups: Mapping[str, str]
    filters: Mapping[str, str]
    switches: frozenset[str] = frozenset()

    @property
    def parameters(self) -> set[str]:
        return {"start_time", "end_time", "bucket_width", "group_by", "limit", "page", *self.filters, *self.switches}


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """One page of what was asked for."""

    width: Width
    starts: Sequence[int]  # of its buckets
    next_start: int | None
    groups: Sequence[str]  # parameters, in the order of the endpoint
    filters: Mapping[str, Sequence[int] | Sequence[str]]  # by column
    batch: bool | None = None

    @property
    def begins_at(self) -> datetime:
        return datetime.fromtimestamp(self.starts[0], UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(self.starts[-1], UTC) + timedelta(seconds=self.width.seconds)

    @property
    def next_page(self) -> str | None:
        return None if self.next_start is None else _cursor(self.next_start)


def read(parameters: QueryDict, kind: Kind) -> UsageQuery:
    """The query of these parameters. Raises `ValidationError`, which names the one that is wrong."""
    lists = _without_brackets(parameters, kind.parameters)
    single = {name: values[-1] for name, values in lists.items()}
    width = _width(single, kind)
    start, end = _stretch(single)
    first = _after(single["page"], width, start) if "page" in single else width.begin(start)
    limit = _limit(single, width)
    starts = range(first, end, width.seconds)
    return UsageQuery(
        width=width,
        starts=starts[:limit],
        next_start=starts[limit] if len(starts) > limit else None,
        groups=_groups(lists.get("group_by", []), kind),
        filters=_filters(lists, kind),
        batch=_switch(single, "batch"),
    )


def _without_brackets(parameters: QueryDict, known: set[str]) -> dict[str, list[str]]:
    """All values by name: `name` and `name[]` are the same, as client libraries write lists either way."""
    found: dict[str, list[str]] = {}
    for name, values in parameters.lists():
        plain = name.removesuffix("[]")
        if plain not in known:
            raise _wrong(name, f"There is no parameter '{name}'. There are: {_and(sorted(known))}.")
        found.setdefault(plain, []).extend(values)
    return found


def _width(single: Mapping[str, str], kind: Kind) -> Width:
    name = single.get("bucket_width", "1d")
    if name not in kind.widths:
        raise _wrong(
            "bucket_width", f"There are no buckets of '{name}' here. Ask for {_or(kind.widths)}; nothing finer is kept."
        )
    return kind.widths[name]


def _stretch(single: Mapping[str, str]) -> tuple[int, int]:
    if "start_time" not in single:
        raise _wrong("start_time", "Give start_time, in unix seconds.")
    start = _instant(single["start_time"], "start_time")
    end = _instant(single["end_time"], "end_time") if "end_time" in single else max(int(time.time()), start) + 1
    if end <= start:
        raise _wrong("end_time", "end_time must be after start_time.")
    return start, end


def _instant(text: str, name: str) -> int:
    instant = _integer(text, name, f"Give {name} in unix seconds, not '{text[:40]}'.")
    if not 0 <= instant <= LATEST:
        raise _wrong(name, f"Give {name} in unix seconds, between 0 and {LATEST}; these may be milliseconds.")
    return instant


def _limit(single: Mapping[str, str], width: Width) -> int:
    told = f"limit must be between 1 and {width.max_limit} for buckets of {width.name}."
    limit = _integer(single["limit"], "limit", told) if "limit" in single else width.default_limit
    if not 1 <= limit <= width.max_limit:
        raise _wrong("limit", told)
    return limit


def _integer(text: str, name: str, told: str) -> int:
    if len(text) > 20 or not text.removeprefix("-").isdecimal() or not text.isascii():
        raise _wrong(name, told)
    return int(text)


def _groups(wanted: Sequence[str], kind: Kind) -> list[str]:
    for name in wanted:
        if name not in kind.groups:
            raise _wrong("group_by", f"Usage cannot be grouped by '{name[:40]}', only by {_or(kind.groups)}.")
    return [name for name in kind.groups if name in wanted]


def _filters(lists: Mapping[str, Sequence[str]], kind: Kind) -> dict[str, Sequence[int] | Sequence[str]]:
    """What a column may be. A value that cannot be in it is nobody's: it finds nothing, which is no mistake."""
    found: dict[str, Sequence[int] | Sequence[str]] = {}
    for name, column in kind.filters.items():
        if name in lists:
            found[column] = _ids(lists[name]) if column.endswith("_id") else _names(lists[name])
    return found


def _ids(values: Iterable[str]) -> list[int]:
    """Zero is the absence of one."""
    numbers = [int(text) for text in values if text.isascii() and text.isdecimal() and len(text) < 20]
    return [number for number in numbers if 0 < number <= HIGHEST_ID]


def _names(values: Iterable[str]) -> list[str]:
    return [text for text in values if text and "\0" not in text]


def _switch(single: Mapping[str, str], name: str) -> bool | None:
    if name not in single:
        return None
    if single[name] not in {"true", "false"}:
        raise _wrong(name, f"{name} is true or false.")
    return single[name] == "true"


def _cursor(start: int) -> str:
    return PAGE_PREFIX + base64.urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def _after(page: str, width: Width, start: int) -> int:
    """Where a page begins: at a bucket of the same query."""
    told = "Give page as next_page was, together with the same parameters."
    code = page.removeprefix(PAGE_PREFIX)
    try:
        text = base64.urlsafe_b64decode(code.encode() + b"=" * (-len(code) % 4)).decode()
    except (binascii.Error, UnicodeError) as error:
        raise _wrong("page", told) from error
    first = _integer(text, "page", told)
    if not start <= first <= LATEST or width.begin(first) != first:
        raise _wrong("page", told)
    return first


def _wrong(param: str, told: str) -> ValidationError:
    return ValidationError({param: told})


def _and(names: Iterable[str]) -> str:
    return ", ".join(names)


def _or(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} or {last}" if rest else last
