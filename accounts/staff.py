"""What the admin's pages are built on: the theme's classes, and two kinds of page that take rights away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:  # the theme's classes are Django's with other clothes on, but bear no types
    from django.contrib.admin import ModelAdmin, TabularInline

    F = TypeVar("F", bound=Callable[..., Any])

    def display(
        *, description: str, ordering: str = ..., empty_value: str = ..., label: bool | Mapping[str, str] = ...
    ) -> Callable[[F], F]: ...

    def action(*, description: str, permissions: list[str], url_path: str = ...) -> Callable[[F], F]: ...

else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.decorators import action, display

__all__ = ["Kept", "ModelAdmin", "ReadOnly", "TabularInline", "action", "display", "moment", "unbroken"]


def unbroken(text: str) -> SafeString:
    """For a list's cell: on one line."""
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def moment(at: datetime | None) -> SafeString | None:
    """For a list's cell: the minute, in UTC, with the exact time under the pointer."""
    if at is None:
        return None
    shape = '<time class="whitespace-nowrap" datetime="{0}" title="{0}">{1}</time>'
    return format_html(shape, at.isoformat(), f"{at:%Y-%m-%d %H:%M}")


class Kept:
    """Rows that nobody deletes: what they stand for is switched off, revoked or suspended instead."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnly(Kept):
    """Rows that people only look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
