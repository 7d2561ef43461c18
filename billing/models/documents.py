"""What accountants print and keep: receipts, credit notes and the invoices of months, numbered without a gap."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import OrganizationOwned


class DocumentSeries(models.Model):
    """The last number that was given, of a kind. Its row is locked until the document is there: no number is lost."""

    kind = models.CharField(max_length=10, primary_key=True)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind} {self.last}"


class Document(models.Model):
    """One document, as it was issued. Never changed: a wrong one is followed by a credit note."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt", "Receipt"
        CREDIT_NOTE = "credit", "Credit note"
        INVOICE = "invoice", "Invoice"

    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.BigIntegerField()
    ref = models.CharField(max_length=120, help_text="What it is about: issued once for it.")
    payment = models.ForeignKey("billing.Payment", models.PROTECT, null=True, related_name="documents")
    month = models.DateField(null=True)
    total_nano = models.BigIntegerField()
    contents = models.JSONField()
    issued_at = models.DateTimeField(db_default=Now())

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["organization", "-id"], name="document_list")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "number"], name="document_number_unique"),
            models.UniqueConstraint(fields=["organization", "kind", "ref"], name="document_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="document_number"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Its number as it is printed: `R-000042`."""
        return f"{self.kind[0].upper()}-{self.number:06d}"
