"""What each request used."""

from __future__ import annotations

from django.db import models

from accounts.models import OrganizationOwned


class UsageEvent(models.Model):
    """One request, as it ended. Names are kept as text, so that deleting a model never rewrites history."""

    request_id = models.UUIDField(primary_key=True, editable=False)
    external_id = models.CharField(
        max_length=200, blank=True, help_text="The x-request-id of a trusted proxy, when it sent one."
    )
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey("accounts.ApiKey", models.PROTECT, related_name="+", db_index=False)
    model_requested = models.CharField(max_length=120)
    model = models.CharField(max_length=120, blank=True, help_text="The public id that served.")
    provider = models.CharField(max_length=60, blank=True)
    upstream_model = models.CharField(max_length=200, blank=True)
    stream = models.BooleanField()
    status = models.PositiveSmallIntegerField(help_text="What the caller got; 499 when the caller hung up.")
    error_code = models.CharField(max_length=60, blank=True)
    finish_reason = models.CharField(max_length=30, blank=True)
    input_tokens = models.PositiveIntegerField(default=0)
    cache_read_tokens = models.PositiveIntegerField(default=0)
    cache_write_5m_tokens = models.PositiveIntegerField(default=0)
    cache_write_1h_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0)
    usage_source = models.CharField(max_length=10, default="none")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    first_token_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="From arrival to the first event sent."
    )
    duration_ms = models.PositiveIntegerField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-request_id"]
        indexes = [
            models.Index(fields=["organization", "-request_id"], name="usage_event_newest")
        ]  # an organisation's requests, newest first

    def __str__(self) -> str:
        return f"{self.request_id} {self.model} {self.status}"
