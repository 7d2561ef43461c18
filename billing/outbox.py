"""Delivering what the outbox holds: at least once, each channel by itself, later and later when it fails.

A message is claimed by moving the instant at which it is due again, so that nothing is locked while it is sent: a
deliverer that dies leaves it to the next one. After MOST_TRIES it is kept, and staff see it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from accounts.redaction import redact
from billing.models import OutboxMessage
from billing.models.outbox import MOST_TRIES

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(minutes=1)  # longer than one sending may take, or a second deliverer would begin it too
LONGEST_PAUSE = timedelta(hours=6)
UNFINISHED = "It was begun and not finished: whoever sent it stopped in the middle. The log may say why."


class DeliveryError(Exception):
    """A message did not arrive and is tried again. Says why."""


class Channel(Protocol):
    """A way to tell somebody. Its addresses are its name, or begin with its name and a dash."""

    name: str

    def addresses(self, message: OutboxMessage) -> list[str]:
        """Where in this channel the message goes; nowhere when it is not meant for it."""

    def send(self, message: OutboxMessage) -> None:
        """Raises `DeliveryError`."""


def deliver(channels: Sequence[Channel], *, seconds: float = 50) -> int:
    """Send what is due, for so long. Returns how many were sent."""
    until, sent = monotonic() + seconds, 0
    while monotonic() < until:
        message = _claim()
        if message is None:
            break
        if message.address:
            sent += _send(message, channels)
        else:
            _hand_on(message, channels)
    return sent


def pause_after(tries: int) -> timedelta:
    return min(FIRST_PAUSE * (1 << (tries - 1)), LONGEST_PAUSE)


def _claim() -> OutboxMessage | None:
    """The message that has been due for longest, which nobody else takes until it is due again."""
    with transaction.atomic():
        now = timezone.now()
        message = OutboxMessage.objects.due(now).select_for_update(skip_locked=True).first()
        if message is not None:
            message.tries += 1
            message.due_at = now + pause_after(message.tries)
            message.last_error = UNFINISHED  # what staff read when nobody lives to write anything else
            message.save(update_fields=["tries", "due_at", "last_error"])
    return message


def _hand_on(message: OutboxMessage, channels: Sequence[Channel]) -> None:
    """Make it one message for each address, so that none is told again because another failed."""
    addresses = [address for channel in channels for address in channel.addresses(message)]
    if not addresses:
        _failed(message, f"No channel knows what to say of {message.topic}.")
        return
    with transaction.atomic():
        OutboxMessage.objects.bulk_create(
            [
                OutboxMessage(
                    organization_id=message.organization_id,
                    topic=message.topic,
                    dedupe=f"{message.dedupe}#{address}",
                    payload=message.payload,
                )
                for address in addresses
            ],
            ignore_conflicts=True,
        )
        _sent(message)


def _send(message: OutboxMessage, channels: Sequence[Channel]) -> bool:
    name = message.address.partition("-")[0]
    try:
        for channel in channels:
            if channel.name == name:
                channel.send(message)
                break
        else:
            raise DeliveryError(f"There is no channel {name}.")
    except DeliveryError as error:
        _failed(message, str(error))
        return False
    _sent(message)
    return True


def _sent(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(sent_at=timezone.now(), last_error="")


def _failed(message: OutboxMessage, why: str) -> None:
    why = redact(why)[:500]
    OutboxMessage.objects.filter(pk=message.pk).update(last_error=why)
    level = logging.ERROR if message.tries >= MOST_TRIES else logging.WARNING
    log.log(level, "message %s of the outbox was not delivered at try %s: %s", message.pk, message.tries, why)
