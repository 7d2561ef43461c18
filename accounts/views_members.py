"""The members of an organisation: who is there, who is invited, and who may do what."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import invitations, roles
from accounts import members as membership_rules
from accounts.members import MembershipError
from accounts.models import Invitation, Membership, User
from accounts.roles import ABOUT, May, MemberRequest, Role, may, member_page

page_with_form = require_http_methods(["GET", "HEAD", "POST"])


class RoleForm(forms.Form):
    """The roles that whoever looks may give."""

    role = forms.ChoiceField(label="Role", widget=forms.RadioSelect)

    def __init__(self, *args: Any, giver: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = [role for role in Role if role != Role.OWNER or may(giver, May.MANAGE_OWNERS)]
        cast("forms.ChoiceField", self.fields["role"]).choices = [
            (role.value, f"{role.label}: {ABOUT[role][0].lower()}{ABOUT[role][1:]}") for role in given
        ]

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InviteForm(RoleForm):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True, "spellcheck": "false"}),
        help_text="The invitation is for this address alone. It is good once, for seven days.",
        error_messages={
            "required": "Enter the address to invite.",
            "invalid": "This is not an e-mail address. It looks like name@example.com.",
        },
    )
    field_order = ("email", "role")

    def clean_email(self) -> str:
        return User.objects.normalize_email(self.cleaned_data["email"])


@require_safe
@member_page(May.LOOK)
def members(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    manages = may(request.membership, May.MANAGE_MEMBERS)
    page = {
        "members": membership_rules.listed(organization),
        "invitations": invitations.waiting(organization) if manages else [],
        "manages": manages,
        "roles": [(role.label, ABOUT[role]) for role in Role],
        "matrix": roles.matrix(),
    }
    return render(request, "accounts/members.html", page)


@page_with_form
@member_page(May.MANAGE_MEMBERS)
def invite(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    form = InviteForm(request.POST or None, giver=request.membership, initial={"role": Role.DEVELOPER.value})
    if form.is_valid():
        if invitations.are_too_many(request, organization):
            form.add_error(None, "Too many invitations were sent within an hour. Try again later.")
        else:
            try:
                made, token = invitations.invite(
                    request, organization, form.cleaned_data["email"], form.cleaned_data["role"]
                )
            except MembershipError as error:
                form.add_error("email", str(error))
            else:
                _send(request, made, token)
                return redirect("accounts:members", organization.slug)
    return render(request, "accounts/members_invite.html", {"form": form})


@require_POST
@member_page(May.MANAGE_MEMBERS)
def resend(request: MemberRequest, invitation: int) -> HttpResponse:
    found = _waiting(request, invitation)
    if invitations.are_too_many(request, found.organization):
        messages.error(request, "Too many invitations were sent within an hour. Try again later.")
    else:
        _send(request, found, invitations.renew(request, found))
    return redirect("accounts:members", found.organization.slug)


@require_POST
@member_page(May.MANAGE_MEMBERS)
def revoke(request: MemberRequest, invitation: int) -> HttpResponse:
    found = _waiting(request, invitation)
    invitations.revoke(request, found)
    messages.success(request, f"The invitation to {found.email} is revoked. The link in the mail is worth nothing now.")
    return redirect("accounts:members", found.organization.slug)


@page_with_form
@member_page(May.MANAGE_MEMBERS)
def member(request: MemberRequest, membership: int) -> HttpResponse:
    found = _member(request, membership)
    form = RoleForm(request.POST or None, giver=request.membership, initial={"role": found.role})
    if form.is_valid():
        try:
            changed = membership_rules.change_role(request, found.organization, found.pk, form.cleaned_data["role"])
        except MembershipError as error:
            form.add_error("role", str(error))
        else:
            messages.success(request, f"{changed.user} is {changed.get_role_display().lower()} now.")
            return redirect("accounts:members", found.organization.slug)
    page = {
        "form": form,
        "member": found,
        "keys": membership_rules.keys_of(found),
        "is_out_of_reach": found.role == Role.OWNER and not may(request.membership, May.MANAGE_OWNERS),
        "is_self": found == request.membership,
    }
    return render(request, "accounts/members_member.html", page)


@page_with_form
@member_page(May.MANAGE_MEMBERS)
def remove(request: MemberRequest, membership: int) -> HttpResponse:
    found = _member(request, membership)
    problem = ""
    if request.method == "POST":
        try:
            gone = membership_rules.remove(request, found.organization, found.pk)
        except MembershipError as error:
            problem = str(error)
        else:
            messages.success(request, f"{gone.user} is no longer a member. Their keys here are revoked.")
            return redirect("accounts:members", found.organization.slug)
    page = {"member": found, "keys": membership_rules.keys_of(found), "problem": problem}
    return render(request, "accounts/members_remove.html", page)


@page_with_form
@member_page(May.LOOK)
def leave(request: MemberRequest) -> HttpResponse:
    problem = ""
    if request.method == "POST":
        try:
            membership_rules.leave(request, request.membership)
        except MembershipError as error:
            problem = str(error)
        else:
            messages.success(request, f"You left {request.membership.organization}.")
            return redirect("accounts:dashboard")
    page = {"keys": membership_rules.keys_of(request.membership), "problem": problem}
    return render(request, "accounts/members_leave.html", page)


def _member(request: MemberRequest, pk: int) -> Membership:
    of_here = Membership.objects.of(request.membership.organization).select_related("user", "organization")
    found: Membership = get_object_or_404(of_here, pk=pk)
    return found


def _waiting(request: MemberRequest, pk: int) -> Invitation:
    organization = request.membership.organization
    found: Invitation = get_object_or_404(Invitation.objects.of(organization).waiting(), pk=pk)
    return found


def _send(request: HttpRequest, invitation: Invitation, token: str) -> None:
    if invitations.send(invitation, token, cast("User", request.user)):
        messages.success(request, f"The invitation to {invitation.email} is on its way.")
    else:
        messages.error(
            request, f"The mail server did not take the invitation to {invitation.email}. Send it again in a minute."
        )
