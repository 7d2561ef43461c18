"""The audit log: what is written down, and that it stays as it was written."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.test import RequestFactory

from accounts import audit
from accounts.audit import Action, Change
from accounts.models import ApiKey, AuditEvent, Organization, User

pytestmark = pytest.mark.django_db


def request_of(user: User, **headers: Any) -> HttpRequest:
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7", **headers)
    request.user = user
    return request


def test_it_says_who_did_what_to_what_and_from_where(organization: Organization, alice: User, key: ApiKey) -> None:
    request = request_of(alice, HTTP_USER_AGENT="Firefox/140")
    audit.record(request, organization, Action.KEY_CHANGED, key, requests_per_minute=Change(None, 60), reason="busy")
    event = AuditEvent.objects.of(organization).get()
    assert (event.actor, event.who, event.what) == (alice, "alice@acme.example", "Changed the key")
    assert (event.target_kind, event.target_id, event.target_label) == ("apikey", str(key.pk), str(key))
    assert (event.address, event.user_agent) == ("203.0.113.7", "Firefox/140")
    assert event.facts == [("reason", None, "busy"), ("requests per minute", "nothing", "60")]


def test_without_a_target_it_is_about_the_organisation(organization: Organization, alice: User) -> None:
    event = audit.record(request_of(alice), organization, Action.ORGANIZATION_CHANGED)
    assert (event.target_kind, event.target_label) == ("organization", "Acme")


def test_of_staff_members_learn_that_it_was_the_operator(organization: Organization, alice: User) -> None:
    event = audit.record(audit.operator(request_of(alice)), organization, Action.ORGANIZATION_SUSPENDED)
    assert (event.who, event.actor) == ("The operator", alice)


def test_programs_act_under_the_name_of_their_key(organization: Organization, alice: User, key: ApiKey) -> None:
    event = audit.record(audit.key(request_of(alice), key), organization, Action.KEY_CREATED, key)
    assert (event.who, event.actor, event.address) == (str(key), None, "203.0.113.7")
    assert audit.record(audit.SYSTEM, organization, Action.KEY_LEAKED, key).who == "The system"


def test_a_secret_that_somebody_writes_into_a_name_is_not_kept(
    organization: Organization, alice: User, key: ApiKey, secret: str
) -> None:
    key.name = secret
    request = request_of(alice, HTTP_USER_AGENT=f"curl {secret}")
    event = audit.record(request, organization, Action.KEY_CHANGED, key, name=Change("production", secret))
    event.refresh_from_db()
    assert secret not in f"{event.target_label} {event.user_agent} {event.details}"
    assert event.details["name"] == {"before": "production", "after": "[redacted]"}


def test_what_is_longer_than_its_column_is_cut(organization: Organization, alice: User) -> None:
    event = audit.record(request_of(alice, HTTP_USER_AGENT="x" * 5000), organization, Action.ORGANIZATION_CHANGED)
    assert len(event.user_agent) == audit.USER_AGENT


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditevent SET actor_label = 'somebody else'",
        "DELETE FROM accounts_auditevent",
        "TRUNCATE accounts_auditevent",
    ],
)
def test_nobody_rewrites_it(organization: Organization, alice: User, statement: str) -> None:
    audit.record(request_of(alice), organization, Action.ORGANIZATION_CHANGED)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_auditevent ENABLE TRIGGER audit_event_is_kept")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(statement)
    assert AuditEvent.objects.get().actor_label == "alice@acme.example"


def test_every_action_has_room_in_its_column_and_words_of_its_own() -> None:
    assert max(len(action.value) for action in Action) <= (AuditEvent._meta.get_field("action").max_length or 0)
    assert len({action.label for action in Action}) == len(Action)


def test_only_what_differs_is_a_change() -> None:
    assert audit.changes({"name": "a", "slug": "s"}, {"name": "b", "slug": "s"}) == {"name": Change("a", "b")}


def test_the_newest_first_list_has_an_index(organization: Organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = AuditEvent.objects.of(organization).order_by("-pk")[:50].explain()
    assert "audit_list" in plan
    assert "Sort" not in plan
