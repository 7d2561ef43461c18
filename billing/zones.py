"""Time zones: which there are, and which one a person is shown their usage in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

COOKIE = "zone"
YEAR = 31_536_000
DEFAULT = ZoneInfo("UTC")
REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
HOUR = timedelta(hours=1)


@cache
def known() -> tuple[str, ...]:
    """UTC, and the zones that are named for places. The rest of the database are old names of these."""
    return ("UTC", *sorted(name for name in available_timezones() if name.partition("/")[0] in REGIONS))


def find(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in known() else None


def chosen_by(request: HttpRequest) -> ZoneInfo:
    """What the person chose the last time, in this browser; UTC for who never did."""
    return find(request.COOKIES.get(COOKIE, "")) or DEFAULT


def remember(response: HttpResponse, zone: ZoneInfo) -> None:
    response.set_cookie(
        COOKIE, zone.key, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE
    )


def midnight(instant: datetime) -> datetime:
    """The beginning of a wall clock's instant in UTC, moved on to the next whole hour of UTC, which is how usage is
    kept. An instant that the clocks skip is the one at which they do; of one that comes twice it is the first."""
    return next_hour(instant.astimezone(UTC))


def next_hour(instant: datetime) -> datetime:
    """The instant itself if it is a whole hour of UTC."""
    begun = this_hour(instant)
    return begun if begun == instant else begun + HOUR


def this_hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def label(zone: ZoneInfo, at: datetime) -> str:
    """`Europe/Berlin, UTC+1`, as it is at an instant."""
    minutes = _offset(zone, at)
    if zone.key == "UTC":
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    sign = "\u2212" if minutes < 0 else "+"
    return f"{zone.key.replace('_', ' ')}, UTC{sign}{hours}{f':{rest:02}' if rest else ''}"


def minutes_past(zone: ZoneInfo, at: datetime) -> int:
    """How many minutes past the hour it is there when an hour of UTC begins."""
    return _offset(zone, at) % 60


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


@cache
def options() -> SafeString:
    """All of them, as a choice in a form: the same for everybody, so it is made once."""
    groups = [(region, [name for name in known() if name.startswith(f"{region}/")]) for region in REGIONS]
    return format_html_join(
        "",
        '<optgroup label="{}">{}</optgroup>',
        ((region, format_html_join("", '<option value="{}">{}</option>', _rows(names))) for region, names in groups),
    )


def _rows(names: list[str]) -> list[tuple[str, SafeString]]:
    return [(name, format_html("{}", name.partition("/")[2].replace("_", " "))) for name in names]
