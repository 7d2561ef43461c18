"""How an organisation begins, how it changes, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from accounts import audit, key_life
from accounts.audit import Action, Actor
from accounts.models import ApiKey, Invitation, Membership, Organization, Project, SecretUse, User
from accounts.roles import May, may

FIRST_PAGE, START_PAGE = "billing:overview", "gateway:start"
NEW = timedelta(days=1)  # how long somebody who has no organisation yet counts as having just signed up
SLUG = 60
TRIES = 100
# Words that would read as something else in an address.
RESERVED = frozenset({"new", "admin", "api", "v1", "docs", "models", "status", "design"})


class SettingsError(Exception):
    """It was not changed. Says why, in words for whoever wanted it."""


def found(name: str, owner: User, who: HttpRequest | Actor = audit.SYSTEM) -> Organization:
    """A new organisation of that name, with its owner and its first project. Names may be alike; slugs never are."""
    base = slugify(name)[: SLUG - 4] or "organisation"
    for number in range(1, TRIES):
        slug = base if number == 1 else f"{base}-{number}"
        if slug in RESERVED or Organization.objects.filter(slug=slug).exists():
            continue
        try:
            return _make(name, slug, owner, who)
        except IntegrityError:  # somebody was quicker
            continue
    raise RuntimeError(f"there are {TRIES} organisations called {base}")


@transaction.atomic
def _make(name: str, slug: str, owner: User, who: HttpRequest | Actor) -> Organization:
    organization = Organization.objects.create(name=name, slug=slug)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    Project.objects.default_of(organization)
    audit.record(who, organization, Action.ORGANIZATION_CREATED, owner=str(owner))
    return organization


@transaction.atomic
def found_first(request: HttpRequest, user: User) -> Organization | None:
    """One for somebody who has just signed up: a name to begin with, which they can change. None for others, who may
    have left the one they were in. Of two at once, one is made."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    made = Organization.objects.visible_to(locked).first()
    if made is not None:
        return made
    if timezone.now() - locked.joined_at > NEW or Membership.objects.filter(user=locked).exists():  # in one that closed
        return None
    return found(first_name(locked), locked, request)


def first_name(user: User) -> str:
    """Such as `Ada's organisation`."""
    name = " ".join((user.name or user.email.partition("@")[0]).split())
    return f"{name[:80]}'s organisation"


def leads_to_start(membership: Membership) -> bool:
    """Whether they are shown how to begin: they can, have not, and nobody of theirs has either."""
    if membership.started_at is not None or not may(membership, May.MAKE_KEYS):
        return False
    return not SecretUse.objects.filter(secret__api_key__organization=membership.organization_id).exists()


def note_started(membership: Membership) -> None:
    """They need no help with the beginning any more."""
    if membership.started_at is None:
        membership.started_at = timezone.now()
        Membership.objects.filter(pk=membership.pk, started_at=None).update(started_at=membership.started_at)


def home_of(user: User, remembered: str = "") -> Organization | None:
    """The organisation to show first: the one looked at last, else the first by name."""
    mine = Organization.objects.visible_to(user)
    return mine.filter(slug=remembered).first() or mine.first()


@transaction.atomic
def change(request: HttpRequest, organization: Organization, values: dict[str, Any]) -> bool:
    """Set columns of it. Returns whether anything differs from what it was. Raises `SettingsError`."""
    locked = Organization.objects.locked(organization.pk)
    project = values.get("default_project")
    if project and not Project.objects.of(locked).unarchived().filter(pk=project.pk).exists():
        raise SettingsError(f"{project} was archived. Choose another project.")
    before = {name: getattr(locked, name) for name in values}
    differing = audit.changes(_told(before), _told(values))
    if differing:
        for name, value in values.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(values))
        audit.record(request, locked, Action.ORGANIZATION_CHANGED, locked, **differing)
    return bool(differing)


@transaction.atomic
def store_prompts(request: HttpRequest, organization: Organization, days: int | None) -> bool:
    """Keep prompts and answers for so many days, or not at all. Returns whether that differs from what it was.

    Whoever stores one asks for this under the lock that is taken here: once it is turned off, nothing is added.
    """
    locked = Organization.objects.locked(organization.pk)
    before, locked.prompt_retention_days = locked.prompt_retention_days, days
    if before == days:
        return False
    locked.save(update_fields=["prompt_retention_days"])
    audit.record(request, locked, Action.PROMPTS_CHANGED, locked, days=audit.Change(before, days))
    return True


@transaction.atomic
def close(request: HttpRequest, organization: Organization) -> None:
    """No page opens, no key works and no invitation is open any more. Its rows stay, and so does its ledger."""
    locked = Organization.objects.locked(organization.pk)
    ended = list(ApiKey.objects.of(locked).filter(revoked_at=None))
    locked.closed_at = timezone.now()
    locked.save(update_fields=["closed_at"])
    Invitation.objects.of(locked).waiting().update(revoked_at=locked.closed_at)
    audit.record(request, locked, Action.ORGANIZATION_CLOSED, keys_revoked=[key.hint for key in ended])
    key_life.revoke(audit.person(request), [key.pk for key in ended], reason="the organisation was closed")


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """As the audit log has it: rows by name, choices in words."""
    words = {"retired_models": lambda value: Organization.RetiredModels(value).label}
    return {
        name: words[name](value) if name in words else str(value) if isinstance(value, Project) else value
        for name, value in values.items()
    }
