"""Staff's pages for keys: issued, limited in every way that there is, and revoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import admin_audit, audit, key_life, key_rules
from accounts.audit import Action
from accounts.models import ApiKey, Membership, Project, Scope, default_scopes
from accounts.staff import Kept, ModelAdmin, action, display, moment, unbroken

LIMITS = ("requests_per_minute", "tokens_per_minute", "parallel_streams")
STATUS = {"active": "success", "expired": "warning", "revoked": "danger", "stopped": "danger"}


class RulesField(forms.CharField):
    """A list, one a line, read by a function that raises `ValueError` in words for people."""

    def __init__(self, read: Callable[[str], list[str]], **options: Any) -> None:
        self._read = read
        super().__init__(required=False, widget=AdminTextareaWidget(attrs={"rows": 3}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        try:
            return self._read(super().clean(value))
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class ApiKeyForm(forms.ModelForm[ApiKey]):
    """Whatever is left empty is as it is for everybody: the default project, the usual scopes, no limit of its own."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, required=False, widget=forms.CheckboxSelectMultiple)
    models_allowed = RulesField(
        key_rules.model_rules, help_text="One a line: ids, or beginnings of ids and a *. Empty means every model."
    )
    address_ranges = RulesField(
        key_rules.address_ranges, help_text="One a line: IPv4 or IPv6 addresses or ranges. Empty means everywhere."
    )

    class Meta:
        model = ApiKey
        fields = (
            "organization", "project", "name", "owner", "note", "scopes", "models_allowed", "address_ranges",
            "requests_per_minute", "tokens_per_minute", "parallel_streams", "expires_at",
        )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["project"].required = False
        if not self.instance.pk:
            self.fields["scopes"].initial = default_scopes()

    def clean_scopes(self) -> list[str]:
        """A key that may do nothing is of no use: what is left empty stays as it was."""
        given = set(self.cleaned_data["scopes"])
        return [scope.value for scope in Scope if scope.value in given] or self.instance.scopes

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        organization = cleaned.get("organization") or (self.instance.organization if self.instance.pk else None)
        owner, project = cleaned.get("owner"), cleaned.get("project")
        if owner and organization and not Membership.objects.of(organization).filter(user=owner).exists():
            self.add_error("owner", f"{owner} is not a member of {organization}. Add the membership first.")
        if project and organization and project.organization_id != organization.pk:
            self.add_error("project", f"{project} is not a project of {organization}.")
        if organization and organization.closed_at:
            self.add_error(None, f"{organization} is closed: no keys can be made in it. Reopen it first.")
        if organization and not project:
            kept = self.instance.project if self.instance.pk else None
            cleaned["project"] = kept or Project.objects.default_of(organization)
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(Kept, ModelAdmin[ApiKey]):
    """Issues, limits and revokes keys. The secret is shown once, after issuing; the digest never."""

    form = ApiKeyForm
    list_display = ("name", "shown", "organization", "owner", "state", "limit", "last_used", "created")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("organization", "owner")
    search_fields = ("name", "organization__name", "organization__slug", "owner__email", "=hint_last4")
    autocomplete_fields = ("organization", "project", "owner")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return ApiKey.objects.with_standing().order_by("-created_at")

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        about = (None, {"fields": ("organization", "project", "name", "owner", "note")})
        rights = ("What it may do", {"fields": ("scopes", "models_allowed", "address_ranges")})
        limits = ("Limits", {"fields": (*LIMITS, "expires_at")})
        if obj is None:
            return (about, rights, limits)
        state = ("State", {"fields": ("shown", "state", "last_used", "created_at", "revoked_at")})
        return (about, rights, limits, state)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("organization", "shown", "state", "last_used", "created_at", "revoked_at") if obj else ()

    @display(description="Key")
    def shown(self, key: ApiKey) -> str:
        return unbroken(key.hint)

    @display(description="Status", label=STATUS)
    def state(self, key: ApiKey) -> str:
        return key.status

    @display(description="Per minute", ordering="requests_per_minute")
    def limit(self, key: ApiKey) -> str:
        return str(key.requests_per_minute or "default")

    @display(description="Last used", ordering="last_use", empty_value="never")
    def last_used(self, key: ApiKey) -> SafeString | None:
        return moment(key.last_used_at) if key.last_used_at else None

    @display(description="Created", ordering="created_at")
    def created(self, key: ApiKey) -> SafeString | None:
        return moment(key.created_at)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool) -> None:
        if change:
            obj.service_account = obj.owner is None
            super().save_model(request, obj, form, change)
            self._note(request, obj, form, change=True)
            obj.announce()
            return
        key, secret = ApiKey.objects.issue(
            organization=obj.organization,
            **{name: form.cleaned_data[name] for name in form.fields if name != "organization"},
        )
        obj.pk = key.pk
        obj.refresh_from_db()
        self._note(request, obj, form, change=False)
        messages.warning(request, f"Copy the key now, it is not shown again: {secret}")

    def _note(self, request: HttpRequest, key: ApiKey, form: forms.ModelForm[ApiKey], *, change: bool) -> None:
        actions = (Action.KEY_CREATED, Action.KEY_CHANGED)
        admin_audit.saved(request, key.organization, key, form, actions, change=change)

    @action(description="Revoke: callers are refused within 5 seconds, for good", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        found = list(queryset.filter(revoked_at=None).select_related("organization"))
        for key in found:
            with transaction.atomic():
                key_life.revoke(audit.operator(request), [key.pk], reason="the operator revoked it")
                self.log_change(request, key, "Revoked.")
        messages.success(request, f"Revoked: {', '.join(map(str, found))}." if found else "Nothing to revoke.")
