"""What a million tokens cost, from an instant on, and what customers pay for them."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Greatest
from django.db.models.lookups import Exact
from django.utils import timezone

from billing.pricing import PRICES


def _rate(**options: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=14, decimal_places=6, validators=[MinValueValidator(0)], **options)


class PriceList(models.Model):
    """What some customers pay: prices of the list's own for models that have them, else what we pay and a markup."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    markup_basis_points = models.IntegerField(
        "markup",
        default=0,
        validators=[MinValueValidator(-10_000), MaxValueValidator(100_000)],
        help_text="In basis points: 100 adds one per cent to what the provider asks. Below zero it is a discount.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(markup_basis_points__range=(-10_000, 100_000)), name="price_list_markup_bounds"
            )
        ]

    def __str__(self) -> str:
        return self.name


# Nothing costs anything. GREATEST passes over what is not given; input always is.
_COSTS_NOTHING = models.Q(Exact(Greatest(*PRICES), 0)) & models.Q(tiers=[])


class PriceQuerySet(models.QuerySet["Price"]):
    def from_providers(self) -> PriceQuerySet:
        """What providers ask of us, apart from what customers pay."""
        return self.filter(price_list=None)

    def in_force(self) -> dict[str, Price]:
        """What providers ask of us now, by model."""
        newest = self.from_providers().filter(effective_at__lte=timezone.now()).order_by("model", "-effective_at")
        return {price.model: price for price in newest.distinct("model")}


class Price(models.Model):
    """Dollars for a million tokens of one model, from an instant on. Never changed, which the database sees to:
    a new price is a new row. Without a price list it is what the provider asks of us."""

    model = models.CharField(max_length=120)
    price_list = models.ForeignKey(
        PriceList,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="prices",
        help_text="Empty for what the provider asks of us; else what customers on that list are charged.",
    )
    effective_at = models.DateTimeField(default=timezone.now)
    input = _rate(help_text="Dollars per million tokens.")
    cached_input = _rate(null=True, blank=True)
    cache_write = _rate(null=True, blank=True)
    cache_write_1h = _rate(null=True, blank=True)
    audio_input = _rate(null=True, blank=True)
    image_input = _rate(null=True, blank=True)
    output = _rate()
    reasoning = _rate(null=True, blank=True)
    audio_output = _rate(null=True, blank=True)
    image_output = _rate(null=True, blank=True)
    request = models.DecimalField(
        max_digits=14,
        decimal_places=9,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Dollars per request, besides its tokens.",
    )
    tiers = models.JSONField(
        default=list,
        blank=True,
        help_text="Prices above a prompt length: [{above, input, cached_input, cache_write, output}].",
    )
    free = models.BooleanField(
        default=False, help_text="Says that nothing costs anything, so that zeros are never an oversight."
    )

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["model", "-effective_at"]
        constraints = [
            models.UniqueConstraint(
                "model", "price_list", "effective_at", name="price_version_unique", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=(models.Q(free=True) & _COSTS_NOTHING) | (models.Q(free=False) & ~_COSTS_NOTHING),
                name="price_free_is_said",
                violation_error_message="Say that it is free when nothing costs anything, and only then.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.effective_at:%Y-%m-%d}: ${self.input} in, ${self.output} out"
