"""Budgets: how much may be spent in a period, by whom. Apart from the wallet, which says what there is."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from accounts.models import OrganizationOwned
from billing import money


def default_thresholds() -> list[int]:
    return [50, 80, 100]


class Budget(models.Model):
    """A limit on spending. A hard one refuses what does not fit; the other kind only tells."""

    class Scope(models.TextChoices):
        ORGANIZATION = "organization", "The organisation"
        PROJECT = "project", "A project"
        API_KEY = "api_key", "A key"
        MEMBER = "member", "A person's keys"

    class Period(models.TextChoices):
        DAY = "day", "Day (UTC)"
        WEEK = "week", "Week (from Monday, UTC)"
        MONTH = "month", "Month (UTC)"
        TOTAL = "total", "Never resets"

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="budgets", db_index=False)
    name = models.TextField()
    scope = models.TextField(choices=Scope.choices, default=Scope.ORGANIZATION)
    target_id = models.BigIntegerField(
        null=True, blank=True, help_text="The id of the project, key or person; empty for the organisation."
    )
    period = models.TextField(choices=Period.choices, default=Period.MONTH)
    limit_nano = models.BigIntegerField(validators=[MinValueValidator(0)], help_text="Nano-dollars.")
    hard = models.BooleanField(default=True, help_text="Refuse what does not fit. Otherwise only tell.")
    thresholds = ArrayField(
        models.IntegerField(), default=default_thresholds, help_text="Per cent of the limit at which to tell."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["organization", "id"]

    def __str__(self) -> str:
        return f"{self.name}: ${money.dollars(self.limit_nano)} a {self.period}"

    def clean(self) -> None:
        """A target belongs to the scopes that need one, and to the organisation."""
        if (self.scope == self.Scope.ORGANIZATION) != (self.target_id is None):
            raise ValidationError(
                {"target_id": "Give the id of the project, key or person; none for the organisation."}
            )
        if any(not 1 <= threshold <= 1000 for threshold in self.thresholds):
            raise ValidationError({"thresholds": "Give per cents between 1 and 1000."})


class BudgetPeriod(models.Model):
    """What a budget has spent and holds in one of its periods."""

    pk = models.CompositePrimaryKey("organization_id", "budget_id", "starts_at")
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="periods", db_index=False)
    starts_at = models.DateTimeField()
    spent_nano = models.BigIntegerField(default=0)
    held_nano = models.BigIntegerField(default=0)
    ceiling_nano = models.BigIntegerField(null=True)
    alerted = models.IntegerField(default=0)

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-starts_at"]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at:%Y-%m-%d}: ${money.dollars(self.spent_nano)}"
