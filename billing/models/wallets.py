"""Money: a wallet an organisation, and the double-entry ledger that moves it. Written by billing/sql alone."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now

from accounts.models import OrganizationOwned
from billing import money


class Wallet(models.Model):
    """What an organisation has: the sum of its transfers, less what open requests hold. Nano-dollars."""

    organization = models.OneToOneField(
        "accounts.Organization", models.PROTECT, primary_key=True, related_name="wallet"
    )
    posted_nano = models.BigIntegerField(default=0, editable=False, help_text="The sum of its transfers.")
    held_nano = models.BigIntegerField(default=0, editable=False, help_text="What open requests may still cost.")
    overdraft_nano = models.BigIntegerField(default=0, help_text="How far below zero it may go, in nano-dollars.")
    owed_nano = models.BigIntegerField(
        default=0, editable=False, help_text="How far beyond its overdraft payments were taken back that were spent."
    )
    markup_basis_points = models.IntegerField(
        default=0, help_text="On top of the provider's price: 1000 is ten per cent, -500 a discount of five."
    )
    price_list_id = models.BigIntegerField(
        null=True, blank=True, help_text="The price list that its customers' prices come from, where it has one."
    )
    halted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Nothing is admitted since then.")
    halted_reason = models.TextField(blank=True, default="", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["organization"]

    def __str__(self) -> str:
        return f"{self.organization}: ${money.dollars(self.available_nano)} available"

    @property
    def available_nano(self) -> int:
        """What another request could hold."""
        return self.posted_nano - self.held_nano + self.overdraft_nano

    @property
    def balance(self) -> Decimal:
        """Dollars, before what is held."""
        return Decimal(self.posted_nano) / money.NANO


class Transfer(models.Model):
    """One entry: an amount from one account of the organisation to another. Never changed, never deleted."""

    class Kind(models.TextChoices):
        TOPUP = "topup", "Top-up"
        GRANT = "grant", "Granted credit"
        USAGE = "usage", "Usage"
        LATE_USAGE = "late_usage", "Usage told late"
        REFUND = "refund", "Refund"
        REVERSAL = "reversal", "Reversal"
        ADJUSTMENT = "adjustment", "Adjustment"
        RETURNED = "returned", "Payment returned"

    id = models.BigIntegerField(primary_key=True, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    kind = models.TextField(choices=Kind.choices)
    ref = models.TextField(help_text="What it is for; the same kind and ref are entered once.")
    debit = models.TextField()
    credit = models.TextField()
    amount_nano = models.BigIntegerField()
    reverses_id = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True, default="")
    author = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}: ${money.dollars(self.amount_nano)}"

    @property
    def change_nano(self) -> int:
        """What it did to the wallet."""
        return self.amount_nano if self.credit == "wallet" else -self.amount_nano


class Hold(models.Model):
    """A request under way: what it may cost, and what it has come to. It ends as a usage event."""

    request_id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(
        "accounts.ApiKey", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    amount_nano = models.BigIntegerField()
    model_requested = models.TextField()
    model = models.TextField()
    stream = models.BooleanField()
    provider = models.TextField()
    upstream_model = models.TextField()
    progress_cost_nano = models.BigIntegerField(default=0)
    progress_charge_nano = models.BigIntegerField(default=0)
    admitted_at = models.DateTimeField(db_default=Now())
    heard_at = models.DateTimeField(db_default=Now())

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-request_id"]

    def __str__(self) -> str:
        return f"{self.request_id} holds ${money.dollars(self.amount_nano)}"
