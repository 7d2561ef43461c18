"""The first minute: a key with one click, lines that work, and the first request seen when it comes."""

from __future__ import annotations

import html
import json
import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import keys
from accounts.models import ApiKey, AuditEvent, Membership, Organization, User
from billing.models import UsageDay
from gateway import request_ids
from gateway.first_model import working_model
from gateway.start import floor
from tests.factories import make_credit, make_key, make_model, make_price, make_provider, make_route, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

START, SEEN = "/o/acme/start/", "/o/acme/start/seen/"
Role = Membership.Role


@pytest.fixture
def owner(organization: Organization, alice: User) -> Client:
    make_model("sandbox/echo", sandbox=True)
    client = Client()
    client.force_login(alice)
    return client


def words(response: Any) -> str:
    assert response.status_code in {200, 286}, response
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


def hidden(response: Any, name: str) -> str:
    (value,) = re.findall(rf'name="{name}" value="([^"]+)"', response.content.decode())
    return str(value)


def make(client: Client) -> Any:
    return client.post(START, {"form": hidden(client.get(START), "form")})


def secret_of(response: Any) -> str:
    (secret,) = set(keys.PATTERN.findall(response.content.decode()))
    return str(secret)


def ended(key: ApiKey, at: datetime | None = None, **fields: Any) -> uuid.UUID:
    """A request of the key, as the ledger has it."""
    at = at or timezone.now()
    number = uuid.UUID(int=floor(at).int | (request_ids.new().int & ((1 << 80) - 1)))
    record = {
        "organization_id": key.organization_id, "request_id": str(number), "external_id": "", "api_key_id": key.pk,
        "model_requested": "small", "model": "small", "provider": "p", "upstream_model": "small", "stream": False,
        "status": 200, "error_code": "", "started_at": at, "ended_at": at, "duration_ms": 412, "input_tokens": 9,
        "output_tokens": 5, **fields,
    }  # fmt: skip
    columns = ", ".join(record)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO billing_usageevent ({columns}) VALUES ({', '.join(['%s'] * len(record))})",  # noqa: S608
            list(record.values()),
        )
    return number


def asked(client: Client, key: ApiKey, state: str = "none", **given: Any) -> Any:
    return client.get(SEEN, {"key": key.pk, "state": state, "since": int(timezone.now().timestamp()), **given})


# -- the key -----------------------------------------------------------------------------------------


def test_one_click_makes_a_key_and_shows_it_once_with_lines_that_hold_it(owner: Client, alice: User) -> None:
    response = make(owner)
    secret, key = secret_of(response), ApiKey.objects.get()
    assert (key.owner, key.scopes, key.service_account) == (alice, ["chat", "embeddings"], False)
    for told in (f"Bearer {secret}", f'api_key="{secret}"', f'apiKey: "{secret}"', f'OPENAI_API_KEY="{secret}"'):
        assert told in words(response)
    assert "sandbox/echo" in words(response)
    assert "no-store" in response.headers["cache-control"]
    assert [event.action for event in AuditEvent.objects.all()] == ["key.created"]


def test_a_reload_loses_the_secret_and_not_the_way(owner: Client) -> None:
    secret = secret_of(make(owner))
    page = owner.get(START)
    key = ApiKey.objects.get()
    assert secret not in page.content.decode()
    assert key.hint in words(page)
    assert "Get a new secret" in words(page)
    renewed = owner.post(START, {"seen": hidden(page, "seen")})
    assert secret_of(renewed) != secret
    assert ApiKey.objects.count() == 1
    assert [one.works for one in key.secrets.all()] == [True, False]


def test_a_form_that_is_sent_again_makes_no_other_key(owner: Client) -> None:
    form = {"form": hidden(owner.get(START), "form")}
    owner.post(START, form)
    again = owner.post(START, form, follow=True)
    assert ApiKey.objects.count() == 1
    assert "has made the key First key" in words(again)
    seen = {"seen": hidden(owner.get(START), "seen")}
    owner.post(START, seen)
    assert "rotated a moment ago" in words(owner.post(START, seen, follow=True))


@pytest.mark.parametrize("sent", [{}, {"form": "x"}, {"seen": "x"}, {"seen": "9" * 30}])
def test_a_form_that_was_tampered_with_makes_a_key_like_any_other(owner: Client, sent: dict[str, str]) -> None:
    assert keys.well_formed(secret_of(owner.post(START, sent)))


@pytest.mark.parametrize("role", [Role.BILLING, Role.VIEWER])
def test_whoever_makes_no_keys_is_told_whom_to_ask(owner: Client, organization: Organization, role: Role) -> None:
    client, user = Client(), make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    assert "ask one of them for a key" in words(client.get(START))
    assert client.post(START).status_code == 403


def test_another_members_key_is_not_ones_own(owner: Client, key: ApiKey) -> None:
    assert "Create key" in words(owner.get(START))
    assert asked(owner, key).headers["HX-Refresh"] == "true"


# -- the model ---------------------------------------------------------------------------------------


@pytest.fixture
def mine(owner: Client, organization: Organization, alice: User) -> ApiKey:
    return make_key(organization, owner=alice)[0]


def serve(name: str, price: str, **fields: Any) -> None:
    provider = make_provider(needs_credential=fields.pop("needs_credential", False))
    make_route(make_model(name, **fields), provider)
    make_price(name, input=price, output=price)


def test_with_credit_it_is_the_cheapest_that_is_served(mine: ApiKey, organization: Organization) -> None:
    serve("dear", "10")
    serve("cheap", "1")
    serve("without-credential", "0.1", needs_credential=True)
    serve("gone", "0.1", shutdown_on=timezone.now().date())
    serve("vectors", "0.1", capabilities={"chat": False, "embeddings": True})
    serve("switched-off", "0.1", enabled=False)
    make_model("unpriced")
    assert working_model(mine) == "sandbox/echo"
    make_credit(organization)
    assert working_model(mine) == "cheap"


def test_one_that_costs_nothing_needs_no_credit(mine: ApiKey) -> None:
    serve("gift", "0")
    assert working_model(mine) == "gift"


def test_it_is_one_that_the_key_may_use(mine: ApiKey, organization: Organization) -> None:
    serve("cheap", "1")
    serve("dear", "10")
    make_credit(organization)
    mine.models_allowed = ["de*"]
    assert working_model(mine) == "dear"
    mine.scopes = ["usage"]
    assert working_model(mine) is None


def test_no_credit_is_said_with_what_to_do(owner: Client, organization: Organization) -> None:
    make(owner)
    assert "which costs nothing and repeats what you say. For other models, add credit" in words(owner.get(START))
    Organization.objects.filter(pk=organization.pk).update(sandbox_enabled=False)
    assert "Acme has no credit, so what costs something is refused." in words(owner.get(START))
    make_credit(organization)
    assert "has no credit" not in words(owner.get(START))


# -- the first request -------------------------------------------------------------------------------


def test_nothing_new_is_an_empty_answer(owner: Client, mine: ApiKey) -> None:
    assert "Waiting for a request" in words(owner.get(START))
    assert asked(owner, mine).status_code == 204


def test_a_request_that_succeeded_is_seen_with_what_it_came_to(owner: Client, mine: ApiKey) -> None:
    ended(mine, charged_nano=842_000, held_nano=842_000)
    response = asked(owner, mine)
    for told in ("It worked.", "small", "200", "412 ms", "9 in, 5 out", "$0.000842"):
        assert told in words(response), told
    assert "hx-trigger" not in response.content.decode()
    assert Membership.objects.get(user=mine.owner).started_at is not None
    assert "You are all set" in words(owner.get(START))


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (402, "insufficient_quota", "Add credit"),
        (404, "model_not_found", "Copy the lines of step 2"),
        (429, "rate_limit_exceeded", "Wait for a moment"),
        (502, "upstream_error", "The provider of the model failed."),
        (400, "unsupported_value", "says which field is wrong"),
        (499, "", "hung up before the answer"),
    ],
)
def test_a_request_that_failed_says_what_to_do_and_goes_on_looking(
    owner: Client, mine: ApiKey, status: int, code: str, told: str
) -> None:
    number = ended(mine, status=status, error_code=code)
    response = asked(owner, mine)
    assert str(status) in words(response)
    assert told in words(response)
    assert 'hx-trigger="every 1s"' in response.content.decode()
    assert asked(owner, mine, state=f"failed:{number}").status_code == 204
    ended(mine)
    assert "It worked." in words(asked(owner, mine, state=f"failed:{number}"))


def test_a_request_under_way_is_seen_before_its_answer(owner: Client, mine: ApiKey) -> None:
    make_credit(mine.organization)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, amount_nano, model_requested, model,"
            " stream) VALUES (%s, %s, %s, 0, 'slow', 'slow', false)",
            [mine.organization_id, request_ids.new(), mine.pk],
        )
    assert "slow has not answered yet" in words(asked(owner, mine))


def test_requests_of_other_keys_and_organisations_are_not_seen(owner: Client, mine: ApiKey, key: ApiKey) -> None:
    ended(key)
    ended(make_key()[0])
    assert asked(owner, mine).status_code == 204


def test_a_key_that_was_used_long_ago_is_known_from_the_roll_ups(owner: Client, mine: ApiKey) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    ApiKey.objects.filter(pk=mine.pk).update(created_at=long_ago)
    assert "Waiting for a request" in words(owner.get(START))
    UsageDay.objects.create(
        organization=mine.organization, api_key_id=mine.pk, day=long_ago.date(), requests=3, errors=1
    )
    assert "This key has been used." in words(owner.get(START))


def test_a_page_that_was_left_open_stops_asking(owner: Client, mine: ApiKey) -> None:
    response = asked(owner, mine, since=int(timezone.now().timestamp()) - 1801)
    assert response.status_code == 286
    assert "Nothing has come in half an hour" in words(response)
    assert "hx-trigger" not in response.content.decode()


@pytest.mark.parametrize("given", [{"since": "x"}, {"since": "9" * 11}, {"state": "\x00"}])
def test_what_the_address_says_wrongly_breaks_nothing(owner: Client, mine: ApiKey, given: dict[str, str]) -> None:
    assert asked(owner, mine, **given).status_code in {200, 204}


def test_asking_is_cheap(owner: Client, mine: ApiKey, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    asked(owner, mine)
    with django_assert_max_num_queries(8):
        asked(owner, mine)


def test_whoever_wants_no_help_is_not_led_here_again(owner: Client) -> None:
    assert owner.get("/dashboard/").headers["location"] == START
    assert owner.post(START, {"skip": "yes"}).headers["location"] == "/o/acme/"
    assert owner.get("/dashboard/").headers["location"] == "/o/acme/"


def test_the_parts_that_hold_the_secret_go_when_the_page_does(owner: Client) -> None:
    response = make(owner)
    page, secret = response.content.decode(), secret_of(response)
    without = re.sub(r"<(div|p)[^>]*data-shown-once.*?</\1>", "", page, flags=re.DOTALL)
    assert page.count(secret) == len(response.context["samples"]) + 1
    assert secret not in without
    assert json.dumps(secret) not in without
