"""Inviting people by e-mail, and what becomes of it."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts import audit, letters
from accounts.audit import Action
from accounts.members import MembershipError
from accounts.models import Invitation, Membership, Organization, User
from accounts.models_invitations import LIFE, new_token
from accounts.roles import Role

log = logging.getLogger(__name__)

PER_ORGANIZATION = "50/h"  # mail to strangers, which we send under our own name
LETTER = """\
{inviter} invites you to {organization} on 2389, as {role}.

Accept the invitation here, by {until} UTC:

{link}

It is for {email} alone: sign in with this address, or sign up with it. If you did not expect it, do nothing, and
nothing happens.
"""


def waiting(organization: Organization) -> QuerySet[Invitation]:
    """Also those that expired: they can be sent again."""
    found: QuerySet[Invitation] = Invitation.objects.of(organization).waiting().select_related("invited_by")
    return found


@transaction.atomic
def invite(request: HttpRequest, organization: Organization, email: str, role: Role) -> tuple[Invitation, str]:
    """A new invitation and its token, which is not kept. Raises `MembershipError`."""
    locked = Organization.objects.locked(organization.pk)
    if Membership.objects.of(locked).filter(user__in=User.objects.at(email)).exists():
        raise MembershipError(f"{email} is a member already.")
    if Invitation.objects.of(locked).waiting().to(email).exists():
        raise MembershipError(f"{email} is invited already. Send that invitation again, or revoke it first.")
    token, digest = new_token()
    invitation = Invitation.objects.create(
        organization=locked,
        email=email,
        role=role,
        digest=digest,
        invited_by=cast("User", request.user),
        expires_at=timezone.now() + LIFE,
    )
    audit.record(request, locked, Action.MEMBER_INVITED, invitation, role=role.value)
    return invitation, token


@transaction.atomic
def renew(request: HttpRequest, invitation: Invitation) -> str:
    """For another seven days and with another token, so that the earlier mail is worth nothing."""
    token, invitation.digest = new_token()
    invitation.expires_at = timezone.now() + LIFE
    invitation.save(update_fields=["digest", "expires_at"])
    audit.record(request, invitation.organization, Action.INVITATION_RESENT, invitation)
    return token


@transaction.atomic
def revoke(request: HttpRequest, invitation: Invitation) -> None:
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    audit.record(request, invitation.organization, Action.INVITATION_REVOKED, invitation)


@transaction.atomic
def accept(request: HttpRequest, token: str) -> Membership:
    """The place of whoever is signed in. Raises `MembershipError` when the invitation is not for them, or not any more.

    Of two acceptances at once, the second finds the first one's membership.
    """
    user = cast("User", request.user)
    found = Invitation.objects.with_token(token)
    if found is None:
        raise MembershipError("There is no such invitation.")
    organization = Organization.objects.locked(found.organization_id)
    invitation = Invitation.objects.get(pk=found.pk)
    if invitation.status != "open" or organization.closed_at or not invitation.is_for(user):
        raise MembershipError("This invitation is not open for you.")
    membership, joined = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": invitation.role}
    )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    if joined:
        audit.record(request, organization, Action.MEMBER_JOINED, membership, role=membership.role)
    return membership


def are_too_many(request: HttpRequest, organization: Organization) -> bool:
    """Count one mail. Also true while nobody can count them, which is logged."""
    try:
        usage = get_usage(
            request, group="invite:", key=lambda _group, _request: str(organization.pk), rate=PER_ORGANIZATION,
            increment=True,
        )  # fmt: skip
    except (RedisError, OSError):
        usage = None
    if usage is None or usage["time_left"] < 0:
        log.error("nobody can be invited: Valkey does not answer, so invitations cannot be counted")
        return True
    return bool(usage["should_limit"])


def send(invitation: Invitation, token: str, inviter: User) -> bool:
    """Call it after the transaction. Returns whether the mail server took it."""
    name = " ".join(str(inviter.name or inviter.email).split())
    organization = " ".join(invitation.organization.name.split())
    text = LETTER.format(
        inviter=f"{name} ({inviter.email})" if inviter.name else name,
        organization=organization,
        role=invitation.get_role_display().lower(),
        until=f"{invitation.expires_at:%-d %B %Y, %H:%M}",
        link=f"{settings.PUBLIC_URL}{reverse('accounts:invitation', args=[token])}",
        email=invitation.email,
    )
    try:
        letters.send(f"{name} invites you to {organization}", text, [invitation.email])
    except (SMTPException, OSError) as error:
        log.error("an invitation was not sent: %s: %s", type(error).__name__, error)
        return False
    return True
