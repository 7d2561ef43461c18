"""Owners and admins set up webhooks themselves, and see what became of what was sent."""

from __future__ import annotations

import html
import re
from typing import Any

import orjson
import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Organization, User
from billing.models import OutboxMessage
from gateway import tasks
from gateway.models import Webhook
from tests.billing.receiver import make_alert, make_budget, receiving

pytestmark = pytest.mark.django_db
LIST = "/o/acme/webhooks/"
NEW = f"{LIST}new/"
BOTH = ["budget.threshold", "key.leaked"]


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization, settings: Settings) -> Client:
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1"]
    client.force_login(alice)
    return client


def form(url: str = "https://example.com/hooks", **fields: Any) -> dict[str, Any]:
    return {"url": url, "events": BOTH, "enabled": "on", **fields}


def words(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def look(client: Client, path: str) -> str:
    return words(client.get(path).content.decode())


def test_a_webhook_is_made_and_its_secret_shown_once(owner: Client, organization: Organization) -> None:
    page = words(owner.post(NEW, form()).content.decode())
    webhook = Webhook.objects.get()
    assert webhook.open_secret() in page
    assert (webhook.organization, webhook.events, webhook.enabled) == (organization, [], True)
    for path in (LIST, f"{LIST}{webhook.pk}/"):
        assert "whsec_" not in look(owner, path)
    event = AuditEvent.objects.of(organization).get()
    assert event.action == "webhook.created"
    assert "whsec_" not in str(event.details)
    assert 'aria-current="page"' in owner.get(LIST).content.decode().split(">Settings<")[0].rsplit("<li>", 1)[1]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://example.com"}, "Use https"), ({"url": "https://10.0.0.1/"}, "is not a public address"),
        ({"url": "https://[::1]/"}, "is not a public address"), ({"url": "nonsense"}, "Give an address such as"),
        ({"url": ""}, "Give the address"),
        ({"events": []}, "Choose at least one"), ({"events": ["x"]}, "Select a valid"),
    ],
)  # fmt: skip
def test_what_can_never_be_called_is_refused(owner: Client, fields: dict[str, Any], said: str) -> None:
    assert said in words(owner.post(NEW, form(**fields)).content.decode())
    assert not Webhook.objects.exists()


def test_only_what_was_chosen_is_told(owner: Client, organization: Organization) -> None:
    with receiving() as wanted, receiving() as other:
        owner.post(NEW, form(wanted.url, events=["budget.threshold"]))
        owner.post(NEW, form(other.url, events=["key.leaked"]))
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
        tasks.deliver_outbox()
    assert (len(wanted.calls), len(other.calls)) == (1, 0)


def test_a_delivery_is_shown_with_its_answer_and_sent_again(owner: Client, organization: Organization) -> None:
    with receiving(500, 200) as receiver:
        owner.post(NEW, form(receiver.url))
        webhook = Webhook.objects.get()
        make_alert(make_budget(organization))
        tasks.deliver_outbox()
        page = f"{LIST}{webhook.pk}/"
        assert "Waiting It answered 500: busy" in look(owner, page)
        delivery = OutboxMessage.objects.get(dedupe__endswith=f"#webhook-{webhook.pk}")
        again = f"{page}deliveries/{delivery.pk}/again/"
        assert owner.post(again).status_code == 302
        tasks.deliver_outbox()
        assert "Delivered" in look(owner, page)
        owner.post(again)
        tasks.deliver_outbox()
    ids = [headers["webhook-id"] for headers, _ in receiver.calls]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert {orjson.loads(body)["type"] for _, body in receiver.calls} == {"budget.threshold"}


def test_a_webhook_is_changed_renewed_and_deleted(owner: Client, organization: Organization) -> None:
    owner.post(NEW, form())
    webhook = Webhook.objects.get()
    before = webhook.open_secret()
    page = f"{LIST}{webhook.pk}/"
    owner.post(page, form("https://example.com/other", events=["key.leaked"], enabled=""))
    webhook.refresh_from_db()
    assert (webhook.url, webhook.events, webhook.enabled) == ("https://example.com/other", ["key.leaked"], False)
    shown = words(owner.post(f"{page}secret/").content.decode())
    webhook.refresh_from_db()
    assert webhook.open_secret() in shown
    assert webhook.open_secret() != before
    owner.post(f"{page}delete/")
    assert not Webhook.objects.exists()
    found = AuditEvent.objects.of(organization).order_by("pk").values_list("action", flat=True)
    assert list(found) == ["webhook.created", "webhook.changed", "webhook.changed", "webhook.deleted"]


def test_an_organisation_has_no_end_of_webhooks(owner: Client) -> None:
    for _ in range(21):
        page = words(owner.post(NEW, form()).content.decode())
    assert "There are 20 webhooks" in page
    assert Webhook.objects.count() == 20


def test_webhooks_and_deliveries_of_others_are_not_there(
    owner: Client, charlie: User, organization: Organization
) -> None:
    owner.post(NEW, form())
    webhook = Webhook.objects.get()
    make_alert(make_budget(organization))
    tasks.deliver_outbox()
    other = OutboxMessage.objects.get(dedupe__endswith="#mail")
    assert owner.post(f"{LIST}{webhook.pk}/deliveries/{other.pk}/again/").status_code == 404
    owner.force_login(charlie)
    for path in ("", "secret/", "delete/"):
        assert owner.post(f"/o/stranger/webhooks/{webhook.pk}/{path}", form()).status_code == 404
    assert "example.com" not in look(owner, "/o/stranger/webhooks/")
    assert Webhook.objects.count() == 1


def test_developers_see_no_webhooks(client: Client, bob: User, organization: Organization) -> None:
    client.force_login(bob)
    assert client.get(LIST).status_code == 403
    assert "Webhooks" not in look(client, "/o/acme/settings/")
