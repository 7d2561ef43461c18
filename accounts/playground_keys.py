"""The keys of the playground: the page has one while it is used, so that it calls as any program does.

A member has one such key for each project, made at the first use, so that its usage and cost stay together; a key that
was used cannot be deleted, and one for each visit would heap up. What changes is its secret: each page gets its own,
which works for half an hour, and no longer than the sign-in of the page. It ends with the membership, with a role that
may not try models, with signing out, there or everywhere, and with a new password. The data plane looks at all of that
itself, so nothing needs to be told when they happen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from accounts.models import ApiKey, ApiKeySecret, Organization, Project, Scope, SecretSignIn, User

LIFE = timedelta(minutes=30)
KEPT = timedelta(days=1)  # for how long an ended secret can still be told from one that never was
NAME = 120


@dataclass(frozen=True, slots=True)
class Minted:
    """A secret for one page. It is told this once."""

    key: ApiKey
    text: str
    ends_at: datetime


@transaction.atomic
def mint(request: HttpRequest, organization: Organization) -> Minted:
    """A new secret for whoever asks, who is a member that may try models. Raises `NotIssuedError` when they are not a
    member any more."""
    person, now = cast("User", request.user), timezone.now()
    key = _key_of(request, organization, person)
    secret, text = ApiKeySecret.objects.make(key)
    secret.ends_at = now + LIFE
    secret.save(update_fields=["ends_at"])
    SecretSignIn.objects.create(
        secret=secret,
        session_key=request.session.session_key or "",
        password_digest=hashlib.sha256(person.password.encode()).digest(),
    )
    key.hint_first4, key.hint_last4, key.expires_at = secret.hint_first4, secret.hint_last4, secret.ends_at
    key.save(update_fields=["hint_first4", "hint_last4", "expires_at"])
    return Minted(key, text, secret.ends_at)


def forget_ended() -> int:
    """Delete the secrets that ended a while ago, and say how many. The keys stay: usage and the ledger name them."""
    ended = ApiKeySecret.objects.filter(api_key__playground=True, ends_at__lt=timezone.now() - KEPT)
    return ended.delete()[1].get("accounts.ApiKeySecret", 0)


def _key_of(request: HttpRequest, organization: Organization, person: User) -> ApiKey:
    """The key of the person and of the default project, locked; made when there is none that works."""
    locked = Organization.objects.locked(organization.pk)
    project = Project.objects.default_of(locked)
    mine = ApiKey.objects.of(locked).filter(owner=person, project=project, playground=True, revoked_at=None)
    found: ApiKey | None = mine.select_for_update(no_key=True).first()
    if found is not None:
        return found
    name = f"Playground, {person.name or person.email}"[:NAME]
    key, _ = ApiKey.objects.issue(
        organization=locked, project=project, name=name, owner=person, scopes=[Scope.CHAT.value], playground=True
    )
    key.secrets.all().delete()  # nobody has seen the one that every key is made with
    audit.record(request, locked, Action.KEY_CREATED, key, project=project.name, scopes=key.scopes, playground=True)
    return key
