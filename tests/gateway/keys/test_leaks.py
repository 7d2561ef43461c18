"""Leaked keys are revoked on anybody's word, because the word holds the key; and nobody learns more than that."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from accounts import key_life, keys
from accounts.audit import SYSTEM
from accounts.models import ApiKey, AuditEvent, Membership, Organization, User
from billing.models import OutboxMessage
from gateway import leaks, tasks
from gateway.models import Webhook
from gateway.webhooks import Webhooks, _about_leak
from tests.factories import make_key, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

WHERE = {"url": "https://git.example/acme/site/blob/main/.env", "source": "commit", "type": "2389_api_key"}
Send = Callable[[Any], HttpResponse]


@pytest.fixture
def send(client: Client) -> Send:
    def post(body: Any) -> HttpResponse:
        content = body if isinstance(body, bytes) else json.dumps(body)
        return client.post("/security/leaked-keys", content, content_type="application/json")  # type: ignore[return-value]

    return post


def letters() -> list[mail.EmailMessage]:
    tasks.deliver_outbox()  # to its channels
    tasks.deliver_outbox()
    return mail.outbox


def test_a_leaked_key_is_revoked_and_written_down(send: Send, key: ApiKey, secret: str) -> None:
    answer = send([{"token": secret, **WHERE}])
    assert (answer.status_code, json.loads(answer.content)) == (200, {"received": 1})
    key.refresh_from_db()
    assert key.status == "revoked"
    event = AuditEvent.objects.get()
    assert (event.action, event.who) == ("key.leaked", "The system")
    assert event.details == {"source": "commit", "url": WHERE["url"]}
    assert secret not in json.dumps(OutboxMessage.objects.get().payload)


def test_its_holder_and_the_owners_are_told_once(
    send: Send, key: ApiKey, secret: str, organization: Organization
) -> None:
    gone = make_user("gone@acme.example", is_active=False)
    Membership.objects.create(organization=organization, user=gone, role=Membership.Role.OWNER)
    for _ in range(2):
        send([{"token": secret, **WHERE}, {"token": secret}])
    (letter,) = letters()
    assert letter.to == ["alice@acme.example", "bob@acme.example"]
    assert letter.subject == "Acme: the key production was leaked and is revoked"
    assert key.hint in letter.body
    assert WHERE["url"] in letter.body
    assert f"/o/acme/keys/{key.pk}/" in letter.body
    assert secret not in letter.body


def test_the_answer_does_not_tell_whether_there_is_such_a_key(send: Send, secret: str) -> None:
    unknown, wrong = keys.generate(), f"{secret[:-1]}{'0' if secret[-1] != '0' else '1'}"
    answers = [send([{"token": token}]) for token in (unknown, wrong, "nonsense", secret, secret)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b'{"received": 1}')}
    assert AuditEvent.objects.count() == 1


def test_of_a_rotated_key_the_leaked_secret_alone_ends(send: Send, key: ApiKey, secret: str) -> None:
    newest = key.secrets.get()
    key_life.rotate(SYSTEM, key, seen=newest.pk, hours=24)
    send([{"token": secret, **WHERE}])
    key.refresh_from_db()
    newest.refresh_from_db()
    assert (key.status, newest.works) == ("active", False)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.details["ended_secret"]) == ("key.changed", newest.hint)
    (letter,) = letters()
    assert "newest secret goes on" in letter.body
    send([{"token": secret}])  # it has ended: nothing more comes of it
    assert AuditEvent.objects.latest("pk") == event


def test_many_are_reported_at_once(send: Send, organization: Organization) -> None:
    made = [make_key(organization) for _ in range(3)]
    answer = send([{"token": secret} for _, secret in made] + [{"token": keys.generate()}])
    assert json.loads(answer.content) == {"received": 4}
    assert not ApiKey.objects.filter(revoked_at=None).exists()


def test_programs_are_told_too(send: Send, key: ApiKey, secret: str) -> None:
    webhook = Webhook(organization=key.organization, url="https://example.com/hooks")
    webhook.renew_secret()
    webhook.save()
    send([{"token": secret, **WHERE}])
    message = OutboxMessage.objects.get()
    assert Webhooks().addresses(message) == [f"webhook-{webhook.pk}"]
    assert _about_leak(message) == {
        "api_key_id": key.pk, "name": "production", "hint": key.hint, "key_revoked": True, "source": "commit",
        "url": WHERE["url"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "The body is not JSON."),
        ({"token": "x"}, "must be a list of at most 500 reports"),
        ([{"token": "x"}] * 501, "must be a list of at most 500 reports"),
        (["x"], "[0] has no token"),
        ([{"token": "x"}, {"token": 7}], "[1] has no token"),
    ],
)
def test_a_report_that_cannot_be_read_is_told_how_it_should_look(send: Send, body: Any, told: str) -> None:
    answer = send(body)
    assert answer.status_code == 400
    message = json.loads(answer.content)["error"]["message"]
    assert told in message
    assert 'Send a JSON list of objects such as {"token":' in message


def test_a_report_has_an_end(send: Send) -> None:
    assert send(b" " * (leaks.MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/\r\nBcc: x@y.example", "file:///etc", 7, None, "http://[", ""]
)
def test_what_is_no_address_of_a_page_is_left_out(send: Send, secret: str, url: object) -> None:
    send([{"token": secret, "url": url, "source": "<b>commit</b>\n"}])
    assert AuditEvent.objects.get().details == {"source": "bcommitb", "url": ""}


def test_reports_of_one_network_are_counted(send: Send, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.views_leaks.RATE", "2/h")
    assert [send([]).status_code for _ in range(3)] == [200, 200, 429]
    answer = send([{"token": secret}])
    assert int(answer.headers["retry-after"]) > 0
    assert json.loads(answer.content)["error"]["code"] == "rate_limit_exceeded"
    assert not AuditEvent.objects.exists()


def test_a_report_is_taken_also_while_nobody_counts(send: Send, key: ApiKey, secret: str, settings: Any) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    assert send([{"token": secret}]).status_code == 200
    key.refresh_from_db()
    assert key.status == "revoked"


def test_it_is_for_posts_of_everybody(client: Client, charlie: User, issued: tuple[ApiKey, str]) -> None:
    assert client.get("/security/leaked-keys").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    body = json.dumps([{"token": issued[1]}])
    assert strict.post("/security/leaked-keys", body, content_type="application/json").status_code == 200
    assert ApiKey.objects.get(pk=issued[0].pk).status == "revoked"
