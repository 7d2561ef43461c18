"""Receipts, credit notes and invoices: the list, each of them to print, and who stands on those to come."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.audit import Action
from accounts.roles import May, MemberRequest, member_page
from billing import payments
from billing.models import Document
from billing.top_up_forms import DetailsForm
from billing.views_budgets import number_in

page_with_form = require_http_methods(["GET", "HEAD", "POST"])
PAGE = 50


@require_safe
@member_page(May.SEE_BILLING)
def documents(request: MemberRequest) -> HttpResponse:
    mine = Document.objects.of(request.membership.organization).defer("contents").order_by("-id")
    before = number_in(request, "before")
    found = list((mine.filter(pk__lt=before) if before else mine)[: PAGE + 1])
    page = {
        "documents": found[:PAGE],
        "older": found[PAGE - 1].pk if len(found) > PAGE else None,
        "before": before,
    }
    return render(request, "billing/documents.html", page)


@require_safe
@member_page(May.SEE_BILLING)
def document(request: MemberRequest, document: int) -> HttpResponse:
    """As it was issued, whatever names and addresses are today."""
    of_here = Document.objects.of(request.membership.organization).select_related("payment")
    found: Document = get_object_or_404(of_here, pk=document)
    told = found.contents
    due = int(told.get("due_nano", "0"))
    page = {
        "document": found,
        "due_nano": due,
        "credited_nano": due - found.total_nano,
        "seller": {**told["seller"], "name": told["seller"]["name"] or urlsplit(settings.PUBLIC_URL).hostname},
        "buyer": told["buyer"],
        "lines": [{**line, "nano": int(line["nano"])} for line in told["lines"]],
        "models": [
            {**row, "nano": int(row["nano"]), "requests": int(row["requests"])} for row in told.get("models", [])
        ],
    }
    return render(request, "billing/document.html", page)


@page_with_form
@member_page(May.SEE_BILLING, May.MANAGE_BILLING)
def details(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    profile = payments.profile_of(organization)
    form = DetailsForm(request.POST or None, instance=profile)
    if form.is_valid():
        with transaction.atomic():
            kept = payments.locked_profile(organization)
            before = {name: getattr(kept, name) for name in form.Meta.fields}
            for name in form.Meta.fields:
                setattr(kept, name, form.cleaned_data[name])
            differing = audit.changes(before, dict(form.cleaned_data))
            if differing:
                kept.save(update_fields=list(form.Meta.fields))
                audit.record(request, organization, Action.BILLING_CHANGED, None, **differing)
        messages.success(
            request, "This stands on receipts and invoices from now on." if differing else "Nothing was different."
        )
        return redirect("billing:organization-documents", organization.slug)
    return render(request, "billing/details.html", {"form": form})
