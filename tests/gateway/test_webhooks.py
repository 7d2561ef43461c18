"""Organisations are told by signed calls, each once, at the addresses they gave and at no other."""

from __future__ import annotations

import base64
import hashlib
import hmac

import orjson
import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Organization, User
from billing.models import OutboxMessage
from config.celery import app
from gateway import credentials, tasks
from gateway.models import Webhook
from tests.billing.receiver import Receiver, make_alert, make_budget, receiving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1"]


def make_webhook(organization: Organization, url: str) -> tuple[Webhook, str]:
    webhook = Webhook(organization=organization, url=url)
    secret = webhook.renew_secret()
    webhook.save()
    return webhook, secret


def make_due() -> None:
    OutboxMessage.objects.filter(sent_at=None).update(due_at=timezone.now())


def waiting() -> OutboxMessage:
    return OutboxMessage.objects.get(sent_at=None)


def verified(secret: str, receiver: Receiver) -> bool:
    """As a receiver does it that knows Standard Webhooks and nothing of our code."""
    headers, body = receiver.calls[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_a_receiver_can_verify_what_it_is_told(organization: Organization) -> None:
    with receiving() as receiver:
        _, secret = make_webhook(organization, receiver.url)
        alert = make_alert(make_budget(organization))
        tasks.deliver_outbox()
    headers, body = receiver.calls[0]
    assert len(receiver.calls) == 1
    assert verified(secret, receiver)
    assert headers["webhook-id"] == alert.dedupe
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    told = orjson.loads(body)
    assert told["type"] == "budget.threshold"
    assert told["data"] == {
        "budget_id": alert.payload["budget_id"], "name": "Team", "threshold_percent": 80, "spent_usd": "40.12",
        "limit_usd": "50.00", "hard": True, "period_starts_at": "2026-11-01T00:00:00+00:00",
        "resets_at": "2026-12-01T00:00:00+00:00",
    }  # fmt: skip


def test_a_receiver_that_fails_is_told_again_and_nobody_else_is(organization: Organization) -> None:
    with receiving(503, 302, 200) as receiver, receiving() as other:
        make_webhook(organization, receiver.url)
        make_webhook(organization, other.url)
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
        assert waiting().last_error == "It answered 503: busy"
        make_due()
        tasks.deliver_outbox()
        assert waiting().last_error.startswith("It answered 302")
        for _ in range(2):
            make_due()
            tasks.deliver_outbox()
    assert (len(receiver.calls), len(other.calls), len(mail.outbox)) == (3, 1, 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1


def test_a_stranger_is_told_nothing(organization: Organization, charlie: User) -> None:
    with receiving() as receiver:
        make_webhook(Organization.objects.get(slug="stranger"), receiver.url)
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
    assert receiver.calls == []


def test_a_webhook_that_is_switched_off_is_not_called(organization: Organization) -> None:
    with receiving(503) as receiver:
        webhook, _ = make_webhook(organization, receiver.url)
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
        Webhook.objects.filter(pk=webhook.pk).update(enabled=False)
        make_due()
        tasks.deliver_outbox()
    assert len(receiver.calls) == 1
    assert not OutboxMessage.objects.filter(sent_at=None).exists()


def test_violations_of_the_ledger_are_nobodys_business_but_staffs(
    organization: Organization, settings: Settings
) -> None:
    settings.ADMINS = [("Staff", "staff@example.com")]
    with receiving() as receiver:
        make_webhook(organization, receiver.url)
        OutboxMessage.objects.create(topic="ledger.violation", dedupe="v", payload={}, organization_id=organization.pk)
        tasks.deliver_outbox()
    assert (receiver.calls, len(mail.outbox)) == ([], 1)


def test_a_private_address_that_is_not_exempt_is_never_called(organization: Organization, settings: Settings) -> None:
    with receiving() as receiver:
        make_webhook(organization, receiver.url.replace("http:", "https:"))
        make_alert(make_budget(organization))
        settings.GATEWAY_WEBHOOK_HOSTS = []
        tasks.deliver_outbox()
    assert receiver.calls == []
    assert "not a public address" in waiting().last_error


def test_a_secret_is_stored_for_its_organisation_alone(organization: Organization, charlie: User) -> None:
    webhook, secret = make_webhook(organization, "https://example.com/hooks")
    assert secret not in webhook.secret
    assert webhook.open_secret() == secret
    webhook.organization = Organization.objects.get(slug="stranger")
    with pytest.raises(credentials.CredentialError, match="moved here"):
        webhook.open_secret()


def test_a_secret_that_does_not_open_is_reported_and_nothing_is_sent(organization: Organization) -> None:
    with receiving() as receiver:
        webhook, _ = make_webhook(organization, receiver.url)
        Webhook.objects.filter(pk=webhook.pk).update(secret="9:lost")
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
    assert receiver.calls == []
    assert "give the webhook a new secret" in waiting().last_error


def test_secrets_are_rotated_with_the_credentials(organization: Organization, settings: Settings) -> None:
    webhook, secret = make_webhook(organization, "https://example.com/hooks")
    new = f"2:{base64.urlsafe_b64encode(b'n' * 32).decode()}"
    settings.CREDENTIAL_KEYS = f"{new},{settings.CREDENTIAL_KEYS}"
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = new
    webhook.refresh_from_db()
    assert webhook.secret.startswith("2:")
    assert webhook.open_secret() == secret


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://a:b@example.com/", "nonsense"])
def test_an_address_that_may_not_be_called_is_not_taken(organization: Organization, url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Webhook(organization=organization, url=url, secret="x").full_clean()
    assert list(caught.value.message_dict) == ["url"]


def test_the_outbox_is_looked_at_every_ten_seconds() -> None:
    entry = app.conf.beat_schedule["deliver the outbox"]
    assert (entry["task"], entry["schedule"]) == ("gateway.tasks.deliver_outbox", 10.0)
