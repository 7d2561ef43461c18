"""What the audits found, and the blocks and statements that let others check the ledger."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Organization, OrganizationOwned
from billing import money


class AuditRunQuerySet(OrganizationOwned):
    def covering(self, organization: Organization | None) -> Self:
        """The runs that looked at everybody; with an organisation, also those that looked at it alone."""
        mine = Q(organization=None) if organization is None else Q(organization=None) | Q(organization=organization)
        return self.filter(mine)

    def newest(self, organization: Organization | None = None) -> AuditRun | None:
        """The last audit of everybody, or the last that looked at this organisation."""
        found: AuditRun | None = self.covering(organization).order_by("-id").first()
        return found


class AuditRun(models.Model):
    """One audit, of one snapshot of the ledger."""

    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, related_name="+", help_text="Empty when everybody was audited."
    )
    full = models.BooleanField(help_text="Whether it looked at everything, or at the last hours.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Now())
    checks = models.PositiveIntegerField()
    differences = models.PositiveIntegerField()
    violations = models.JSONField(default=list, help_text="The first hundred: check, organization_id, detail.")
    organizations = ArrayField(
        models.BigIntegerField(), default=list, help_text="The ids of every organisation that a difference names."
    )

    objects = AuditRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.verdict}"

    @property
    def verdict(self) -> str:
        return "balanced" if self.differences == 0 else "differences"

    def is_clean_for(self, organization: Organization) -> bool:
        return organization.pk not in self.organizations

    def violations_of(self, organization: Organization) -> list[dict[str, Any]]:
        return [found for found in self.violations if found["organization_id"] == organization.pk]


class Block(models.Model):
    """An hour of one organisation's entries under one hash, chained to the hour before it. Never changed."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    number = models.PositiveIntegerField(help_text="From 1 on, without gaps.")
    starts_at = models.DateTimeField(help_text="The hour.")
    entries = models.PositiveIntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    closing_nano = models.BigIntegerField(help_text="The balance after its last entry.")
    root = models.CharField(max_length=64, help_text="The Merkle root of its entries.")
    previous_hash = models.CharField(max_length=64, help_text="The hash of the block before it; zeros for the first.")
    hash = models.CharField(max_length=64, help_text="Over all of the above.")

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("organization", "number", name="block_number_unique")]
        indexes = [models.Index(fields=["starts_at"], name="block_by_hour")]  # the blocks that a quick audit looks at

    def __str__(self) -> str:
        return f"{self.organization}, block {self.number}: ${money.dollars(self.closing_nano)}"


class Statement(models.Model):
    """An organisation's month, signed. Never changed: what was told stays told."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="statements", db_index=False)
    month = models.DateField(help_text="Its first day.")
    document = models.TextField(help_text="Canonical JSON, exactly as it was signed.")
    signature = models.TextField(help_text="Ed25519, in base64.")
    key_id = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-month", "organization"]
        constraints = [models.UniqueConstraint("organization", "month", name="statement_once_a_month")]

    def __str__(self) -> str:
        return f"{self.organization}, {self.month:%Y-%m}"
