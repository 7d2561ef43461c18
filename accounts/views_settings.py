"""An organisation's settings, and its end."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import organizations
from accounts.models import ApiKey, Membership, Organization, Project
from accounts.organizations import SettingsError
from accounts.roles import May, MemberRequest, may, member_page

page_with_form = require_http_methods(["GET", "HEAD", "POST"])


AS_THE_PLATFORM = "platform"  # in the form, where a choice that says nothing would look as if it were optional


class SettingsForm(forms.ModelForm[Organization]):
    retired_models = forms.ChoiceField(
        label="Models that were shut down",
        help_text="What happens to calls that name a model which its vendor no longer serves.",
    )

    class Meta:
        model = Organization
        fields = ("name", "default_project", "retired_models", "sandbox_enabled")
        labels = {
            "default_project": "Default project",
            "sandbox_enabled": "Sandbox models",
        }
        help_texts = {
            "name": "As your colleagues know it. Addresses of pages stay when it changes.",
            "default_project": "Where keys belong that are made for no project by name.",
            "sandbox_enabled": "List and answer sandbox/ models, which cost nothing and rehearse every answer.",
        }
        error_messages = {"name": {"required": "Give the organisation a name."}}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "organization"})}

    def __init__(self, *args: Any, manages: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = cast("forms.ModelChoiceField[Project]", self.fields["default_project"])
        projects.queryset = Project.objects.of(self.instance).unarchived().order_by("name")
        projects.required = True
        projects.empty_label = None
        self.initial["default_project"] = Project.objects.default_of(self.instance).pk
        follows = settings.GATEWAY_RETIRED_MODELS == "follow"
        default = Organization.RetiredModels.FOLLOW if follows else Organization.RetiredModels.REFUSE
        cast("forms.ChoiceField", self.fields["retired_models"]).choices = [
            (AS_THE_PLATFORM, f"As this gateway does: {default.label[0].lower()}{default.label[1:]}"),
            *((choice.value, choice.label) for choice in Organization.RetiredModels if choice.value),
        ]
        self.initial["retired_models"] = self.instance.retired_models or AS_THE_PLATFORM
        for field in self.fields.values():
            field.disabled = not manages

    def clean_retired_models(self) -> str:
        chosen: str = self.cleaned_data["retired_models"]
        return "" if chosen == AS_THE_PLATFORM else chosen


class CloseForm(forms.Form):
    slug = forms.CharField(
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = organization.slug
        self.fields["slug"].label = f"Type {self.wanted} to close it"
        self.fields["slug"].error_messages["required"] = f"Type {self.wanted}, so that nothing is closed by mistake."

    def clean_slug(self) -> str:
        typed: str = self.cleaned_data["slug"]
        if typed != self.wanted:
            raise ValidationError(f"This is not {self.wanted}. Nothing was closed.")
        return typed


@page_with_form
@member_page(May.LOOK, May.MANAGE_SETTINGS)
def settings_page(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    manages = may(request.membership, May.MANAGE_SETTINGS)
    form = SettingsForm(request.POST or None, instance=organization, manages=manages)
    if form.is_valid():
        try:
            changed = organizations.change(request, organization, form.cleaned_data)
        except SettingsError as error:
            form.add_error("default_project", str(error))
        else:
            messages.success(request, "The settings are saved." if changed else "Nothing was different.")
            return redirect("accounts:settings", organization.slug)
    if form.errors:
        organization.refresh_from_db()  # the form writes what was typed into it
    page = {"form": form, "manages": manages, "closes": may(request.membership, May.CLOSE)}
    return render(request, "accounts/settings.html", page)


@page_with_form
@member_page(May.CLOSE)
def close(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    form = CloseForm(request.POST or None, organization=organization)
    if form.is_valid():
        organizations.close(request, organization)
        messages.success(request, f"{organization} is closed.")
        return redirect("accounts:dashboard")
    page = {
        "form": form,
        "key_count": ApiKey.objects.of(organization).ordinary().active().count(),
        "member_count": Membership.objects.of(organization).count(),
    }
    return render(request, "accounts/settings_close.html", page)
