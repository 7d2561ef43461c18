"""What is to be told to somebody outside, written with the change that it tells of."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """Sent at least once, in the background; receivers can tell a second delivery by `dedupe`."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.BigIntegerField(null=True)
    topic = models.TextField()
    dedupe = models.TextField(unique=True)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)
    last_error = models.TextField(default="")

    class Meta:
        db_table = "billing_outbox"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.topic} {self.dedupe}"


class RollupDue(models.Model):
    """An hour whose roll-ups are behind its events."""

    pk = models.CompositePrimaryKey("organization_id", "hour")
    organization_id = models.BigIntegerField()
    hour = models.DateTimeField()
    marks = models.BigIntegerField(default=1)

    class Meta:
        db_table = "billing_rollupdue"

    def __str__(self) -> str:
        return f"{self.organization_id} {self.hour:%Y-%m-%d %H}"
