"""Whether an organisation stores prompts and answers, and for how long."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import organizations
from accounts.roles import May, MemberRequest, may, member_page
from gateway import exchanges
from gateway.transcription import MOST_BYTES

USUAL_DAYS = 30
FORGOTTEN_AT_ONCE = 10  # rounds of deletion that whoever turns it off waits for; the rest follows within a minute
page_with_form = require_http_methods(["GET", "HEAD", "POST"])


class RetentionForm(forms.Form):
    days = forms.IntegerField(
        label="Days until they are deleted",
        help_text="From 1 to 365. Shortening it deletes within minutes what is older.",
        min_value=1,
        max_value=365,
        error_messages={
            "required": "Say after how many days they are deleted.",
            "min_value": "At least 1 day.",
            "max_value": "At most 365 days.",
        },
    )


@page_with_form
@member_page(May.LOOK, May.MANAGE_SETTINGS)
def prompts(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    kept_for = organization.prompt_retention_days
    form = RetentionForm(request.POST or None, initial={"days": kept_for or USUAL_DAYS})
    if form.is_valid():
        days = form.cleaned_data["days"]
        if kept_for is None and exchanges.count(organization):
            messages.error(request, "What was stored before is still being deleted. Try again in a minute.")
        elif organizations.store_prompts(request, organization, days):
            messages.success(request, f"Prompts and answers are stored from now on, for {_days(days)}.")
        else:
            messages.success(request, "Nothing was different.")
        return redirect("gateway:settings-prompts", organization.slug)
    stored = exchanges.count(organization)
    page = {
        "form": form,
        "manages": may(request.membership, May.MANAGE_SETTINGS),
        "kept_for": kept_for,
        "stored": stored,
        "told": exchanges.counted(stored),
        "most_kilobytes": MOST_BYTES // 1024,
    }
    return render(request, "gateway/prompts.html", page)


@page_with_form
@member_page(May.MANAGE_SETTINGS)
def stop_prompts(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    if organization.prompt_retention_days is None:
        return redirect("gateway:settings-prompts", organization.slug)
    if request.method == "POST":
        organizations.store_prompts(request, organization, None)
        deleted = exchanges.forget(organization, rounds=FORGOTTEN_AT_ONCE)
        left = " The rest follows within a minute; nobody can read it." if exchanges.count(organization) else ""
        told = exchanges.counted(deleted)
        were = "was" if deleted == 1 else "were"
        messages.success(request, f"Nothing is stored any more, and {told} {were} deleted.{left}")
        return redirect("gateway:settings-prompts", organization.slug)
    stored = exchanges.count(organization)
    page = {"stored": stored, "told": exchanges.counted(stored)}
    return render(request, "gateway/prompts_stop.html", page)


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
