"""What somebody changed about how they sign in, written down for them, and for the owners of where they belong.

For themselves it stands on their account's page; in each organisation it is an event of the audit log, because whoever
answers for an organisation wants to know when one of its people takes a second factor away.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from accounts import audit
from accounts.addresses import client_address
from accounts.audit import Action, Actor
from accounts.models import AuditEvent, Membership, SecurityEvent, User
from accounts.models_security import SecurityChange

SHOWN = 10
AGENT = 200

# The mail that allauth sends of each change, by the beginning of its templates' names.
BY_LETTER = {
    "account/email/password_changed": SecurityChange.PASSWORD_CHANGED,
    "account/email/password_set": SecurityChange.PASSWORD_SET,
    "account/email/password_reset": SecurityChange.PASSWORD_RESET,
    "account/email/email_changed": SecurityChange.EMAIL_CHANGED,
    "account/email/email_deleted": SecurityChange.EMAIL_REMOVED,
    "mfa/email/totp_activated": SecurityChange.APP_ADDED,
    "mfa/email/totp_deactivated": SecurityChange.APP_REMOVED,
    "mfa/email/webauthn_added": SecurityChange.PASSKEY_ADDED,
    "mfa/email/webauthn_removed": SecurityChange.PASSKEY_REMOVED,
    "mfa/email/recovery_codes_generated": SecurityChange.CODES_MADE,
    "socialaccount/email/account_connected": SecurityChange.ACCOUNT_CONNECTED,
    "socialaccount/email/account_disconnected": SecurityChange.ACCOUNT_DISCONNECTED,
}


@transaction.atomic
def note(request: HttpRequest, user: User, change: SecurityChange) -> None:
    """The person did it themselves, signed in or with a code from their mail."""
    address, agent = client_address(request), request.headers.get("User-Agent", "")[:AGENT]
    SecurityEvent.objects.create(user=user, change=change, address=address, user_agent=agent)
    _tell(Actor(AuditEvent.Actor.PERSON, user, str(user), address, agent), user, change)


@transaction.atomic
def note_operator(request: HttpRequest, user: User, change: SecurityChange) -> None:
    """Staff did it in the admin: who and from where is not for others to know."""
    SecurityEvent.objects.create(user=user, change=change)
    _tell(audit.operator(request), user, change)


def newest(user: User) -> list[SecurityEvent]:
    return list(SecurityEvent.objects.filter(user=user)[:SHOWN])


def _tell(who: Actor, user: User, change: SecurityChange) -> None:
    places = Membership.objects.filter(user=user, organization__closed_at=None).select_related("organization", "user")
    for membership in places.order_by("organization"):
        audit.record(who, membership.organization, Action.MEMBER_SIGN_IN, membership, change=change.label)
