"""What a million tokens cost, from an instant on."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone


class Price(models.Model):
    """Dollars for a million tokens of one model, from an instant on. Never changed: a new price is a new row."""

    model = models.CharField(max_length=120)
    effective_at = models.DateTimeField(default=timezone.now)
    input = models.DecimalField(
        max_digits=14,
        decimal_places=6,
        validators=[MinValueValidator(0)],
        help_text="Dollars per million tokens.",
    )
    cached_input = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    cache_write = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    cache_write_1h = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    output = models.DecimalField(max_digits=14, decimal_places=6, validators=[MinValueValidator(0)])
    tiers = models.JSONField(
        default=list,
        blank=True,
        help_text="Prices above a prompt length: [{above, input, cached_input, cache_write, output}].",
    )

    class Meta:
        ordering = ["model", "-effective_at"]
        constraints = [models.UniqueConstraint("model", "effective_at", name="price_version_unique")]

    def __str__(self) -> str:
        return f"{self.model} from {self.effective_at:%Y-%m-%d}: ${self.input} in, ${self.output} out"
