"""Usage summed up by hour and by day. Written by `billing.rollups` alone; what reads usage reads these."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.models import OrganizationOwned


class Rollup(models.Model):
    """What the requests of one key for one model came to in a while. A dimension that is absent is 0 or empty."""

    organization = models.ForeignKey(
        "accounts.Organization", models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    project_id = models.BigIntegerField(default=0)
    api_key_id = models.BigIntegerField(default=0)
    member_id = models.BigIntegerField(default=0)
    model = models.CharField(max_length=120, default="")
    provider = models.CharField(max_length=60, default="")
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0, help_text="Answered with 400 or more, but for callers that hung up.")
    hung_up = models.BigIntegerField(default=0, help_text="The caller had gone before the answer was complete.")
    streams = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_5m_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    audio_input_tokens = models.BigIntegerField(default=0)
    image_input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    audio_output_tokens = models.BigIntegerField(default=0)
    image_output_tokens = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    charged_nano = models.BigIntegerField(default=0)
    absorbed_nano = models.BigIntegerField(default=0)
    duration_ms_sum = models.BigIntegerField(default=0)
    first_token_ms_sum = models.BigIntegerField(default=0)
    first_token_count = models.BigIntegerField(default=0, help_text="Requests that had a first token.")

    objects = OrganizationOwned.as_manager()

    class Meta:
        abstract = True


class UsageHour(Rollup):
    """Usage of an hour of UTC."""

    pk = models.CompositePrimaryKey(
        "organization_id", "hour", "project_id", "api_key_id", "member_id", "model", "provider"
    )
    hour = models.DateTimeField()

    class Meta:
        ordering = ["-hour"]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.hour:%Y-%m-%d %H}: {self.requests} of {self.model}"


class UsageDay(Rollup):
    """Usage of a day of UTC."""

    pk = models.CompositePrimaryKey(
        "organization_id", "day", "project_id", "api_key_id", "member_id", "model", "provider"
    )
    day = models.DateField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.day}: {self.requests} of {self.model}"


class DetachedMonth(models.Model):
    """A month whose events were taken out: what was rolled up of it is all there is, and is not rebuilt."""

    month = models.DateField(primary_key=True, help_text="Its first day.")
    detached_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["month"]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
