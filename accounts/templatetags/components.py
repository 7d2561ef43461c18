"""Small pieces of every page: icons, initials, and what a form's field is."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField, CheckboxInput
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.undo import UNDO

register = template.Library()

UNITS = (("day", 1440), ("hour", 60), ("minute", 1))  # in minutes
DAYS = 30  # what is older is told by its date


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of the sprite's icons, for the eye only: whatever has it also says in words what it is."""
    sprite = static("vendor/lucide/icons.svg")
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>', sprite, name)


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, with the instant under the pointer; `never` when there is none."""
    if at is None:
        return "never"
    exact = f"{at.astimezone(UTC):%-d %B %Y, %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, _since(at))


def _since(at: datetime) -> str:
    minutes = int((timezone.now() - at).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes > DAYS * 1440:
        return f"{at.astimezone(UTC):%-d %b %Y}"
    name, size = next((name, size) for name, size in UNITS if minutes >= size)
    number = minutes // size
    return f"{number} {name}{'' if number == 1 else 's'} ago"


@register.filter
def initials(whose: object) -> str:
    """One or two letters for a person or an organisation."""
    name = (whose.name or whose.email) if isinstance(whose, User) else str(whose)
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def undo(message: Message) -> str:
    """The address that undoes what a message tells of, where there is one: see `accounts.undo`."""
    return next((tag.removeprefix(UNDO) for tag in message.extra_tags.split() if tag.startswith(UNDO)), "")


@register.filter
def grouped(number: int) -> str:
    """A count, its thousands apart."""
    return f"{number:,}"


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)
