"""How an organisation begins."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.models import Membership, Organization, Project, User

SLUG = 60
TRIES = 100
# Words that would read as something else in an address.
RESERVED = frozenset({"new", "admin", "api", "v1", "docs", "models", "status", "design"})


def found(name: str, owner: User) -> Organization:
    """A new organisation of that name, with its owner and its first project. Names may be alike; slugs never are."""
    base = slugify(name)[: SLUG - 4] or "organisation"
    for number in range(1, TRIES):
        slug = base if number == 1 else f"{base}-{number}"
        if slug in RESERVED or Organization.objects.filter(slug=slug).exists():
            continue
        try:
            return _make(name, slug, owner)
        except IntegrityError:  # somebody was quicker
            continue
    raise RuntimeError(f"there are {TRIES} organisations called {base}")


@transaction.atomic
def _make(name: str, slug: str, owner: User) -> Organization:
    organization = Organization.objects.create(name=name, slug=slug)
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    Project.objects.default_of(organization)
    return organization


def home_of(user: User, remembered: str = "") -> Organization | None:
    """The organisation to show first: the one looked at last, else the first by name."""
    mine = Organization.objects.visible_to(user)
    return mine.filter(slug=remembered).first() or mine.first()
