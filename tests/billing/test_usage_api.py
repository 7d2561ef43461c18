"""Usage and costs as OpenAI's administration API tells them, and to nobody but the organisation that they are of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openai.types.admin.organization import UsageCompletionsResponse, UsageCostsResponse

from accounts.models import ApiKey, Organization, Project, Scope
from billing import rollups
from tests.billing.events import settle
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db

COMPLETIONS = "/v1/organization/usage/completions"
COSTS = "/v1/organization/costs"
DAY = 86_400
NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
MIDNIGHT = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
Ask = Callable[..., Any]


@pytest.fixture
def reader(organization: Organization) -> str:
    """The secret of a key of Acme that may read usage."""
    return make_key(organization, scopes=[Scope.USAGE], requests_per_minute=1000)[1]


@pytest.fixture
def ask(reader: str, valkey: redis.Redis) -> Ask:
    """Asks a path as Acme, or with another secret, and answers the JSON."""

    def answer(path: str, *, secret: str = reader, status: int = 200, **parameters: Any) -> Any:
        given = {"start_time": MIDNIGHT, "end_time": MIDNIGHT + DAY, **parameters}
        query = {name: value for name, value in given.items() if value is not None}
        response = Client().get(path, query, headers={"authorization": f"Bearer {secret}"})
        assert response.status_code == status, response.content
        return response.json()

    return answer


def only_result(page: Any) -> Any:
    ((result,),) = [bucket["results"] for bucket in page["data"]]
    return result


def test_a_bucket_has_the_sums_in_openais_words(key: ApiKey, ask: Ask) -> None:
    tokens = {
        "input_tokens": 1, "cache_read_tokens": 2, "cache_write_5m_tokens": 4, "cache_write_1h_tokens": 8,
        "audio_input_tokens": 16, "image_input_tokens": 32, "output_tokens": 64, "reasoning_tokens": 128,
        "audio_output_tokens": 256, "image_output_tokens": 512,
    }  # fmt: skip
    settle(key, NOON, **tokens)
    settle(key, NOON, status=500)
    rollups.roll_up()
    page = ask(COMPLETIONS)
    assert page == {
        "object": "page",
        "has_more": False,
        "next_page": None,
        "data": [
            {
                "object": "bucket",
                "start_time": MIDNIGHT,
                "end_time": MIDNIGHT + DAY,
                "results": [
                    {
                        "object": "organization.usage.completions.result",
                        "input_tokens": 63,
                        "input_cached_tokens": 2,
                        "input_uncached_tokens": 49,
                        "input_cache_write_tokens": 12,
                        "input_text_tokens": 1,
                        "input_audio_tokens": 16,
                        "input_image_tokens": 32,
                        "output_tokens": 960,
                        "output_text_tokens": 192,
                        "output_audio_tokens": 256,
                        "output_image_tokens": 512,
                        "num_model_requests": 2,
                        "project_id": None,
                        "user_id": None,
                        "api_key_id": None,
                        "model": None,
                        "batch": None,
                        "service_tier": None,
                    }
                ],
            }
        ],
    }
    UsageCompletionsResponse.model_validate(page, strict=True)


def test_costs_are_what_was_charged_exactly_and_as_a_number(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON, charged=1_500_000_001, cost_nano=9)
    rollups.roll_up()
    page = ask(COSTS)
    assert only_result(page) == {
        "object": "organization.costs.result",
        "amount": {"value": 1.500000001, "currency": "usd", "exact": "1.500000001"},
        "line_item": None,
        "project_id": None,
        "user_id": None,
        "api_key_id": None,
        "quantity": None,
    }
    UsageCostsResponse.model_validate(page, strict=True)


def test_grouped_costs_name_the_model_as_the_line_item(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON, charged=5, model="gpt-6-luna")
    settle(key, NOON, charged=7, model="claude-6")
    rollups.roll_up()
    page = ask(COSTS, **{"group_by[]": ["line_item", "project_id"]})
    found = [(one["line_item"], one["project_id"], one["amount"]["exact"]) for one in page["data"][0]["results"]]
    project = str(key.project_id)
    assert found == [("claude-6", project, "0.000000007"), ("gpt-6-luna", project, "0.000000005")]


def test_ids_are_told_for_what_is_grouped_by_and_null_where_there_are_none(
    key: ApiKey, organization: Organization, ask: Ask
) -> None:
    ownerless, _ = make_key(organization)
    settle(key, NOON)
    settle(ownerless, NOON)
    rollups.roll_up()
    found = ask(COMPLETIONS, group_by=["user_id", "api_key_id", "model"])["data"][0]["results"]
    assert [(one["user_id"], one["api_key_id"], one["model"], one["project_id"]) for one in found] == [
        (None, str(ownerless.pk), "gpt-6-luna", None),
        (str(key.owner_id), str(key.pk), "gpt-6-luna", None),
    ]


@pytest.mark.parametrize("brackets", ["", "[]"])
def test_filters_leave_out_the_rest(key: ApiKey, organization: Organization, ask: Ask, brackets: str) -> None:
    other = make_key(organization, project=Project.objects.create(organization=organization, name="B", slug="b"))[0]
    settle(key, NOON, input_tokens=1, model="a")
    settle(other, NOON, input_tokens=2, model="b")
    rollups.roll_up()

    def counted(**filters: Any) -> int:
        named = {f"{name}{brackets}": value for name, value in filters.items()}
        return int(only_result(ask(COMPLETIONS, **named))["input_tokens"])

    assert counted(api_key_ids=[str(key.pk)]) == 1
    assert counted(api_key_ids=[str(key.pk), str(other.pk)]) == 3
    assert counted(project_ids=[str(other.project_id)]) == 2
    assert counted(user_ids=[str(key.owner_id)]) == 1
    assert counted(models=["b"]) == 2


@pytest.mark.parametrize("value", ["0", "-1", "nonsense", "9" * 19, "9" * 400, "\u0662", ""])
def test_an_id_that_is_nobodys_finds_nothing(key: ApiKey, ask: Ask, value: str) -> None:
    settle(key, NOON)
    rollups.roll_up()
    assert ask(COMPLETIONS, api_key_ids=[value])["data"][0]["results"] == []


def test_a_model_that_no_database_can_hold_finds_nothing(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON)
    rollups.roll_up()
    assert ask(COMPLETIONS, models=["a\0b"])["data"][0]["results"] == []


def test_there_are_no_batches(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON)
    rollups.roll_up()
    assert ask(COMPLETIONS, batch="true")["data"][0]["results"] == []
    assert only_result(ask(COMPLETIONS, batch="false"))["num_model_requests"] == 1


def test_buckets_in_which_nothing_happened_are_there_and_empty(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON)
    rollups.roll_up()
    page = ask(COMPLETIONS, start_time=MIDNIGHT - DAY, end_time=MIDNIGHT + 2 * DAY)
    assert [(one["start_time"], len(one["results"])) for one in page["data"]] == [
        (MIDNIGHT - DAY, 0),
        (MIDNIGHT, 1),
        (MIDNIGHT + DAY, 0),
    ]


def test_hours_are_told_apart(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON, input_tokens=1)
    settle(key, NOON + timedelta(hours=1), input_tokens=2)
    rollups.roll_up()
    data = ask(COMPLETIONS, bucket_width="1h")["data"]
    used = {one["start_time"]: one["results"][0]["input_tokens"] for one in data if one["results"]}
    assert used == {MIDNIGHT + 12 * 3600: 1, MIDNIGHT + 13 * 3600: 2}
    assert len(data) == 24


def test_a_time_within_a_bucket_means_the_whole_bucket(ask: Ask) -> None:
    data = ask(COMPLETIONS, start_time=MIDNIGHT + 5, end_time=MIDNIGHT + DAY + 1)["data"]
    assert [(one["start_time"], one["end_time"]) for one in data] == [
        (MIDNIGHT, MIDNIGHT + DAY),
        (MIDNIGHT + DAY, MIDNIGHT + 2 * DAY),
    ]


def test_pages_follow_one_another_to_the_end(key: ApiKey, ask: Ask) -> None:
    for days in range(5):
        settle(key, NOON + timedelta(days=days), input_tokens=days + 1)
    rollups.roll_up()
    page, counts, pages = None, [], 0
    while pages == 0 or page is not None:
        answer = ask(COMPLETIONS, end_time=MIDNIGHT + 5 * DAY, limit=2, page=page)
        counts += [one["results"][0]["input_tokens"] for one in answer["data"]]
        page, pages = answer["next_page"], pages + 1
        assert answer["has_more"] is (page is not None)
    assert (counts, pages) == ([1, 2, 3, 4, 5], 3)


@pytest.mark.parametrize(
    ("path", "width", "default", "most"),
    [(COMPLETIONS, "1d", 7, 31), (COMPLETIONS, "1h", 24, 168), (COSTS, "1d", 7, 180)],
)
def test_a_page_is_as_long_as_openais(ask: Ask, path: str, width: str, default: int, most: int) -> None:
    asked: dict[str, Any] = {"bucket_width": width, "start_time": 0}
    assert len(ask(path, **asked)["data"]) == default
    assert len(ask(path, limit=most, **asked)["data"]) == most
    for wrong in (0, most + 1, -1, "many"):
        error = ask(path, limit=wrong, status=400, **asked)["error"]
        assert error["param"] == "limit"
        assert f"between 1 and {most}" in error["message"]


@time_machine.travel(NOON)
def test_without_an_end_the_time_is_until_now(ask: Ask) -> None:
    data = ask(COMPLETIONS, start_time=MIDNIGHT - DAY, end_time=None)["data"]
    assert [one["start_time"] for one in data] == [MIDNIGHT - DAY, MIDNIGHT]


@pytest.mark.parametrize(
    ("parameters", "param", "says"),
    [
        ({"start_time": None}, "start_time", "unix seconds"),
        ({"start_time": "yesterday"}, "start_time", "unix seconds"),
        ({"start_time": MIDNIGHT * 1000}, "start_time", "milliseconds"),
        ({"start_time": -1}, "start_time", "between 0"),
        ({"end_time": MIDNIGHT}, "end_time", "after start_time"),
        ({"bucket_width": "1m"}, "bucket_width", "1h or 1d"),
        ({"group_by": "line_item"}, "group_by", "project_id, user_id, api_key_id or model"),
        ({"page": "page_zzz"}, "page", "next_page"),
        ({"page": "page_\u00e9"}, "page", "next_page"),
        ({"page": "page_MTIz"}, "page", "next_page"),
        ({"batch": "maybe"}, "batch", "true or false"),
        ({"project_id": "1"}, "project_id", "project_ids"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_would_be_right(
    ask: Ask, parameters: dict[str, Any], param: str, says: str
) -> None:
    error = ask(COMPLETIONS, status=400, **parameters)["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


def test_costs_come_by_the_day_only(ask: Ask) -> None:
    error = ask(COSTS, bucket_width="1h", status=400)["error"]
    assert error["message"] == "There are no buckets of '1h' here. Ask for 1d; nothing finer is kept."


def test_a_stranger_sees_nothing_of_ours(key: ApiKey, ask: Ask) -> None:
    settle(key, NOON, charged=5)
    rollups.roll_up()
    _, theirs = make_key(make_organization("stranger"), scopes=[Scope.USAGE])
    for path in (COMPLETIONS, COSTS):
        assert ask(path, secret=theirs)["data"][0]["results"] == []
        for filters in ({"api_key_ids": key.pk}, {"project_ids": key.project_id}, {"user_ids": key.owner_id}):
            assert ask(path, secret=theirs, **filters)["data"][0]["results"] == []


def test_ids_of_another_organisation_yield_nothing(key: ApiKey, ask: Ask) -> None:
    theirs, _ = make_key(make_organization("stranger"))
    settle(key, NOON)
    settle(theirs, NOON)
    rollups.roll_up()
    for filters in ({"api_key_ids": theirs.pk}, {"project_ids": theirs.project_id}):
        assert ask(COMPLETIONS, **filters)["data"][0]["results"] == []


@pytest.mark.parametrize("path", [COMPLETIONS, COSTS])
def test_events_are_not_read_for_an_answer(key: ApiKey, ask: Ask, path: str) -> None:
    settle(key, NOON)
    rollups.roll_up()
    with CaptureQueriesContext(connection) as queries:
        ask(path)
    assert len(queries) == 3  # whose key it is, its last use, and the page
    assert not [query for query in queries if "billing_usageevent" in query["sql"]]
