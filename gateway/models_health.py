"""How providers did, as this gateway saw it, and what staff say of it. Written by `gateway.health`."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Outcomes(models.Model):
    """What calls of a provider came to in a while. What callers did wrong, and calls they hung up on, are in none."""

    provider = models.CharField(max_length=60, help_text="Its slug, as text: history outlives the registry.")
    answered = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0, help_text="It did not answer, broke off, or refused this gateway.")
    limited = models.BigIntegerField(default=0, help_text="It said that this gateway is at its rate limit.")
    first_token_ms = models.PositiveIntegerField(
        null=True, help_text="Median of streams, from arrival at the gateway to the first event."
    )

    class Meta:
        abstract = True


class ProviderHealth(Outcomes):
    """Five minutes of a provider."""

    pk = models.CompositePrimaryKey("provider", "at")
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "health of providers"
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["at"], name="provider_health_at"),
            models.Index(fields=["at"], name="provider_health_failures", condition=Q(failed__gte=3)),
        ]

    def __str__(self) -> str:
        return f"{self.provider} at {self.at:%Y-%m-%d %H:%M}"


class ProviderDay(Outcomes):
    """A day of UTC of a provider."""

    pk = models.CompositePrimaryKey("provider", "day")
    day = models.DateField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.provider} on {self.day}"


class StatusNote(models.Model):
    """What staff say on the status page: of an incident, or of work to come."""

    title = models.CharField(max_length=120)
    body = models.TextField(blank=True, max_length=4000, help_text="Plain text. Empty lines part paragraphs.")
    starts_at = models.DateTimeField("from", default=timezone.now, help_text="Shown from then on.")
    ends_at = models.DateTimeField("to", null=True, blank=True, help_text="Empty while it lasts.")

    class Meta:
        ordering = ["-starts_at"]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if self.ends_at and self.starts_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": "It must end after it begins. Leave it empty while it lasts."})
