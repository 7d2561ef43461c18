"""Instants, browsers and counts as people read them."""

from __future__ import annotations

import re
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# What to look for in a browser's name for itself, the telling ones first: most claim to be others too.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
STEPS = ((60, "minute"), (3600, "hour"), (86400, "day"))


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """How long ago, with the instant under the pointer; what is older than a month is a date."""
    shown = f"{at:%Y-%m-%d %H:%M} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), shown, _ago(at))


def _ago(at: datetime) -> str:
    seconds = (timezone.now() - at).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds >= 30 * 86400:
        return f"{at:%-d %B %Y}"
    size, name = next(step for step in reversed(STEPS) if seconds >= step[0])
    number = int(seconds // size)
    return f"{number} {name}{'' if number == 1 else 's'} ago"


@register.filter
def browser(agent: str) -> str:
    """`Firefox on Linux`, as far as one can tell."""
    name = next((shown for mark, shown in BROWSERS if mark in agent), "")
    system = next((shown for mark, shown in SYSTEMS if mark in agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or re.sub(r"[/ ].*", "", agent)[:40] or "Unknown"


@register.filter
def codes_left(number: int) -> str:
    return "1 code left" if number == 1 else f"{number or 'No'} codes left"


@register.filter
def duration(milliseconds: int | None) -> str:
    """How long something took, to what can be told apart: `412 ms`, `1.9 s`, `2 min 5 s`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
