"""The life of a key: made, changed, rotated, revoked. Each is written down in the audit log, and heard by every worker.

Whoever changes a key locks it first, so that of two people at once one sees what the other has done.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import ApiKey, Organization

OVERLAPS = {  # how long the earlier secret works on, in hours
    0: "It stops at once",
    1: "It works for another hour",
    24: "It works for another 24 hours",
    7 * 24: "It works for another 7 days",
}
TOLD = (  # what the audit log says of a key
    "name", "project", "owner", "service_account", "scopes", "models_allowed", "address_ranges", "requests_per_minute",
    "tokens_per_minute", "parallel_streams", "expires_at", "note",
)  # fmt: skip


class KeyChangedError(Exception):
    """Somebody was quicker, and it is not done. Says what has happened to `key`, in words for whoever wanted it."""

    def __init__(self, message: str, key: ApiKey) -> None:
        super().__init__(message)
        self.key = key


@transaction.atomic
def create(
    who: HttpRequest | Actor, organization: Organization, *, form: uuid.UUID, **columns: Any
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is told this once. Raises `NotIssuedError`, and `KeyChangedError` when the form
    made a key before: a page that is sent again does not make another."""
    Organization.objects.locked(organization.pk)
    made: ApiKey | None = ApiKey.objects.of(organization).filter(form=form).first()
    if made is not None:
        raise KeyChangedError(f"This form has made the key {made} already. Its secret was shown then, once.", made)
    key, secret = ApiKey.objects.issue(organization=organization, form=form, **columns)
    audit.record(who, organization, Action.KEY_CREATED, key, **{name: value for name, value in told(key) if value})
    return key, secret


@transaction.atomic
def change(who: HttpRequest | Actor, key: ApiKey, **columns: Any) -> ApiKey:
    """The key with other values in these columns. Raises `KeyChangedError` for one that was revoked meanwhile."""
    locked = ApiKey.objects.locked(key.pk)
    _check_usable(locked)
    before = dict(told(locked))
    for name, value in columns.items():
        setattr(locked, name, value)
    changed = audit.changes(before, dict(told(locked)))
    if changed:
        locked.save(update_fields=list(columns))
        locked.announce()
        audit.record(who, locked.organization, Action.KEY_CHANGED, locked, **changed)
    return locked


@transaction.atomic
def rotate(who: HttpRequest | Actor, key: ApiKey, *, seen: int, hours: int) -> tuple[ApiKey, str]:
    """The key and a new secret of it; those that it has work for some hours more, or end earlier where they do.

    `seen` is the newest secret that whoever wants this knew of. Raises `KeyChangedError` when there is a newer one: of
    two rotations at once only one is done, and nobody holds a secret that the other has ended unknowingly.
    """
    locked = ApiKey.objects.locked(key.pk)
    _check_usable(locked)
    newest = locked.secrets.first()
    if newest is None or newest.pk != seen:
        raise KeyChangedError("This key was rotated a moment ago. Look who did it, before you rotate it again.", locked)
    ends_at = timezone.now() + timedelta(hours=hours)
    locked.secrets.filter(Q(ends_at=None) | Q(ends_at__gt=ends_at)).update(ends_at=ends_at)
    text = locked.add_secret()
    locked.announce()
    audit.record(
        who, locked.organization, Action.KEY_ROTATED, locked, earlier_secret=newest.hint, earlier_secret_ends=ends_at
    )
    return locked, text


@transaction.atomic
def end_secret(who: HttpRequest | Actor, key: ApiKey, secret: int, **details: Any) -> None:
    """An earlier secret ends now and not when its time has come. Raises `KeyChangedError` for the newest one."""
    locked = ApiKey.objects.locked(key.pk)
    _check_usable(locked)
    newest, *earlier = locked.secrets.all()
    found = next((one for one in earlier if one.pk == secret), None)
    if found is None:
        raise KeyChangedError(
            f"The secret {newest} is the only one that would be left. Rotate the key, or revoke it.", locked
        )
    if found.works:
        found.ends_at = timezone.now()
        found.save(update_fields=["ends_at"])
        locked.announce()
        audit.record(who, locked.organization, Action.KEY_CHANGED, locked, ended_secret=found.hint, **details)


@transaction.atomic
def revoke(
    who: HttpRequest | Actor, keys: Iterable[int], action: Action = Action.KEY_REVOKED, **details: Any
) -> list[ApiKey]:
    """End these keys, by their numbers, for good. The answer is those that had not been revoked before."""
    revoked = []
    for pk in sorted(set(keys)):  # in one order, so that two of these at once do not wait for each other
        locked = ApiKey.objects.locked(pk)
        was_revoked = locked.revoked_at is not None
        locked.revoke()
        if not was_revoked:
            audit.record(who, locked.organization, action, locked, **details)
            revoked.append(locked)
    return revoked


def told(key: ApiKey) -> Iterable[tuple[str, Any]]:
    """What there is to say of a key in the audit log."""
    for name in TOLD:
        value = getattr(key, name)
        yield name, str(value) if name in {"project", "owner"} and value is not None else value


def _check_usable(key: ApiKey) -> None:
    if key.revoked_at is not None:
        raise KeyChangedError(f"This key was revoked on {key.revoked_at:%-d %B %Y at %H:%M} UTC: it is over.", key)
