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
from accounts.models import Organization, User
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
    """To the organisation that was looked at last; who has none makes one first."""
    organization = organizations.home_of(cast("User", request.user), request.session.get(LAST, ""))
    if organization is None:
        return redirect("accounts:new-organization")
    return redirect("billing:overview", organization.slug)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_organization(request: HttpRequest) -> HttpResponse:
    form = OrganizationForm(request.POST or None)
    if form.is_valid():
        made = organizations.found(form.cleaned_data["name"], cast("User", request.user), request)
        return redirect("gateway:keys", made.slug)
    page: dict[str, Any] = {"form": form, "first": not Organization.objects.visible_to(request.user).exists()}
    return render(request, "accounts/new_organization.html", page)
