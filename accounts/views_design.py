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

SPRITE = settings.BASE_DIR / "static" / "vendor" / "lucide" / "icons.svg"


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
        "icons": re.findall(r'<symbol id="([^"]+)"', SPRITE.read_text(encoding="utf-8")),
    }
    return render(request, "design/page.html", page)
