"""The list of requests: what it shows, how it is filtered, and the file of it."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, Membership, Organization
from billing import requests
from billing.usage import Usage
from gateway import requests_list
from tests.factories import make_key, make_organization, make_price, make_user
from tests.gateway.requests.events import LIST, MOMENT, end, hold, listed, receipt, text

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")]

HOUR = timedelta(hours=1)


def test_a_row_says_what_a_request_was(developer: Client, key: ApiKey) -> None:
    end(key, make_price("gpt-6-luna"), Usage(input=1200, output=340))
    page = text(developer.get(LIST))
    assert "2026-11-20 12:30:00 gpt-6-luna production Succeeded 1,200 340 412 ms 1.9 s $0.0019" in page


def test_the_exact_charge_is_under_the_pointer(developer: Client, key: ApiKey) -> None:
    end(key, make_price("gpt-6-luna"), Usage(input=1201, output=340))
    assert 'value="0.001881" title="$0.001881"' in developer.get(LIST).content.decode()


def test_what_runs_stands_on_top_as_running(developer: Client, key: ApiKey) -> None:
    ended, under_way = end(key, at=MOMENT + HOUR), hold(key, amount=5_000_000)
    response = developer.get(LIST)
    assert listed(response) == [under_way, ended]
    assert "Running" in text(response)
    assert "$0.005 held" in text(response)
    assert listed(developer.get(LIST, {"status": "running"})) == [under_way]
    assert listed(developer.get(LIST, {"status": "succeeded"})) == [ended]


def test_only_so_many_that_run_are_listed_and_the_page_says_so(
    developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "RUNNING", 2)
    for _ in range(3):
        hold(key)
    response = developer.get(LIST)
    assert len(listed(response)) == 2
    assert "More are running than are listed here." in text(response)


def test_older_pages_follow_and_keep_the_filters(
    developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [end(key, at=MOMENT - number * HOUR) for number in range(60)]
    first = developer.get(LIST, {"key": key.pk})
    assert listed(first) == made[:50]
    second = developer.get(older(first))
    assert f"key={key.pk}" in older(first)
    assert listed(second) == made[50:]
    assert 'rel="next"' not in second.content.decode()


def test_a_key_is_chosen_by_its_name(developer: Client, organization: Organization, key: ApiKey) -> None:
    other, _ = make_key(organization, name="batch")
    end(key)
    it = end(other)
    response = developer.get(LIST, {"key": other.pk})
    assert listed(response) == [it]
    assert f'<option value="{other.pk}" selected>batch' in response.content.decode()


def test_the_address_has_the_filters_of_cost_and_time(developer: Client, key: ApiKey) -> None:
    price = make_price("gpt-6-luna")
    end(key, price, Usage(input=1000))
    it = end(key, price, Usage(input=50_000), duration_ms=31_000)
    for given in ({"least_cost": "0.04"}, {"least_seconds": "30.5"}, {"least_cost": "$0.01", "most_seconds": "31"}):
        response = developer.get(LIST, given)
        assert listed(response) == [it]
        assert "<details open>" in response.content.decode()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"least_cost": "much"}, "'much' is not an amount"),
        ({"most_cost": "-1"}, "No request costs less than nothing."),
        ({"least_seconds": "-1"}, "greater than or equal to 0"),
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"status": "lost"}, "Select a valid choice"),
        ({"key": "99999"}, "Select a valid choice"),
    ],
)
def test_a_filter_that_makes_no_sense_filters_nothing_and_is_named(
    developer: Client, key: ApiKey, given: dict[str, Any], told: str
) -> None:
    it = end(key)
    response = developer.get(LIST, given)
    assert listed(response) == [it]
    assert told in text(response)


@pytest.mark.parametrize("given", [{"before": "x"}, {"before": "1." + "f" * 32}, {"key": "9" * 40}, {"model": "a\0"}])
def test_an_address_that_somebody_made_up_is_no_error(developer: Client, key: ApiKey, given: dict[str, str]) -> None:
    end(key)
    assert developer.get(LIST, given).status_code == 200


def test_a_request_id_leads_to_its_receipt(developer: Client, key: ApiKey) -> None:
    ended, under_way = end(key), hold(key)
    for one in (ended, under_way):
        assert developer.get(LIST, {"id": f" {one} "}).headers["location"] == receipt(one)
    assert "Nothing matches" in text(developer.get(LIST, {"id": str(uuid.uuid4())}))


def test_the_id_of_a_proxy_is_found_too(developer: Client, key: ApiKey) -> None:
    end(key)
    its_own = str(uuid.uuid4())
    it = end(key, external_id=its_own)
    assert listed(developer.get(LIST, {"id": its_own})) == [it]


def test_the_request_of_another_organisation_leads_nowhere(developer: Client) -> None:
    theirs = end(make_key(make_organization("neighbour"))[0])
    response = developer.get(LIST, {"id": str(theirs)})
    assert response.status_code == 200
    assert listed(response) == []


def test_how_far_was_looked_back_is_said_where_nothing_matches(
    developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "SCANNED", 3)
    it = end(key, at=MOMENT - timedelta(days=2), finish_reason="length")
    for number in range(4):
        end(key, at=MOMENT - timedelta(minutes=number))
    response = developer.get(LIST, {"finish": "length"})
    assert "Nothing matches among the requests back to 20 November 2026, 12:28 UTC . Look further" in text(response)
    assert listed(developer.get(older(response))) == [it]


def test_a_list_without_requests_says_what_will_stand_there(developer: Client) -> None:
    assert "No requests yet" in text(developer.get(LIST))
    assert "Nothing matches" in text(developer.get(LIST, {"status": "failed"}))


def test_a_page_asks_the_database_as_often_for_many_rows_as_for_one(
    developer: Client, key: ApiKey, organization: Organization, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        end(make_key(organization)[0] if number % 2 else key)
    with django_assert_max_num_queries(15):
        developer.get(LIST)


def test_who_looks_after_money_alone_sees_no_requests(client: Client, organization: Organization) -> None:
    for role, status in {"viewer": 200, "admin": 200, "billing": 403}.items():
        user = make_user()
        Membership.objects.create(organization=organization, user=user, role=role)
        client.force_login(user)
        assert client.get(LIST).status_code == status
        assert ("Requests</span>" in client.get("/o/acme/billing/").content.decode()) == (status == 200)


# -- the file -----------------------------------------------------------------------------------------


def file(client: Client, given: dict[str, Any] | None = None) -> list[dict[str, str]]:
    response = client.get(f"{LIST}export.csv", given or {})
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(_joined(response).decode())))


def _joined(response: Any) -> bytes:
    async def gathered() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(gathered)()


def test_the_file_holds_what_the_list_would_show_on_all_its_pages(
    developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_list, "FILE_PAGE", 3)
    made = [end(key, at=MOMENT - number * HOUR, status=502 if number % 2 else 200) for number in range(8)]
    hold(key)
    assert [row["id"] for row in file(developer)] == [str(one) for one in made]
    assert [row["id"] for row in file(developer, {"status": "failed"})] == [str(one) for one in made[1::2]]


def test_a_line_of_the_file_is_exact(developer: Client, key: ApiKey) -> None:
    end(key, make_price("gpt-6-luna"), Usage(input=1201, cache_read=7, output=340))
    (row,) = file(developer)
    assert (row["charged"], row["input_tokens"], row["cache_read_tokens"]) == ("0.001888", "1201", "7")
    assert (row["api_key"], row["http_status"], row["first_token_ms"]) == ("production", "200", "412")


def test_the_file_ends_at_its_bound(developer: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_list, "FILE_ROWS", 4)
    for number in range(6):
        end(key, at=MOMENT - number * HOUR)
    assert len(file(developer)) == 4


def test_nothing_in_the_file_is_a_formula(developer: Client, organization: Organization) -> None:
    end(make_key(organization, name="=HYPERLINK(1)")[0], external_id="@evil")
    (row,) = file(developer)
    assert (row["api_key"], row["external_id"]) == ("'=HYPERLINK(1)", "'@evil")


def older(response: Any) -> str:
    return str(response.context["request"].path) + "?" + _query(response)


def _query(response: Any) -> str:
    form, found = response.context["form"], response.context["found"]
    return f"{form.address}&before={found.older}"
