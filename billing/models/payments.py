"""Payments by card: what was asked for, what Stripe told of it, and what an organisation agreed to."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import OrganizationOwned
from billing import money


class BillingProfile(models.Model):
    """Who is to stand on an organisation's invoices, its saved card, and when that is charged by itself."""

    organization = models.OneToOneField(
        "accounts.Organization", models.PROTECT, primary_key=True, related_name="billing_profile"
    )
    name = models.CharField(max_length=200, blank=True)
    address = models.TextField(blank=True)
    tax_id = models.CharField(max_length=60, blank=True)
    customer = models.CharField(max_length=80, blank=True, help_text="At Stripe.")
    method = models.CharField(max_length=80, blank=True, help_text="The saved payment method, at Stripe.")
    method_label = models.CharField(max_length=80, blank=True)
    automatic = models.BooleanField(default=False)
    below_nano = models.BigIntegerField(default=0, help_text="What the balance falls below, less what is held.")
    amount_nano = models.BigIntegerField(default=0, help_text="What is paid then.")
    cap_nano = models.BigIntegerField(default=0, help_text="What is paid by itself in a month, at most.")
    stopped = models.TextField(blank=True, default="", help_text="Why it was switched off by itself.")

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(automatic=False) | Q(amount_nano__gt=0, cap_nano__gte=models.F("amount_nano")),
                name="billing_profile_amounts",
            )
        ]

    def __str__(self) -> str:
        return f"billing profile of {self.organization}"


class Payment(models.Model):
    """Money that somebody set out to pay. It is credited when Stripe says that it came, and by nothing else."""

    class Kind(models.TextChoices):
        CHECKOUT = "checkout", "By hand"
        AUTOMATIC = "automatic", "Automatic"

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        PAID = "paid", "Paid"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Not paid"

    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    amount_nano = models.BigIntegerField()
    token = models.UUIDField(default=uuid.uuid4, unique=True, help_text="What Stripe knows it by.")
    session = models.CharField(max_length=120, blank=True)
    intent = models.CharField(max_length=80, null=True, unique=True)  # noqa: DJ001 - unique where it is known
    saves_method = models.BooleanField(default=False)
    author = models.CharField(max_length=320, blank=True)
    failure = models.TextField(blank=True, default="")
    entry_id = models.BigIntegerField(null=True, help_text="The ledger's entry.")
    asked_at = models.DateTimeField(null=True, help_text="When Stripe was last asked to charge a saved card.")
    paid_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["organization", "-id"], name="payment_list")]
        constraints = [
            models.CheckConstraint(condition=Q(amount_nano__gt=0), name="payment_amount"),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(kind="automatic", state="open"),
                name="payment_automatic_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk} of ${money.grouped(self.amount_nano)}"


class PaymentReturn(models.Model):
    """Money of a payment that went back: a refund, or what a bank took for a dispute. Each is there once."""

    class Kind(models.TextChoices):
        REFUND = "refund", "Refund"
        DISPUTE = "dispute", "Dispute"

    class State(models.TextChoices):
        TAKEN = "taken", "Taken back"
        VOID = "void", "Came back"  # the refund failed, or the dispute was won

    stripe_id = models.CharField(max_length=80, unique=True)
    intent = models.CharField(max_length=80, db_index=True)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="returns")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices)
    amount_nano = models.BigIntegerField()
    entry_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of ${money.grouped(self.amount_nano)}"


class StripeEvent(models.Model):
    """What Stripe told, by its own name for it: a second telling finds it here."""

    event_id = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=80)
    outcome = models.TextField(default="")
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="events")
    received_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
