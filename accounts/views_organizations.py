"""The way into the dashboard, and new organisations."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import organizations
from accounts.models import Membership, Organization, User
from accounts.roles import LAST


class OrganizationForm(forms.ModelForm[Organization]):
    class Meta:
        model = Organization
        fields = ("name",)
        labels = {"name": "Name"}
        help_texts = {"name": "As your colleagues know it. You can change it later."}
        error_messages = {"name": {"required": "Give the organisation a name."}}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True})}


@never_cache
@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """To the organisation looked at last. Who has just signed up gets one, and who has none otherwise makes one."""
    user = cast("User", request.user)
    organization = organizations.home_of(user, request.session.get(LAST, ""))
    organization = organization or organizations.found_first(request, user)
    if organization is None:
        return redirect("accounts:new-organization")
    membership = Membership.objects.select_related("organization").get(organization=organization, user=user)
    page = organizations.START_PAGE if organizations.leads_to_start(membership) else organizations.FIRST_PAGE
    return redirect(page, organization.slug)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_organization(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    first = not Organization.objects.visible_to(user).exists()
    form = OrganizationForm(request.POST or None, initial={"name": organizations.first_name(user)} if first else {})
    if form.is_valid():
        made = organizations.found(form.cleaned_data["name"], user, request)
        return redirect(organizations.START_PAGE, made.slug)
    page: dict[str, Any] = {"form": form, "first": first}
    return render(request, "accounts/new_organization.html", page)
