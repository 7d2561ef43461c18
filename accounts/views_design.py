"""All components of the pages on one page, in both themes, for whoever builds pages."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

HOURS = [("08:00", 8, 3), ("09:00", 14, 5), ("10:00", 11, 9), ("11:00", 6, 4)]
# What billing.usage_charts gives a template, by hand.
CHART: dict[str, Any] = {
    "question": "How many requests came in the last 4 hours, by model?",
    "answer": "60 requests, 12 % more than in the 4 hours before. 65 % of it is claude-sonnet-5-5.",
    "series": [{"label": "claude-sonnet-5-5", "colour": 1}, {"label": "gpt-6-luna", "colour": 2}],
    "previous": True,
    "previous_words": "The 4 hours before",
    "total_word": "Total",
    "running": 3,
    "rows": [
        {
            "label": {"name": name},
            "cells": [{"shown": first}, {"shown": second}],
            "total": {"shown": first + second},
            "previous": {"shown": first + second - 2},
        }
        for name, first, second in HOURS
    ],
    "footer": [{"shown": 39}, {"shown": 21}, {"shown": 60}, {"shown": 52}],
    "data": {
        "kind": "count",
        "stacked": True,
        "totalWord": "Total",
        "series": [
            {"label": "claude-sonnet-5-5", "colour": 1, "values": [first for _, first, _ in HOURS]},
            {"label": "gpt-6-luna", "colour": 2, "values": [second for _, _, second in HOURS]},
        ],
        "total": [first + second for _, first, second in HOURS],
        "previous": [first + second - 2 for _, first, second in HOURS],
        "previousWord": "The 4 hours before",
        "ticks": [name for name, _, _ in HOURS],
        "names": [name for name, _, _ in HOURS],
        "places": [8, 9, 10, 11],
        "unit": "hour",
        "running": 3,
    },
}
PARTS = [
    {"label": "production", "shown": "$91.20", "share": "76 %", "width": 100, "query": "key=1", "colour": 1},
    {"label": "nightly evaluation of the long document pipeline", "shown": "$27.31", "share": "23 %", "width": 30,
     "query": "key=2", "colour": 2},
    {"label": "4 others", "shown": "$1.02", "share": "0.9 %", "width": 1, "query": "", "colour": 0, "is_rest": True},
]  # fmt: skip

SPRITE = settings.BASE_DIR / "static" / "vendor" / "lucide" / "icons.svg"


# A timeline: what happened when, and what part of the whole time each phase took.
EXAMPLE = {
    "steps": [
        {"label": "Admitted", "note": "$0.04 held", "after": "after 3 ms"},
        {"label": "Sent to openai", "note": "answered 429 in 82 ms", "after": "after 3 ms", "tone": "bad"},
        {"label": "Sent to azure", "note": "answered 200 in 310 ms", "after": "after 85 ms", "tone": "good"},
        {"label": "First token", "after": "after 412 ms"},
        {"label": "Ended", "note": "finish reason stop", "after": "after 1.9 s", "tone": "good"},
    ],
    "phases": [
        {"name": "queued", "label": "Queued", "start": 0, "width": 0.2, "took": "3 ms"},
        {"name": "waiting", "label": "Until the first token", "start": 0.2, "width": 21.5, "took": "409 ms"},
        {"name": "answering", "label": "Answering", "start": 21.7, "width": 78.3, "took": "1.5 s"},
    ],
}
PLACES = [  # what the palette finds, as config.palette has it
    {
        "title": "Pages",
        "places": [
            {"url": "#keys", "label": "Keys", "icon": "key-round"},
            {"url": "#billing", "label": "Billing", "icon": "credit-card"},
        ],
    },
    {
        "title": "Keys",
        "places": [{"url": "#key", "label": "production", "detail": "sk-2389-AbCd…wXyZ", "icon": "key-round"}],
    },
]


class ExampleForm(forms.Form):
    """One field of each kind, and one that is filled in wrongly."""

    name = forms.CharField(label="Name", help_text="So that you find it again.")
    budget = forms.DecimalField(
        label="Budget a month",
        help_text="In dollars.",
        min_value=1,
        error_messages={"min_value": "A budget is at least $1.00."},
    )
    expires = forms.ChoiceField(label="Expires", choices=[("", "Never"), ("30", "In 30 days")], required=False)
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 2}), required=False)
    scopes = forms.MultipleChoiceField(
        label="May be used for",
        choices=[("chat", "Chat completions"), ("embeddings", "Embeddings")],
        widget=forms.CheckboxSelectMultiple,
    )
    service = forms.BooleanField(label="Outlives the person who made it", required=False)


@require_safe
@staff_member_required
def design(request: HttpRequest) -> HttpResponse:
    filled = {"name": "production", "budget": "0.50", "scopes": ["chat"]}
    page: dict[str, Any] = {
        "shown": ["light", "dark"],
        "form": ExampleForm(filled),
        "chart": CHART,
        "parts": PARTS,
        "example": EXAMPLE,
        "places": PLACES,
        "icons": re.findall(r'<symbol id="([^"]+)"', SPRITE.read_text(encoding="utf-8")),
    }
    return render(request, "design/page.html", page)
