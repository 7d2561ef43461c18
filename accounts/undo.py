"""Telling somebody what they have done, with a button that undoes it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest

UNDO = "undo:"


def done(request: HttpRequest, text: str, *, undo: str) -> None:
    """A message with a button. `undo` is an address that undoes it when a form is sent there, as whoever did it."""
    messages.success(request, text, extra_tags=f"{UNDO}{undo}")
