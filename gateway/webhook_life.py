"""How a webhook begins, changes and ends by its members' hands, and what it was told lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Func, QuerySet, TextField, Value
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from accounts.models import Organization
from billing.models import OutboxMessage
from gateway.models import Webhook
from gateway.webhooks import Webhooks

MOST = 20
LATELY = 50


class WebhookError(Exception):
    """It was not done. Says why, in words for whoever wanted it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Where, of what, and whether at all."""

    url: str
    events: list[str]
    enabled: bool


@transaction.atomic
def create(request: HttpRequest, organization: Organization, terms: Terms) -> tuple[Webhook, str]:
    """A new one and its secret, which nobody is shown again. Raises `WebhookError`."""
    Organization.objects.locked(organization.pk)
    if Webhook.objects.of(organization).count() >= MOST:
        raise WebhookError(f"There are {MOST} webhooks, as many as an organisation may have. Delete one first.")
    webhook = Webhook(organization=organization, url=terms.url, events=terms.events, enabled=terms.enabled)
    secret = webhook.renew_secret()
    webhook.save()
    audit.record(request, organization, Action.WEBHOOK_CREATED, webhook, **_told(webhook))
    return webhook, secret


@transaction.atomic
def change(request: HttpRequest, webhook: Webhook, terms: Terms) -> bool:
    """Whether anything differs from what it was."""
    locked = Webhook.objects.select_for_update().get(pk=webhook.pk)
    before = _told(locked)
    locked.url, locked.events, locked.enabled = terms.url, terms.events, terms.enabled
    differing = audit.changes(before, _told(locked))
    if differing:
        locked.save(update_fields=["url", "events", "enabled"])
        audit.record(request, webhook.organization, Action.WEBHOOK_CHANGED, locked, **differing)
    return bool(differing)


@transaction.atomic
def renew(request: HttpRequest, webhook: Webhook) -> str:
    """A new secret: the old one signs nothing from now on."""
    locked = Webhook.objects.select_for_update().get(pk=webhook.pk)
    secret: str = locked.renew_secret()
    locked.save(update_fields=["secret"])
    audit.record(request, webhook.organization, Action.WEBHOOK_CHANGED, locked, secret="a new one")  # noqa: S106 - no secret
    return secret


@transaction.atomic
def delete(request: HttpRequest, webhook: Webhook) -> None:
    """It is told nothing any more, and what it was told is kept."""
    audit.record(request, webhook.organization, Action.WEBHOOK_DELETED, webhook, **_told(webhook))
    webhook.delete()


def deliveries(webhook: Webhook) -> QuerySet[OutboxMessage]:
    """What it was told, or is still to be, the newest first; found by an index."""
    address = Func(F("dedupe"), Value("#"), Value(2), function="split_part", output_field=TextField())
    mine = OutboxMessage.objects.filter(organization_id=webhook.organization_id).annotate(to=address)
    return mine.filter(to=f"{Webhooks.name}-{webhook.pk}").order_by("-id")


def tell_again(webhook: Webhook, number: int) -> bool:
    """The same once more within seconds, under the same id. Whether there is such a delivery."""
    if not deliveries(webhook).filter(pk=number).exists():
        return False
    again = OutboxMessage.objects.filter(pk=number)
    return bool(again.update(sent_at=None, tries=0, due_at=timezone.now(), last_error=""))


def _told(webhook: Webhook) -> dict[str, Any]:
    return {"address": webhook.url, "events": webhook.events or ["everything"], "enabled": webhook.enabled}
