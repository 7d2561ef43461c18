"""The status page: in words and shares, for whom the operator wants, with no word about anybody's requests."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings
from redis.exceptions import ConnectionError as ValkeyAwayError

from accounts.models import Organization, User
from gateway import health, status
from gateway.models import Provider, ProviderDay, ProviderHealth, StatusNote
from tests.factories import make_model, make_provider, make_route, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

NOW = datetime(2026, 11, 20, 12, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def openai() -> Provider:
    return make_served("openai", name="OpenAI")


def make_served(slug: str, **fields: Any) -> Provider:
    """A provider that serves a model and needs no credential."""
    model = make_model(f"{slug}-model", **fields.pop("model", {}))
    provider = make_provider(slug, **{"needs_credential": False, **fields})
    make_route(model, provider)
    return provider


def make_minutes(ago: int, *, answered: int = 0, failed: int = 0, provider: str = "openai", **fields: Any) -> None:
    at = health.floor(NOW - timedelta(minutes=ago))
    ProviderHealth.objects.create(provider=provider, at=at, answered=answered, failed=failed, **fields)


def make_day(ago: int, *, answered: int = 0, failed: int = 0, provider: str = "openai", **fields: Any) -> None:
    day = NOW.date() - timedelta(days=ago)
    ProviderDay.objects.create(provider=provider, day=day, answered=answered, failed=failed, **fields)


def line() -> status.Line:
    (found,) = status.report(NOW).lines
    return found


def page(client: Client) -> str:
    response = client.get("/status/")
    assert response.status_code == 200
    return html.unescape(response.content.decode())


@pytest.mark.parametrize(
    ("answered", "failed", "tone", "words"),
    [
        (100, 0, "good", "Works"),
        (199, 1, "good", "Works"),
        (99, 1, "warn", "Some failures"),
        (91, 9, "warn", "Some failures"),
        (90, 10, "bad", "Failing"),
        (0, 20, "bad", "Failing"),
        (10, 9, "", "Too little was called to say"),
        (0, 19, "", "Too little was called to say"),
    ],
)
def test_a_provider_is_judged_by_the_calls_that_failed(
    openai: Provider, answered: int, failed: int, tone: str, words: str
) -> None:
    make_minutes(0, answered=answered, failed=failed)
    assert line().now == status.State(tone, words)


def test_no_data_is_not_good_news(openai: Provider) -> None:
    assert line().now == status.State("", "No data")
    assert {cell.state.words for cell in line().days} == {"No data"}
    assert status.report(NOW).overall.tone == ""


def test_the_last_minutes_count_where_they_say_enough_and_else_the_last_hour(openai: Provider) -> None:
    make_minutes(40, failed=30)
    make_minutes(0, answered=19)
    assert line().now.words == "Failing"
    cache.clear()
    make_minutes(5, answered=1)
    assert line().now.words == "Works"


def test_what_is_longer_ago_than_an_hour_says_nothing_about_now(openai: Provider) -> None:
    make_minutes(70, failed=100)
    assert line().now.words == "No data"


def test_a_rate_limit_is_told_as_one(openai: Provider) -> None:
    make_minutes(0, answered=10, limited=30)
    make_day(1, answered=10, limited=30)
    assert line().now == status.State("warn", "At its rate limit")
    assert line().days[-2].state.words == "At its rate limit"


def test_there_are_ninety_days_and_the_last_is_today(openai: Provider) -> None:
    make_day(0, answered=1000)
    make_day(89, answered=970, failed=30)
    make_day(90, failed=1000)
    days = line().days
    assert (len(days), days[-1].day, days[0].day) == (90, NOW.date(), date(2026, 8, 23))
    assert (days[-1].state.words, days[-1].share) == ("Worked", "100")
    assert (days[0].state.words, days[0].share) == ("Some failures", "97.0")


def test_a_day_of_the_change_of_clocks_is_a_day_like_any_other(openai: Provider, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    days = [cell.day for cell in line().days]
    assert date(2026, 10, 25) in days
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 89


def test_a_share_is_never_rounded_up(openai: Provider) -> None:
    make_day(1, answered=999_999, failed=1)
    assert line().days[-2].share == "99.9"
    assert line().share == "99.99"


def test_of_little_traffic_no_share_is_told(client: Client, openai: Provider) -> None:
    make_day(1, answered=18, failed=1)
    assert line().days[-2] == status.Cell(date(2026, 11, 19), status.State("", "Too little traffic"))
    assert "Too few calls for a share" in page(client)


def test_no_count_of_requests_is_on_the_page(client: Client, openai: Provider) -> None:
    make_minutes(0, answered=31337, failed=7919, first_token_ms=431)
    make_minutes(30, answered=31337, failed=27919)
    make_day(0, answered=62674, failed=35838)
    shown = page(client)
    for count in (31337, 7919, 27919, 62674, 35838, 31337 + 7919, 62674 + 35838):
        assert str(count) not in shown
        assert f"{count:,}" not in shown
    assert "431 ms" in shown


def test_every_day_is_in_a_table_too(client: Client, openai: Provider) -> None:
    make_day(3, answered=950, failed=50)
    shown = re.sub(r"\s+", " ", page(client))
    assert '<tr><td>2026-11-17</td><td>Some failures</td><td class="number">95.0 %</td></tr>' in shown
    assert shown.count("<tr><td>2026-") == 90


@pytest.mark.parametrize(
    "hidden",
    [
        {"listed": False},
        {"enabled": False},
        {"needs_credential": True},
        {"model": {"sandbox": True}},
        {"model": {"enabled": False}},
    ],
)
def test_a_provider_that_the_public_is_not_told_of_is_not_there(client: Client, hidden: dict[str, Any]) -> None:
    make_served("internal", name="Secret Machine", **hidden)
    make_minutes(0, answered=100, failed=100, provider="internal")
    shown = page(client)
    assert "Secret Machine" not in shown
    assert "internal" not in shown
    assert "No provider is set up yet." in shown


def test_the_first_sentence_names_what_fails(openai: Provider) -> None:
    for slug, name in (("a", "Anthropic"), ("g", "Google Gemini")):
        make_served(slug, name=name)
    make_minutes(0, answered=100)
    assert status.report(NOW).overall == status.State("good", "Everything that was called in the last hour works.")
    cache.clear()
    make_minutes(0, answered=97, failed=3, provider="g")
    assert status.report(NOW).overall == status.State("warn", "Some calls of Google Gemini fail.")
    cache.clear()
    make_minutes(0, failed=100, provider="a")
    assert status.report(NOW).overall == status.State("bad", "Anthropic is failing.")
    cache.clear()
    make_minutes(5, failed=400, provider="g")
    assert status.report(NOW).overall == status.State("bad", "Anthropic and Google Gemini are failing.")


# -- incidents and notes ---------------------------------------------------------------------------


def test_failures_close_to_one_another_are_one_incident(openai: Provider) -> None:
    for ago in (120, 115, 100, 60):
        make_minutes(ago, answered=10, failed=30)
    make_minutes(110, answered=100)
    first, second = status.report(NOW).incidents[::-1]
    assert (first.start, first.end) == (NOW - timedelta(minutes=122), NOW - timedelta(minutes=97))
    assert (second.start, second.end, second.share) == (
        NOW - timedelta(minutes=62), NOW - timedelta(minutes=57), "75",
    )  # fmt: skip


def test_an_incident_that_goes_on_has_no_end(client: Client, openai: Provider) -> None:
    make_minutes(0, failed=30)
    (incident,) = status.report(NOW).incidents
    assert incident.end is None
    assert "OpenAI: 100 % of calls failed" in page(client)


@pytest.mark.parametrize(("answered", "failed"), [(80, 20), (0, 19), (1, 2)])
def test_a_few_failures_are_no_incident(openai: Provider, answered: int, failed: int) -> None:
    make_minutes(30, answered=answered, failed=failed)
    assert status.report(NOW).incidents == ()


def test_what_staff_say_stands_on_top_while_it_holds_and_below_afterwards(client: Client, openai: Provider) -> None:
    StatusNote.objects.create(title="Now", body="<b>bold</b>", starts_at=NOW - timedelta(hours=1))
    StatusNote.objects.create(title="Before", starts_at=NOW - timedelta(hours=3), ends_at=NOW - timedelta(hours=2))
    StatusNote.objects.create(title="To come", starts_at=NOW + timedelta(hours=1))
    StatusNote.objects.create(title="Long ago", starts_at=NOW - timedelta(days=95), ends_at=NOW - timedelta(days=94))
    content = client.get("/status/").content.decode()
    assert content.index("Now</h2>") < content.index("Providers</h2>") < content.index("Before</h3>")
    assert "To come" not in content
    assert "Long ago" not in content
    assert "&lt;b&gt;bold" in content
    assert "<b>bold" not in content


# -- who sees it, and from where it comes ----------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "visitor", "member", "stranger", "staff"),
    [("public", 200, 200, 200, 200), ("members", 302, 200, 404, 200), ("staff", 302, 404, 404, 200)],
)
def test_the_operator_says_who_sees_it(
    settings: Settings, organization: Organization, bob: User,
    setting: str, visitor: int, member: int, stranger: int, staff: int,
) -> None:  # fmt: skip
    settings.STATUS_PAGE = setting
    people = {None: visitor, bob: member, make_user(): stranger, make_user(is_staff=True): staff}
    for user, expected in people.items():
        client = Client()
        if user:
            client.force_login(user)
        assert client.get("/status/").status_code == expected


@pytest.mark.parametrize(
    ("setting", "visitor", "member", "staff"),
    [("public", True, True, True), ("members", False, True, True), ("staff", False, False, True)],
)
def test_only_whoever_may_see_it_is_led_there(
    settings: Settings, organization: Organization, bob: User,
    setting: str, visitor: bool, member: bool, staff: bool,
) -> None:  # fmt: skip
    settings.STATUS_PAGE = setting
    for user, expected in {None: visitor, bob: member, make_user(is_staff=True): staff}.items():
        client = Client()
        if user:
            client.force_login(user)
        assert ('href="/status/"' in client.get("/docs/").content.decode()) == expected


def test_a_page_for_everybody_may_be_kept_and_one_for_somebody_may_not(client: Client, settings: Settings) -> None:
    assert client.get("/status/").headers["Cache-Control"] == "public, max-age=60"
    client.cookies["theme"] = "dark"
    assert client.get("/status/").headers["Cache-Control"] == "private, no-cache"
    settings.STATUS_PAGE = "members"
    client.force_login(make_user(is_staff=True))
    assert "private" in client.get("/status/").headers["Cache-Control"]


def test_it_is_made_once_a_minute(client: Client, openai: Provider, django_assert_num_queries: Any) -> None:
    page(client)
    with django_assert_num_queries(0):
        page(client)


def test_it_is_made_for_each_caller_while_valkey_is_away(
    client: Client, openai: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise ValkeyAwayError

    monkeypatch.setattr(cache, "get", away)
    monkeypatch.setattr(cache, "set", away)
    shown = page(client)
    assert "OpenAI" in shown
    assert "Valkey does not answer" in shown


def test_without_the_database_it_says_that(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(now: datetime) -> status.Report:
        raise DatabaseError

    monkeypatch.setattr(status, "report", away)
    response = client.get("/status/")
    assert response.status_code == 503
    assert "The gateway&#x27;s database does not answer." in response.content.decode()
    assert "Incidents" not in response.content.decode()
