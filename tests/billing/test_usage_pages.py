"""The overview and the page of usage: what is shown is what was used, by the clock of whoever looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiKey, Membership, Organization, User
from billing import periods, rollups
from billing.models import BudgetPeriod
from tests.billing.receiver import make_budget
from tests.billing.usage_pages import CSV, DAY, HOUR, NOW, USAGE, drawn, text, use, words
from tests.factories import make_key, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


# -- the overview -------------------------------------------------------------------------------------


def test_the_dashboard_opens_with_the_overview_once_the_first_steps_are_over(
    member: Client, organization: Organization
) -> None:
    organization.memberships.update(started_at=timezone.now())
    assert member.get("/dashboard/").headers["location"] == "/o/acme/"
    page = text(member, "/o/acme/")
    assert re.search(r'href="/o/acme/" aria-current="page"', page)
    assert member.post("/o/acme/").status_code == 405


def test_a_new_organisation_is_told_what_will_be_here_and_what_to_do(
    member: Client, organization: Organization
) -> None:
    page = text(member, "/o/acme/")
    assert "Nothing was used yet" in page
    assert 'href="/o/acme/keys/new/"' in page
    viewer = make_user()
    Membership.objects.create(organization=organization, user=viewer, role=Membership.Role.VIEWER)
    member.force_login(viewer)
    page = text(member, "/o/acme/")
    assert "Nothing was used yet" in page
    assert 'href="/o/acme/keys/new/"' not in page


def test_what_was_used_long_ago_is_one_click_away(member: Client, key: ApiKey) -> None:
    use(key, NOW - 70 * DAY, 1)
    rollups.roll_up()
    page = text(member, "/o/acme/")
    assert "Nothing was used in the last 30 days" in page
    assert 'href="/o/acme/usage/?range=12m&zone=UTC"' in page
    assert "Spent today $0.00" in words(page)
    assert "September 2026" in drawn(member, f"{USAGE}?range=12m")["names"]


def test_the_tiles_sum_up_today_this_month_and_the_last_24_hours(member: Client, key: ApiKey) -> None:
    use(key, NOW - 2 * HOUR, 3, input_tokens=600, cache_read_tokens=300, output_tokens=100, first_token_ms=40)
    use(key, NOW - 14 * HOUR, 2, status=500, duration_ms=300)  # yesterday evening
    use(key, NOW - DAY - 2 * HOUR, 1.5)  # yesterday by this hour
    use(key, NOW - DAY + HOUR, 9)  # yesterday, later than by this hour
    use(key, NOW - 20 * DAY, 4.5)
    use(key, NOW - 31 * DAY - HOUR, 10)  # last month by this hour
    use(key, NOW - 29 * DAY, 99)  # last month, later
    rollups.roll_up()
    said = words(text(member, "/o/acme/"))
    assert "Spent today $3.00 100 % more than in the same hours yesterday" in said
    assert "Spent in November $20.00 100 % more than in the same time last month" in said
    assert "Requests 3 200 % more than in the 24 hours before" in said
    assert "Tokens 1,000 none in the 24 hours before 30 % from caches" in said
    assert "Errors 1 none in the 24 hours before 33 % of requests" in said
    assert "Latency 167 ms 67 % slower than in the 24 hours before" in said
    assert "Time to first token 40 ms" in said
    assert "What did the last 30 days cost, by model?" in said


def test_the_hour_that_is_running_is_shown_and_not_compared(member: Client, key: ApiKey) -> None:
    use(key, NOW - HOUR, 1)
    use(key, NOW, 5)
    use(key, NOW - DAY - HOUR, 1)
    rollups.roll_up()
    assert "Spent today $6.00 as in the same hours yesterday" in words(text(member, "/o/acme/"))


def test_this_month_stands_beside_the_tightest_budget_of_the_organisation(
    member: Client, organization: Organization, key: ApiKey
) -> None:
    use(key, NOW, 3)
    rollups.roll_up()
    for name, limit, spent in (("Wide", 500, 3), ("Tight", 10, 8)):
        budget = make_budget(organization, name=name, limit_nano=limit * 10**9)
        BudgetPeriod.objects.create(
            organization=organization, budget=budget, starts_at=periods.start("month", NOW), spent_nano=spent * 10**9
        )
    make_budget(organization, name="Key", scope="api_key", target_id=key.pk)
    page = text(member, "/o/acme/")
    assert "$8.00 of $10.00 in Tight, resets 1 December, 00:00 UTC" in re.sub(" +", " ", words(page)).replace(
        " in", " in"
    )
    assert "bar-of near" in page
    assert "Budgets nearest to their end Wide" in words(page)


def test_who_cost_most_is_ranked_and_leads_to_more(member: Client, organization: Organization, key: ApiKey) -> None:
    for number in range(8):
        other, _ = make_key(organization, name=f"key-{number}")
        use(other, NOW, number + 1, model=f"model-{number}")
    rollups.roll_up()
    page = text(member, "/o/acme/")
    assert "model-7 $8.00 22 % model-6 $7.00 19 %" in words(page)
    assert "3 more $6.00 17 %" in words(page)
    wide = ApiKey.objects.get(name="key-7")
    assert f'href="/o/acme/usage/?key={wide.pk}&group=model&zone=UTC"' in page


def test_the_part_that_is_fetched_again_is_no_whole_page(member: Client, key: ApiKey) -> None:
    use(key, NOW, 1)
    rollups.roll_up()
    for path in ("/o/acme/", USAGE):
        whole = text(member, path)
        assert 'id="live"' in whole
        assert 'hx-trigger="every 20s, awake"' in whole
        part = text(member, path, **{"hx-request": "true", "hx-target": "live"})
        assert "<html" not in part
        assert "$1.00" in part
        assert "<html" in text(member, path, **{"hx-request": "true"})  # a page that is swapped in as a whole


def test_what_is_over_is_not_fetched_again(member: Client) -> None:
    assert 'id="live-again"' not in text(member, f"{USAGE}?range=last-month")


# -- what is drawn, and said --------------------------------------------------------------------------


def test_a_chart_has_a_question_an_answer_and_its_numbers(member: Client, key: ApiKey) -> None:
    use(key, NOW - DAY, 3, model="big")
    use(key, NOW, 1, model="small")
    use(key, NOW - 31 * DAY, 2, model="big")
    rollups.roll_up()
    said = words(text(member, USAGE))
    assert "What did the last 30 days cost, by model?" in said
    assert "$4.00, 50 % more than in the 30 days before. 75 % of it is big." in said
    data = drawn(member)
    assert [(one["label"], one["colour"], one["values"][-2:]) for one in data["series"]] == [
        ("big", 1, [3 * 10**9, 0]),
        ("small", 2, [0, 10**9]),
    ]
    assert (data["total"][-2:], data["running"], len(data["names"])) == ([3 * 10**9, 10**9], 29, 30)
    assert data["previous"][-2:] == [2 * 10**9, 0]
    assert (data["names"][-1], data["from"][-1], data["to"][-1]) == (
        "Wed 25 November 2026",
        "2026-11-25",
        "2026-11-25",
    )


@pytest.mark.parametrize(
    ("metric", "value", "question"),
    [
        ("spend", 4 * 10**9, "What did 25 November 2026 cost"),
        ("requests", 2, "How many requests came"),
        ("tokens", 1111, "How many tokens were used"),
        ("input", 1001, "How many tokens were read"),
        ("cached", 10, "How many tokens came from caches"),
        ("output", 100, "How many tokens were written"),
        ("errors", 1, "How many requests failed"),
        ("latency", 200, "How long did requests take"),
        ("first-token", 30, "How long did the first token take"),
    ],
)
def test_every_metric_is_drawn(member: Client, key: ApiKey, metric: str, value: int, question: str) -> None:
    use(key, NOW, 3, input_tokens=1000, cache_read_tokens=10, output_tokens=100, first_token_ms=30, duration_ms=300)
    use(key, NOW, 1, cache_write_5m_tokens=1, status=429)
    rollups.roll_up()
    path = f"{USAGE}?from=2026-11-25&to=2026-11-25&metric={metric}&group=none&by=day"
    assert drawn(member, path)["total"] == [value]
    assert question in words(text(member, path))


def test_averages_are_gaps_where_nothing_was_and_are_not_stacked(member: Client, key: ApiKey) -> None:
    use(key, NOW - 2 * HOUR)
    use(key, NOW)
    rollups.roll_up()
    data = drawn(member, f"{USAGE}?range=24h&metric=latency")
    assert data["total"][-3:] == [100, None, 100]
    assert data["series"][0]["values"][-3:] == [100, None, 100]
    assert (data["stacked"], data["totalWord"]) == (False, "Average")
    assert "100 ms on average" in words(text(member, f"{USAGE}?range=24h&metric=latency"))


def test_the_running_hour_has_nothing_to_be_compared_with(member: Client, key: ApiKey) -> None:
    use(key, NOW)
    use(key, NOW - DAY)
    use(key, NOW - DAY - HOUR)
    rollups.roll_up()
    data = drawn(member, f"{USAGE}?range=24h&metric=requests")
    assert data["previous"][-2:] == [1, None]


def test_tokens_come_in_kinds(member: Client, key: ApiKey) -> None:
    use(key, NOW, input_tokens=5, cache_read_tokens=3, output_tokens=2)
    rollups.roll_up()
    data = drawn(member, f"{USAGE}?metric=tokens&group=kind")
    assert [(one["label"], one["values"][-1]) for one in data["series"]] == [
        ("Input", 5),
        ("Cached input", 3),
        ("Output", 2),
    ]
    assert "Only tokens come in kinds" in text(member, f"{USAGE}?metric=spend&group=kind")


def test_the_ninth_name_and_the_rest_are_drawn_together(member: Client, key: ApiKey) -> None:
    for number in range(11):
        use(key, NOW, number + 1, model=f"model-{number:02}")
    rollups.roll_up()
    series = drawn(member)["series"]
    assert [one["label"] for one in series] == [f"model-{n:02}" for n in range(10, 2, -1)] + ["3 others"]
    assert (series[-1]["colour"], series[-1]["values"][-1]) == (0, 6 * 10**9)
    assert "66" in words(text(member, USAGE))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_a_day_is_the_zones_own(member: Client, key: ApiKey, zone: str) -> None:
    use(key, datetime(2026, 11, 23, 23, 10, tzinfo=UTC), 1)  # the 24th in Berlin and in Kolkata
    use(key, datetime(2026, 11, 23, 18, 40, tzinfo=UTC), 2)  # 00:10 of the 24th in Kolkata, in an hour of the 23rd
    rollups.roll_up()
    data = drawn(member, f"{USAGE}?range=7d&zone={zone}")
    days = {name: total for name, total in zip(data["from"], data["total"], strict=True) if total}
    expected = {
        "UTC": {"2026-11-23": 3 * 10**9},
        "Europe/Berlin": {"2026-11-23": 2 * 10**9, "2026-11-24": 10**9},
        "Asia/Kolkata": {"2026-11-23": 2 * 10**9, "2026-11-24": 10**9},
    }
    assert days == expected[zone]
    said = text(member, f"{USAGE}?range=7d&zone={zone}")
    assert f"Times are in {zone}" in said
    assert ("begin here at 30 minutes past" in said) == (zone == "Asia/Kolkata")


def test_the_chosen_zone_is_kept_in_the_browser_and_out_of_the_address(member: Client, key: ApiKey) -> None:
    use(key, NOW)
    rollups.roll_up()
    response = member.get(f"{USAGE}?range=7d&zone=Europe/Berlin&remember=1")
    assert response.status_code == 302
    assert response.headers["location"] == f"{USAGE}?range=7d&zone=Europe%2FBerlin"
    assert "Times are in Europe/Berlin, UTC+1" in text(member, USAGE)
    assert "Times are in Asia/Tokyo, UTC+9" in text(member, f"{USAGE}?zone=Asia/Tokyo")
    assert "Times are in Europe/Berlin" in text(member, USAGE)  # a link of somebody else's changed nothing
    member.get("/o/acme/?zone=Nowhere&remember=1")
    assert "Times are in Europe/Berlin" in text(member, USAGE)
    member.cookies["zone"] = "../../etc/passwd"
    assert "Times are in UTC" in text(member, USAGE)


# -- cost ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/o/acme/", USAGE, f"{USAGE}?group=key&zone=Europe/Berlin", CSV])
def test_no_event_is_read_and_queries_do_not_grow_with_the_usage(
    member: Client, organization: Organization, key: ApiKey, path: str
) -> None:
    use(key, NOW, 1)
    rollups.roll_up()
    member.get(path)
    with CaptureQueriesContext(connection) as before:
        member.get(path)
    for number in range(6):
        use(make_key(organization)[0], NOW - number * DAY, 1, model=f"m{number}")
    rollups.roll_up()
    with CaptureQueriesContext(connection) as after:
        member.get(path)
    assert len(after) == len(before)
    assert not [query for query in after if "billing_usageevent" in query["sql"]]


def test_the_pages_need_no_inline_style_and_ids_are_unique(member: Client, key: ApiKey) -> None:
    use(key, NOW, 1)
    rollups.roll_up()
    for path in ("/o/acme/", USAGE):
        page = member.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)
        assert len(re.findall("<h1[ >]", page)) == 1
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert sorted(ids) == sorted(set(ids))
