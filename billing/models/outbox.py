"""What is to be told to somebody outside, written with the change that it tells of."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models.functions import Now

MOST_TRIES = 20


class OutboxQuerySet(models.QuerySet["OutboxMessage"]):
    def due(self, at: datetime) -> Self:
        return self.filter(sent_at=None, tries__lt=MOST_TRIES, due_at__lte=at).order_by("due_at", "id")


class OutboxMessage(models.Model):
    """Sent at least once, in the background; receivers can tell a second delivery by `event`.

    What a change writes names no channel. It is delivered by becoming a message for each channel, whose `dedupe` is
    the first one's, `#` and the address in that channel.
    """

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

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "billing_outbox"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.topic} {self.dedupe}"

    @property
    def event(self) -> str:
        """What it tells of: the same in every channel and at every try."""
        return self.dedupe.partition("#")[0]

    @property
    def address(self) -> str:
        """Where it goes, such as `mail` or `webhook-7`; empty while it was not given to channels yet."""
        return self.dedupe.partition("#")[2]

    @property
    def state(self) -> str:
        if self.sent_at is not None:
            return "sent" if self.address else "handed on"
        return "waiting" if self.tries < MOST_TRIES else "given up"


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
