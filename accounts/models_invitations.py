"""Invitations: a place in an organisation that waits for whoever owns an e-mail address."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Membership, Organization, OrganizationOwned, User

LIFE = timedelta(days=7)


def new_token() -> tuple[str, bytes]:
    """What stands in the mail, and what is stored of it."""
    token = secrets.token_urlsafe(32)
    return token, digest_of(token)


def digest_of(token: str) -> bytes:
    """A fast digest: 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


class InvitationQuerySet(OrganizationOwned):  # type: ignore[override] # the manager is made of it as of any other
    def waiting(self) -> Self:
        """Neither accepted nor revoked; some may have expired, and can be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)

    def to(self, email: str) -> Self:
        """Those for this address, however it is capitalised."""
        return self.annotate(address=Lower("email")).filter(address=email.lower())

    def with_token(self, token: str) -> Invitation | None:
        found: Invitation | None = self.filter(digest=digest_of(token)).select_related("organization").first()
        return found


class Invitation(models.Model):
    """Bound to the address, good once, for seven days. Of its token only a digest is stored."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Membership.Role.choices, default=Membership.Role.DEVELOPER)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_waits_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.get_role_display().lower()}"

    @property
    def audit_label(self) -> str:
        return self.email

    @property
    def status(self) -> str:
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "open"

    def is_for(self, user: User) -> bool:
        return self.email.lower() == user.email.lower()
