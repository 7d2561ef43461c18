"""Stored prompts and answers: who may turn them on and read them, how they are shown, and that they end."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiKey, AuditEvent, Membership, Organization, User
from accounts.models_audit import Action
from gateway import exchanges, keeping, transcription
from gateway.keeping import Exchange
from gateway.models import StoredExchange
from gateway.tasks import forget_exchanges
from tests.factories import make_key, make_organization, make_user
from tests.gateway.requests.events import LIST, end, receipt, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

PAGE, STOP = "/o/acme/settings/prompts/", "/o/acme/settings/prompts/stop/"
ATTACK = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture(autouse=True)
def turned_on(organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(prompt_retention_days=30)
    organization.prompt_retention_days = 30


def sealed(
    organization_id: int, request_id: uuid.UUID, *, asked: Any = None, answer: Any = None, **given: Any
) -> bytes:
    body = asked or {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    reply = answer or {"choices": [{"message": {"role": "assistant", "content": "good day"}}]}
    exchange = Exchange(
        organization_id, request_id, "/chat/completions", body, json.dumps(reply).encode(), **{
            "streamed": False, "whole": True, "size": 0, **given,
        },
    )  # fmt: skip
    return exchange.sealed()


def store(key: ApiKey, at: datetime | None = None, **given: Any) -> uuid.UUID:
    """A request that ended, with its prompt and answer."""
    request_id = end(key, at=at or datetime.now(UTC))
    content = sealed(key.organization_id, request_id, **given)
    StoredExchange.objects.create(organization_id=key.organization_id, request_id=request_id, content=content)
    return request_id


def exchange(request_id: uuid.UUID) -> str:
    return f"{receipt(request_id)}exchange/"


def reads() -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(action=Action.PROMPTS_READ).order_by("pk")
    return [(event.actor_label, event.target_id) for event in events]


# -- reading ------------------------------------------------------------------------------------------


def test_the_receipt_leads_to_what_is_stored_and_does_not_show_it(developer: Client, key: ApiKey) -> None:
    with_it, without = store(key), end(key, at=datetime.now(UTC))
    page = developer.get(receipt(with_it))
    assert f'href="{exchange(with_it)}"' in page.content.decode()
    assert "good day" not in text(page)
    assert "Read prompt and answer" not in text(developer.get(receipt(without)))
    assert "Nothing is stored of what this request asked" in text(developer.get(exchange(without), follow=True))
    assert reads() == []


def test_the_conversation_is_shown_in_its_order(developer: Client, key: ApiKey) -> None:
    asked = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "what is"}, {"type": "text", "text": "this"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "look"}}]},
            {"role": "tool", "content": "a cat"},
        ],
    }
    answer = {"choices": [{"message": {"content": "a cat", "reasoning_content": "whiskers"}}]}
    response = developer.get(exchange(store(key, asked=asked, answer=answer)))
    said = [(part.who, part.text.split("\n")[0]) for part in response.context["exchange"].said]
    assert said == [
        ("system", "be brief"), ("user", "what is"), ("assistant, tool call", "{"), ("tool", "a cat"),
        ("assistant, reasoning", "whiskers"), ("assistant", "a cat"),
    ]  # fmt: skip
    assert '"model": "m"' in text(response)
    assert "POST /v1/chat/completions" in text(response)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"messages": [{"role": ATTACK, "content": ATTACK}]}, {"choices": [{"message": {"content": ATTACK}}]}),
        ({"messages": [{"content": [{"type": ATTACK, ATTACK: ATTACK}]}]}, {"error": {"message": ATTACK}}),
        ({"prompt": ATTACK, ATTACK: ATTACK}, {"choices": [{"text": ATTACK}]}),
        ({"input": [ATTACK]}, {ATTACK: [ATTACK]}),
    ],
)
def test_whatever_was_written_is_shown_as_text(developer: Client, key: ApiKey, asked: Any, answer: Any) -> None:
    response = developer.get(exchange(store(key, asked=asked, answer=answer)))
    page = response.content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert" in page
    assert "script-src 'self'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "asked", [[], "text", {"messages": "none"}, {"messages": [1, None]}, {"messages": [{"role": None, "content": 5}]}]
)
def test_what_has_another_shape_is_shown_as_json(developer: Client, key: ApiKey, asked: Any) -> None:
    request_id = end(key, at=datetime.now(UTC))
    body = asked or {"messages": []}
    content = sealed(key.organization_id, request_id, asked=body, answer={"choices": [{"message": None}, 4]})
    StoredExchange.objects.create(organization_id=key.organization_id, request_id=request_id, content=content)
    assert developer.get(exchange(request_id)).status_code == 200


def test_what_was_cut_says_so(developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcription, "MOST_BYTES", 40)
    page = text(developer.get(exchange(store(key, whole=False, streamed=True))))
    assert "bytes long; its beginning is stored." in page
    assert "The stream was longer than is taken down" in page
    assert '{"model":"m","messages":[{"role":"user",' in page


def test_each_person_who_reads_it_is_written_down_once_a_day(
    developer: Client, owner: Client, key: ApiKey, alice: User, bob: User
) -> None:
    one, other = store(key), store(key)
    for client in (developer, developer, owner):
        client.get(exchange(one))
    developer.get(exchange(other))
    assert reads() == [(str(bob), str(one)), (str(alice), str(one)), (str(bob), str(other))]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        developer.force_login(bob)
        developer.get(exchange(one))
    assert len(reads()) == 4


def test_who_may_not_see_requests_does_not_read_them(client: Client, organization: Organization, key: ApiKey) -> None:
    one = store(key)
    for role, status in {"viewer": 200, "billing": 403}.items():
        user = make_user()
        Membership.objects.create(organization=organization, user=user, role=role)
        client.force_login(user)
        assert client.get(exchange(one)).status_code == status


def test_a_stranger_finds_nothing(client: Client, charlie: User, key: ApiKey, developer: Client) -> None:
    ours = store(key)
    stranger = Organization.objects.get(slug="stranger")
    Organization.objects.filter(pk=stranger.pk).update(prompt_retention_days=30)
    theirs = store(make_key(stranger)[0])
    client.force_login(charlie)
    assert client.get(exchange(ours)).status_code == 404
    assert client.get(f"/o/stranger/requests/{ours}/exchange/").status_code == 404
    assert client.get(f"/o/stranger/requests/{theirs}/exchange/").status_code == 200
    assert developer.get(exchange(theirs)).status_code == 404
    assert [actor for actor, _ in reads()] == ["charlie@stranger.example"]


def test_what_was_moved_to_another_request_does_not_open(developer: Client, key: ApiKey) -> None:
    one, other = store(key, asked={"prompt": "top secret"}), store(key)
    moved = StoredExchange.objects.get(request_id=one).content
    StoredExchange.objects.filter(request_id=other).update(content=moved)
    response = developer.get(exchange(other))
    assert response.status_code == 500
    assert "it does not open" in response.content.decode()
    assert "top secret" not in response.content.decode()


def test_nothing_of_it_is_in_the_table_in_the_clear(key: ApiKey) -> None:
    store(key, asked={"prompt": "top secret"}, answer={"text": "most secret"})
    (content,) = StoredExchange.objects.values_list("content", flat=True)
    assert all(word not in bytes(content) for word in (b"secret", b"prompt", b"text"))


# -- storing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ({"prompt_retention_days": 1}, 1),
        ({"prompt_retention_days": None}, 0),
        ({"closed_at": datetime(2026, 1, 1, tzinfo=UTC)}, 0),
    ],
)
def test_whether_it_is_wanted_is_asked_when_it_is_written(
    organization: Organization, columns: dict[str, Any], rows: int
) -> None:
    Organization.objects.filter(pk=organization.pk).update(**columns)
    for _ in range(2):  # a second time changes nothing
        with connection.cursor() as cursor:
            cursor.execute(keeping._INSERT, [[organization.pk], [uuid.UUID(int=7 << 76)], [b"sealed"]])
    assert StoredExchange.objects.count() == rows


@pytest.mark.parametrize("days", [0, 366])
def test_the_database_refuses_other_times(organization: Organization, days: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(prompt_retention_days=days)


# -- the end ------------------------------------------------------------------------------------------


def test_what_is_older_than_the_organisation_wants_is_deleted(key: ApiKey) -> None:
    now = datetime.now(UTC)
    old, new = store(key, at=now - timedelta(days=30, minutes=1)), store(key, at=now - timedelta(days=29, hours=23))
    forget_exchanges()
    assert list(StoredExchange.objects.values_list("request_id", flat=True)) == [new]
    assert exchanges.find(key.organization, old) is None


def test_what_is_too_old_is_not_shown_before_it_is_deleted_either(
    developer: Client, key: ApiKey, organization: Organization
) -> None:
    one = store(key, at=datetime.now(UTC) - timedelta(days=3))
    assert developer.get(exchange(one)).status_code == 200
    Organization.objects.filter(pk=organization.pk).update(prompt_retention_days=2)
    assert "Nothing is stored" in text(developer.get(exchange(one), follow=True))


def test_each_organisation_has_a_time_of_its_own(key: ApiKey) -> None:
    longer = make_organization("longer", prompt_retention_days=365)
    at = datetime.now(UTC) - timedelta(days=100)
    store(key, at=at)
    kept = store(make_key(longer)[0], at=at)
    forget_exchanges()
    assert list(StoredExchange.objects.values_list("request_id", flat=True)) == [kept]


@pytest.mark.parametrize("columns", [{"prompt_retention_days": None}, {"closed_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_nothing_stays_of_an_organisation_that_turned_it_off_or_closed(
    organization: Organization, key: ApiKey, columns: dict[str, Any]
) -> None:
    store(key)
    Organization.objects.filter(pk=organization.pk).update(**columns)
    forget_exchanges()
    assert StoredExchange.objects.count() == 0


def test_many_are_deleted_some_at_a_time(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "AT_ONCE", 2)
    for _ in range(5):
        store(key, at=datetime.now(UTC) - timedelta(days=31))
    assert exchanges.forget(rounds=1) == 2
    assert exchanges.forget() == 3


# -- the setting --------------------------------------------------------------------------------------


def test_it_is_off_unless_somebody_turns_it_on() -> None:
    assert make_organization().prompt_retention_days is None


def test_the_owner_turns_it_on_and_changes_it(owner: Client, organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(prompt_retention_days=None)
    assert "Not stored" in text(owner.get(PAGE))
    assert "stored from now on, for 7 days" in text(owner.post(PAGE, {"days": "7"}, follow=True))
    assert "Stored for 7 days" in text(owner.get(PAGE))
    owner.post(PAGE, {"days": "7"})
    owner.post(PAGE, {"days": "1"})
    events = AuditEvent.objects.filter(action=Action.PROMPTS_CHANGED).order_by("pk")
    assert [event.details["days"] for event in events] == [{"before": None, "after": 7}, {"before": 7, "after": 1}]


@pytest.mark.parametrize(
    ("days", "told"), [("0", "At least 1 day."), ("366", "At most 365 days."), ("", "Say after how many days")]
)
def test_a_time_that_cannot_be_is_refused(owner: Client, organization: Organization, days: str, told: str) -> None:
    assert told in text(owner.post(PAGE, {"days": days}))
    organization.refresh_from_db()
    assert organization.prompt_retention_days == 30


def test_whoever_may_not_change_settings_sees_how_it_stands(developer: Client, organization: Organization) -> None:
    page = developer.get(PAGE)
    assert "Stored for 30 days" in text(page)
    assert b"<form" not in page.content.partition(b"<main")[2]
    assert developer.post(PAGE, {"days": "1"}).status_code == 403
    assert developer.get(STOP).status_code == developer.post(STOP).status_code == 403
    organization.refresh_from_db()
    assert organization.prompt_retention_days == 30


def test_turning_it_off_asks_first_and_then_deletes_everything(
    owner: Client, organization: Organization, key: ApiKey
) -> None:
    one, _ = store(key), store(key)
    theirs = store(make_key(make_organization("neighbour", prompt_retention_days=30))[0])
    assert "2 exchanges are deleted. Nobody can bring them back." in text(owner.get(STOP))
    assert StoredExchange.objects.count() == 3
    assert "Nothing is stored any more, and 2 exchanges were deleted." in text(owner.post(STOP, follow=True))
    organization.refresh_from_db()
    assert organization.prompt_retention_days is None
    assert list(StoredExchange.objects.values_list("request_id", flat=True)) == [theirs]
    assert owner.get(exchange(one)).headers["location"] == receipt(one)
    event = AuditEvent.objects.get(action=Action.PROMPTS_CHANGED)
    assert event.details == {"days": {"before": 30, "after": None}}
    assert owner.post(STOP).status_code == 302
    assert AuditEvent.objects.filter(action=Action.PROMPTS_CHANGED).count() == 1


def test_what_could_not_be_deleted_at_once_is_hidden_and_keeps_it_off(
    owner: Client, organization: Organization, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "AT_ONCE", 1)
    monkeypatch.setattr("gateway.views_prompts.FORGOTTEN_AT_ONCE", 1)
    kept = [store(key) for _ in range(3)]
    assert "The rest follows within a minute; nobody can read it." in text(owner.post(STOP, follow=True))
    assert [owner.get(exchange(one)).headers.get("location") for one in kept] == [receipt(one) for one in kept]
    assert "still being deleted" in text(owner.post(PAGE, {"days": "7"}, follow=True))
    organization.refresh_from_db()
    assert organization.prompt_retention_days is None
    forget_exchanges()
    assert "stored from now on" in text(owner.post(PAGE, {"days": "7"}, follow=True))


def test_the_page_belongs_to_settings(owner: Client) -> None:
    page = owner.get(PAGE).content.decode()
    assert '<a href="/o/acme/settings/" aria-current="page">' in page
    assert f'<a href="{PAGE}" aria-current="page">Stored prompts</a>' in page
    assert f'<a href="{PAGE}"' in owner.get("/o/acme/settings/").content.decode()


def test_more_than_can_be_counted_is_not_counted(owner: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MOST_COUNTED", 2)
    for _ in range(4):
        store(key)
    assert "More than 2 exchanges stored now" in text(owner.get(PAGE))


# -- keys of encryption -------------------------------------------------------------------------------


def test_what_is_stored_goes_along_to_a_new_key(
    developer: Client, key: ApiKey, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "AT_ONCE", 2)
    kept = [store(key) for _ in range(5)]
    former, new = settings.CREDENTIAL_KEYS, f"new:{Fernet.generate_key().decode()}"
    settings.CREDENTIAL_KEYS = f"{new},{former}"
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    assert out.getvalue().startswith("5 rotated to key new, 0 already there, 0 failed.")
    settings.CREDENTIAL_KEYS = new
    assert all("good day" in text(developer.get(exchange(one))) for one in kept)


def test_what_does_not_open_keeps_the_former_key(key: ApiKey, settings: Settings) -> None:
    store(key)
    settings.CREDENTIAL_KEYS = f"new:{Fernet.generate_key().decode()}"
    with pytest.raises(CommandError):
        call_command("rotate_credentials", stdout=StringIO())


def test_a_list_of_requests_shows_nothing_of_them(developer: Client, key: ApiKey) -> None:
    store(key)
    assert "good day" not in text(developer.get(LIST))
