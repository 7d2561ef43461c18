"""Staff's pages for people. Those for organisations and keys have files of their own, found through this one."""

from __future__ import annotations

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
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import email_addresses, second_factors, security_log
from accounts.admin_keys import ApiKeyAdmin as ApiKeyAdmin
from accounts.admin_mail import KeptMailAdmin as KeptMailAdmin
from accounts.admin_organizations import OrganizationAdmin as OrganizationAdmin
from accounts.models import User
from accounts.models_security import SecurityChange
from accounts.staff import Kept, ModelAdmin, action, display, moment

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
                security_log.note_operator(request, user, SecurityChange.FACTORS_TAKEN)
                messages.success(request, f"{user} signs in without a second factor now.")
            else:
                messages.info(request, f"{user} has no second factor.")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody but a superuser hands out rights."""
        fields = tuple(str(name) for name in super().get_readonly_fields(request, obj))
        return fields if isinstance(request.user, User) and request.user.is_superuser else (*fields, *_RIGHTS)
