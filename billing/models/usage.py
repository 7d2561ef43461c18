"""What each request used, and what was charged for it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.models import OrganizationOwned
from billing.usage import Usage


class UsageEvent(models.Model):
    """One request, as it ended. Names are kept as text, so that deleting a model never rewrites history.

    Partitioned by month in Postgres, where its key is (organization_id, request_id). Written by billing/sql alone.
    """

    request_id = models.UUIDField(primary_key=True, editable=False)
    external_id = models.CharField(
        max_length=200, blank=True, help_text="The x-request-id of a trusted proxy, when it sent one."
    )
    organization = models.ForeignKey(
        "accounts.Organization", models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    api_key = models.ForeignKey(
        "accounts.ApiKey", models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    project_id = models.BigIntegerField(null=True)
    member_id = models.BigIntegerField(null=True, help_text="Who held the key.")
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
    audio_input_tokens = models.PositiveIntegerField(default=0)
    image_input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0)
    audio_output_tokens = models.PositiveIntegerField(default=0)
    image_output_tokens = models.PositiveIntegerField(default=0)
    usage_source = models.CharField(max_length=10, default="none")
    rule = models.CharField(max_length=20, blank=True, default="", help_text="The billing rule that applied.")
    price_id = models.BigIntegerField(null=True, help_text="The price version that it was admitted at.")
    charge_price_id = models.BigIntegerField(null=True, help_text="The price list's version, where one applied.")
    markup_basis_points = models.IntegerField(default=0)
    held_nano = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0, help_text="What the provider asks of us.")
    charged_nano = models.BigIntegerField(default=0, help_text="What the organisation paid.")
    absorbed_nano = models.BigIntegerField(default=0, help_text="What it came to beyond its hold: never charged.")
    max_tokens = models.IntegerField(
        null=True, help_text="The limit that was sent to the provider for the money's sake."
    )
    attempts = models.JSONField(default=list)
    admitted_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    first_token_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="From arrival to the first event sent."
    )
    duration_ms = models.PositiveIntegerField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["-request_id"]

    def __str__(self) -> str:
        return f"{self.request_id} {self.model} {self.status}"

    @property
    def usage(self) -> Usage:
        return Usage(
            input=self.input_tokens,
            cache_read=self.cache_read_tokens,
            cache_write_5m=self.cache_write_5m_tokens,
            cache_write_1h=self.cache_write_1h_tokens,
            audio_input=self.audio_input_tokens,
            image_input=self.image_input_tokens,
            output=self.output_tokens,
            reasoning=self.reasoning_tokens,
            audio_output=self.audio_output_tokens,
            image_output=self.image_output_tokens,
        )
