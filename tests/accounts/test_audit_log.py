"""The audit log's page and its files: filters, pages, and the same rows either way."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts import audit, audit_query
from accounts.audit import Action, Actor
from accounts.models import ApiKey, AuditEvent, Membership, Organization, User
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
]

LOG = "/o/acme/audit-log/"


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7", HTTP_USER_AGENT="Firefox/140")
    request.user = user
    return request


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def events(organization: Organization, alice: User, bob: User, key: ApiKey) -> dict[str, AuditEvent]:
    """One of each kind of actor, a day each, the oldest first."""
    told: list[tuple[str, HttpRequest | Actor, Action]] = [
        ("alice", request_of(alice), Action.ORGANIZATION_CHANGED),
        ("bob", request_of(bob), Action.KEY_CREATED),
        ("operator", audit.operator(request_of(alice)), Action.KEY_CHANGED),
        ("system", audit.SYSTEM, Action.KEY_LEAKED),
        ("key", audit.key(request_of(bob), key), Action.PROJECT_CREATED),
    ]
    return {name: _at(day, organization, who, action) for day, (name, who, action) in enumerate(told, 1)}


def _at(day: int, organization: Organization, who: HttpRequest | Actor, action: Action) -> AuditEvent:
    with time_machine.travel(datetime(2026, 11, day, 12, tzinfo=UTC), tick=False):
        return audit.record(who, organization, action, reason=f"day {day}")


def shown(client: Client, query: str = "") -> list[int]:
    """The days of the events on the page, as they stand there."""
    page = client.get(f"{LOG}?{query}").content.decode()
    return [int(day) for day in re.findall(r"<dd[^>]*>day (\d+)</dd>", page)]


def exported(client: Client, shape: str, query: str = "") -> str:
    response = client.get(f"{LOG}export.{shape}?{query}")
    assert response.status_code == 200
    return b"".join(response).decode()


QUERIES = {
    "": [5, 4, 3, 2, 1],
    "person={bob}": [2],
    "person={alice}": [1],
    "person=operator": [3],
    "person=system": [4],
    "person=key": [5],
    "action=key": [4, 3, 2],
    "action=key.changed": [3],
    "since=2026-11-02": [5, 4, 3, 2],
    "until=2026-11-02": [2, 1],
    "since=2026-11-02&until=2026-11-04&action=key&person={bob}": [2],
    "person=9999999&action=nothing&since=x": [5, 4, 3, 2, 1],
}


@pytest.mark.usefixtures("events")
@pytest.mark.parametrize("query", QUERIES)
def test_page_and_files_show_what_is_asked_for_newest_first(owner: Client, alice: User, bob: User, query: str) -> None:
    asked = query.format(alice=alice.pk, bob=bob.pk)
    wanted = QUERIES[query]
    assert shown(owner, asked) == wanted
    rows = list(csv.DictReader(io.StringIO(exported(owner, "csv", asked))))
    assert [json.loads(row["details"])["reason"] for row in rows] == [f"day {day}" for day in wanted]
    told = [row for row in json.loads(exported(owner, "json", asked)) if row["action"] != "audit.exported"]
    assert [row["details"]["reason"] for row in told] == [f"day {day}" for day in wanted]


def test_a_filter_that_makes_no_sense_is_named(owner: Client) -> None:
    page = owner.get(f"{LOG}?since=yesterday").content.decode()
    assert "Enter a valid date." in page


def test_files_and_pages_keep_the_filters(owner: Client, events: dict[str, AuditEvent]) -> None:
    page = html.unescape(owner.get(f"{LOG}?action=key&before=9999").content.decode())
    assert f'href="{LOG}export.csv?action=key"' in page
    assert f'href="{LOG}export.json?action=key"' in page


def test_pages_follow_each_other_without_a_gap(
    owner: Client, organization: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_query, "PAGE", 3)
    for day in range(1, 8):
        audit.record(request_of(alice), organization, Action.KEY_CHANGED, reason=f"day {day}")
    path, seen = f"{LOG}?action=key", []
    while path:
        page = html.unescape(owner.get(path).content.decode())
        seen.append([int(day) for day in re.findall(r"<dd[^>]*>day (\d+)</dd>", page)])
        older = re.search(r'rel="next" href="(\?[^"]+)"', page)
        path = f"{LOG}{older.group(1)}" if older else ""
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "٣"])
def test_a_cursor_that_is_none_means_the_newest_page(owner: Client, events: dict[str, AuditEvent], before: str) -> None:
    assert shown(owner, f"before={before}") == [5, 4, 3, 2, 1]


def test_files_are_written_piece_by_piece(
    owner: Client, organization: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_query, "CHUNK", 2)
    for _ in range(5):
        audit.record(request_of(alice), organization, Action.KEY_CHANGED)
    assert len(json.loads(exported(owner, "json"))) == 5
    assert len(exported(owner, "csv").splitlines()) == 1 + 6  # and that the first file was taken


def test_an_empty_log_is_an_empty_file(owner: Client) -> None:
    assert json.loads(exported(owner, "json", "action=budget")) == []
    assert exported(owner, "csv", "action=budget").split("\r\n") == [",".join(audit_query.COLUMNS), ""]


def test_taking_a_file_is_an_event(owner: Client) -> None:
    exported(owner, "csv", "action=key")
    event = AuditEvent.objects.get()
    assert (event.action, event.details) == ("audit.exported", {"format": "csv", "filter": "action=key"})


def test_a_file_has_a_name_and_a_type(owner: Client) -> None:
    response = owner.get(f"{LOG}export.csv")
    assert re.fullmatch(r'attachment; filename="acme-audit-log-[\d-]{10}\.csv"', response["Content-Disposition"])
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert owner.get(f"{LOG}export.xlsx").status_code == 404


def test_no_spreadsheet_runs_what_somebody_was_called(owner: Client, organization: Organization) -> None:
    mallory = make_user("=cmd@acme.example")
    audit.record(request_of(mallory), organization, Action.KEY_CHANGED)
    assert next(csv.DictReader(io.StringIO(exported(owner, "csv"))))["actor"] == "'=cmd@acme.example"


@pytest.mark.usefixtures("events")
def test_of_staff_neither_name_nor_address_is_shown(owner: Client, organization: Organization) -> None:
    root = make_user("root@operator.example", is_staff=True)
    audit.record(audit.operator(request_of(root)), organization, Action.ORGANIZATION_SUSPENDED)
    everything = owner.get(LOG).content.decode() + exported(owner, "csv") + exported(owner, "json")
    assert "root@operator.example" not in everything
    told = json.loads(exported(owner, "json", "person=operator"))
    assert {(row["actor"], row["address"], row["user_agent"]) for row in told} == {("The operator", None, "")}


def test_another_organisations_events_are_not_there(
    owner: Client, charlie: User, events: dict[str, AuditEvent]
) -> None:
    theirs = Organization.objects.get(slug="stranger")
    audit.record(request_of(charlie), theirs, Action.KEY_CHANGED, reason="day 99")
    assert 99 not in shown(owner)
    assert "day 99" not in exported(owner, "json")
    assert "charlie@" not in owner.get(LOG).content.decode()


def test_who_has_left_can_still_be_asked_for(owner: Client, events: dict[str, AuditEvent], bob: User) -> None:
    Membership.objects.filter(user=bob).delete()
    assert f'value="{bob.pk}"' in owner.get(LOG).content.decode()
    assert shown(owner, f"person={bob.pk}") == [2]


def test_names_in_the_log_are_text(owner: Client, organization: Organization, alice: User) -> None:
    audit.record(request_of(alice), organization, Action.ORGANIZATION_CHANGED, name=audit.Change("a", "<b>x</b>"))
    assert "<b>x" not in owner.get(LOG).content.decode()


@pytest.mark.parametrize(
    ("query", "said"),
    [("", "Nothing happened yet"), ("action=key", "Nothing matches"), ("before=1", "Nothing matches")],
)
def test_an_empty_page_says_what_would_be_there(owner: Client, query: str, said: str) -> None:
    assert said in owner.get(f"{LOG}?{query}").content.decode()


def test_a_page_costs_the_same_however_long_the_log_is(
    owner: Client, organization: Organization, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(60):
        audit.record(request_of(alice), organization, Action.KEY_CHANGED)
    owner.get(LOG)
    with django_assert_max_num_queries(8):
        owner.get(LOG)
