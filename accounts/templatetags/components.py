"""Small pieces of every page: icons, initials, and what a form's field is."""

from __future__ import annotations

from django import template
from django.forms import BoundField, CheckboxInput
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of the sprite's icons, for the eye only: whatever has it also says in words what it is."""
    sprite = static("vendor/lucide/icons.svg")
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>', sprite, name)


@register.filter
def initials(whose: object) -> str:
    """One or two letters for a person or an organisation."""
    name = (whose.name or whose.email) if isinstance(whose, User) else str(whose)
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)
