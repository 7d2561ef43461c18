"""Staff's pages for organisations, their members and their projects."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import admin_audit, audit
from accounts.audit import Action
from accounts.models import Membership, Organization, Project
from accounts.staff import Kept, ModelAdmin, TabularInline, action, display, moment

STATUS = {"active": "success", "suspended": "danger", "closed": "danger"}
DONE = {
    "suspended": Action.ORGANIZATION_SUSPENDED,
    "no longer suspended": Action.ORGANIZATION_RESUMED,
    "open again": Action.ORGANIZATION_REOPENED,
}


class MembershipInline(TabularInline[Membership, Organization]):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)
    readonly_fields = ("joined_at",)


@admin.register(Organization)
class OrganizationAdmin(Kept, ModelAdmin[Organization]):
    list_display = ("name", "slug", "status", "member_count", "key_count", "sandbox_enabled", "created")
    list_filter = (
        ("suspended_at", admin.EmptyFieldListFilter),
        ("closed_at", admin.EmptyFieldListFilter),
        "sandbox_enabled",
        "retired_models",
    )
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("suspended_at", "closed_at", "created_at")
    inlines = (MembershipInline,)
    actions = ("suspend", "resume", "reopen")
    fieldsets = (
        (None, {"fields": ("name", "slug")}),
        ("Models", {"fields": ("sandbox_enabled", "retired_models")}),
        ("State", {"fields": ("suspended_at", "closed_at", "created_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        members = Count("memberships", distinct=True)
        active = Count("api_keys", filter=Q(api_keys__revoked_at=None), distinct=True)
        return super().get_queryset(request).annotate(member_count=members, key_count=active)

    @display(description="Status", label=STATUS)
    def status(self, organization: Organization) -> str:
        if organization.closed_at:
            return "closed"
        return "suspended" if organization.suspended_at else "active"

    @display(description="Members", ordering="member_count")
    def member_count(self, organization: Organization) -> int:
        return int(getattr(organization, "member_count", 0))

    @display(description="Keys", ordering="key_count")
    def key_count(self, organization: Organization) -> int:
        """Keys that are not revoked."""
        return int(getattr(organization, "key_count", 0))

    @display(description="Created", ordering="created_at")
    def created(self, organization: Organization) -> SafeString | None:
        return moment(organization.created_at)

    def save_model(
        self, request: HttpRequest, obj: Organization, form: forms.ModelForm[Organization], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        actions = (Action.ORGANIZATION_CREATED, Action.ORGANIZATION_CHANGED)
        admin_audit.saved(request, obj, obj, form, actions, change=change)

    def save_formset(
        self, request: HttpRequest, form: forms.ModelForm[Organization], formset: Any, change: bool
    ) -> None:
        admin_audit.end_memberships(request, [gone.instance for gone in formset.deleted_forms if gone.instance.pk])
        super().save_formset(request, form, formset, change)
        for one in formset.forms:
            if one.has_changed() and one not in formset.deleted_forms:
                was_there = one.instance not in formset.new_objects
                actions = (Action.MEMBER_ADDED, Action.MEMBER_CHANGED)
                admin_audit.saved(request, form.instance, one.instance, one, actions, change=was_there)

    @action(description="Suspend: every call is refused within 5 seconds", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        self._mark(request, queryset.filter(suspended_at=None), {"suspended_at": timezone.now()}, "suspended")

    @action(description="Lift the suspension", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        self._mark(request, queryset.exclude(suspended_at=None), {"suspended_at": None}, "no longer suspended")

    @action(description="Reopen: members see it again, its keys stay revoked", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        self._mark(request, queryset.exclude(closed_at=None), {"closed_at": None}, "open again")

    def _mark(
        self, request: HttpRequest, queryset: QuerySet[Organization], columns: dict[str, datetime | None], done: str
    ) -> None:
        found = list(queryset)
        for organization in found:
            with transaction.atomic():
                Organization.objects.filter(pk=organization.pk).update(**columns)
                self.log_change(request, organization, done.capitalize() + ".")
                audit.record(audit.operator(request), organization, DONE[done])
        names = ", ".join(organization.name for organization in found)
        messages.success(request, f"{names}: {done}." if found else "Nothing to do.")


@admin.register(Membership)
class MembershipAdmin(ModelAdmin[Membership]):
    list_display = ("user", "organization", "role", "joined_at")
    list_filter = ("role",)
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "user__name", "organization__name", "organization__slug")
    autocomplete_fields = ("user", "organization")
    readonly_fields = ("joined_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "organization", "joined_at") if obj else ("joined_at",)

    def save_model(
        self, request: HttpRequest, obj: Membership, form: forms.ModelForm[Membership], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        actions = (Action.MEMBER_ADDED, Action.MEMBER_CHANGED)
        admin_audit.saved(request, obj.organization, obj, form, actions, change=change)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        with transaction.atomic():
            admin_audit.end_memberships(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        with transaction.atomic():
            admin_audit.end_memberships(request, queryset.order_by("organization", "pk"))


@admin.register(Project)
class ProjectAdmin(Kept, ModelAdmin[Project]):
    """Parts of an organisation. Keys, budgets and usage belong to one; its id is what a budget names."""

    list_display = ("name", "id", "organization", "keys", "created")
    list_select_related = ("organization",)
    search_fields = ("name", "slug", "organization__name", "organization__slug")
    autocomplete_fields = ("organization",)
    fields = ("organization", "name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).annotate(key_count=Count("api_keys"))

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        return ("organization", "slug") if obj else ()

    def save_model(self, request: HttpRequest, obj: Project, form: forms.ModelForm[Project], change: bool) -> None:
        super().save_model(request, obj, form, change)
        actions = (Action.PROJECT_CREATED, Action.PROJECT_CHANGED)
        admin_audit.saved(request, obj.organization, obj, form, actions, change=change)

    @display(description="Keys")
    def keys(self, project: Project) -> str:
        return str(getattr(project, "key_count", 0))

    @display(description="Created", ordering="created_at")
    def created(self, project: Project) -> SafeString | None:
        return moment(project.created_at)
