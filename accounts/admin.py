"""Staff's pages for people, their organisations and their keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import admin_audit, audit, email_addresses, key_life, second_factors
from accounts.admin_mail import KeptMailAdmin as KeptMailAdmin
from accounts.audit import Action
from accounts.models import ApiKey, Membership, Organization, Project, User
from accounts.staff import Kept, ModelAdmin, TabularInline, action, display, moment, unbroken

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
    from django.contrib.auth.forms import UserChangeForm as BaseUserChangeForm

    _UserAdmin = BaseUserAdmin[User]
    _GroupAdmin = BaseGroupAdmin
    _CreationForm = AdminUserCreationForm[User]
    _ChangeForm = BaseUserChangeForm[User]
else:
    from unfold.forms import AdminPasswordChangeForm
    from unfold.forms import UserChangeForm as _ChangeForm
    from unfold.forms import UserCreationForm as _CreationForm

    class _UserAdmin(BaseUserAdmin, ModelAdmin): ...

    class _GroupAdmin(BaseGroupAdmin, ModelAdmin): ...


STATUS = {"active": "success", "expired": "warning"}
STATUS |= dict.fromkeys(("revoked", "stopped", "suspended", "closed"), "danger")
DONE = {
    "suspended": Action.ORGANIZATION_SUSPENDED,
    "no longer suspended": Action.ORGANIZATION_RESUMED,
    "open again": Action.ORGANIZATION_REOPENED,
}
_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


admin.site.unregister(Group)
for hidden in (EmailAddress, Authenticator, UserSession, SocialApp, SocialAccount, SocialToken):
    admin.site.unregister(hidden)  # people see to these themselves; staff take away what is lost, and no more


@admin.register(Group)
class GroupAdmin(_GroupAdmin):
    """What staff who are not superusers may do."""


class _AddressOnce:
    """Says of an address that is taken what the column would say, however it is capitalised."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        email: str = User.objects.normalize_email(self.cleaned_data["email"])
        if User.objects.at(email).exclude(pk=self.instance.pk).exists():
            raise ValidationError("Somebody signs in with this address already.")
        return email


class UserCreationForm(_AddressOnce, _CreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class UserChangeForm(_AddressOnce, _ChangeForm):
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(Kept, _UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "organizations", "is_active", "is_staff", "signed_in", "joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    readonly_fields = ("last_login", "joined_at")
    filter_horizontal = ("groups", "user_permissions")
    actions = ("take_second_factors",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "is_active")}),
        ("Rights in this admin", {"fields": _RIGHTS}),
        ("Dates", {"fields": ("last_login", "joined_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__organization")

    @display(description="Organisations")
    def organizations(self, user: User) -> str:
        return ", ".join(membership.organization.name for membership in user.memberships.all())

    @display(description="Last sign-in", ordering="last_login", empty_value="never")
    def signed_in(self, user: User) -> SafeString | None:
        return moment(user.last_login)

    @display(description="Joined", ordering="joined_at")
    def joined(self, user: User) -> SafeString | None:
        return moment(user.joined_at)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody but a superuser changes a superuser, not even the password."""
        mighty = isinstance(request.user, User) and request.user.is_superuser
        return super().has_change_permission(request, obj) and (mighty or obj is None or not obj.is_superuser)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:
        """Nobody needs to verify an address that staff wrote down."""
        super().save_model(request, obj, form, change)
        if not change or "email" in form.changed_data:
            email_addresses.vouch_for(obj)

    @action(description="Take away second factors, passkeys and recovery codes", permissions=["change"])
    def take_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For somebody who lost them, once staff know that it is them: their password alone lets them in again."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                messages.error(request, f"{user}: only a superuser may do this.")
            elif second_factors.take_away(user):
                self.log_change(request, user, "Took away the second factors.")
                messages.success(request, f"{user} signs in without a second factor now.")
            else:
                messages.info(request, f"{user} has no second factor.")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody but a superuser hands out rights."""
        fields = tuple(str(name) for name in super().get_readonly_fields(request, obj))
        return fields if isinstance(request.user, User) and request.user.is_superuser else (*fields, *_RIGHTS)


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


class ApiKeyForm(forms.ModelForm[ApiKey]):
    class Meta:
        model = ApiKey
        fields = ("organization", "name", "owner", "requests_per_minute", "expires_at")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        organization = cleaned.get("organization") or (self.instance.organization if self.instance.pk else None)
        owner = cleaned.get("owner")
        if owner and organization and not Membership.objects.of(organization).filter(user=owner).exists():
            self.add_error("owner", f"{owner} is not a member of {organization}. Add the membership first.")
        if organization and organization.closed_at:
            self.add_error(None, f"{organization} is closed: no keys can be made in it. Reopen it first.")
        return cleaned


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


@admin.register(ApiKey)
class ApiKeyAdmin(Kept, ModelAdmin[ApiKey]):
    """Issues, limits and revokes keys. The secret is shown once, after issuing; the digest never."""

    form = ApiKeyForm
    list_display = ("name", "shown", "organization", "owner", "state", "limit", "last_used", "created")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("organization", "owner")
    search_fields = ("name", "organization__name", "organization__slug", "owner__email", "=hint_last4")
    autocomplete_fields = ("organization", "owner")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return ApiKey.objects.with_standing().order_by("-created_at")

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        settings = (None, {"fields": ("organization", "name", "owner", "requests_per_minute", "expires_at")})
        if obj is None:
            return (settings,)
        return (settings, ("State", {"fields": ("shown", "state", "last_used", "created_at", "revoked_at")}))

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
            name=obj.name,
            owner=obj.owner,
            requests_per_minute=obj.requests_per_minute,
            expires_at=obj.expires_at,
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
