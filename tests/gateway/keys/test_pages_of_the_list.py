"""The list of keys a page at a time: each key once, in every order, whatever happens between two pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiKey, Organization
from gateway import keys_pages
from gateway.keys_pages import Cursor
from tests.accounts.doorway import without_valkey
from tests.factories import make_key
from tests.gateway.keys.pages import LIST, NEW, create, following, named, path, spend, text, used

pytestmark = pytest.mark.django_db

ORDERS = {
    "": ["e", "d", "c", "b", "a"],
    "name": ["a", "b", "c", "d", "e"],
    "used": ["b", "d", "e", "c", "a"],
    "spent": ["c", "a", "e", "d", "b"],
}


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_pages, "PAGE", 2)


@pytest.fixture
def made(organization: Organization) -> dict[str, ApiKey]:
    made = {name: make_key(organization, name=name)[0] for name in "abcde"}
    spend(made["c"], 500)
    spend(made["a"], 200)
    used(made["b"], timedelta(minutes=1))
    used(made["d"], timedelta(minutes=2))
    return made


def pages(client: Client, query: str) -> list[list[str]]:
    response: Any = client.get(f"{LIST}?{query}")
    found = [named(response)]
    while 'rel="next"' in response.content.decode():
        response = following(client, response)
        found.append(named(response))
    return found


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("sort", "order"), ORDERS.items())
def test_every_key_is_on_one_page_in_every_order(owner: Client, sort: str, order: list[str]) -> None:
    assert pages(owner, f"sort={sort}") == [order[:2], order[2:4], order[4:]]


def test_the_next_page_has_the_filters_of_the_first(owner: Client, made: dict[str, ApiKey]) -> None:
    for name in ("zeta 1", "zeta 2", "zeta 3"):
        make_key(made["a"].organization, name=name)
    assert pages(owner, "q=zeta&status=active&sort=name") == [["zeta 1", "zeta 2"], ["zeta 3"]]


@pytest.mark.parametrize(("sort", "order"), ORDERS.items())
def test_a_page_goes_on_where_it_was_although_its_last_key_is_gone(
    owner: Client, made: dict[str, ApiKey], sort: str, order: list[str]
) -> None:
    page = owner.get(f"{LIST}?sort={sort}")
    made[order[1]].revoke()
    assert named(following(owner, page)) == order[2:4]


def test_a_new_key_moves_nothing_to_the_next_page(owner: Client, made: dict[str, ApiKey]) -> None:
    page = owner.get(LIST)
    make_key(made["a"].organization, name="newest")
    assert named(following(owner, page)) == ["c", "b"]


def test_names_that_are_alike_are_told_apart(owner: Client, organization: Organization) -> None:
    for _ in range(5):
        make_key(organization, name="same")
    assert [len(page) for page in pages(owner, "sort=name")] == [2, 2, 1]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize(
    "after", ["x", "%00", "W10", "WzEsMl0", "WyJhIiwieCJd", str(Cursor("text", 3)), str(Cursor(None, 3))]
)
def test_an_address_that_means_nothing_is_a_page_all_the_same(owner: Client, sort: str, after: str) -> None:
    assert owner.get(f"{LIST}?sort={sort}&after={after}").status_code == 200


@pytest.mark.parametrize("cursor", [Cursor("a name", 7), Cursor(12, 1), Cursor(None, 2**62), Cursor("漢字", 0)])
def test_a_cursor_reads_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.read(str(cursor)) == cursor


@pytest.mark.usefixtures("made")
def test_the_head_of_the_table_sorts_it_and_says_so(owner: Client) -> None:
    page = owner.get(f"{LIST}?q=a&sort=name").content.decode()
    assert 'aria-sort="ascending"' in page
    assert 'href="?q=a&amp;sort=spent"' in page


# -- how often ---------------------------------------------------------------------------------------


def test_forms_about_keys_are_counted(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(200):
        owner.post(NEW, {})
    assert create(owner).status_code == 429
    assert not ApiKey.objects.exists()
    assert owner.get(NEW).status_code == 200


def test_no_key_is_changed_while_nobody_can_count(owner: Client, key: ApiKey, settings: Settings) -> None:
    with without_valkey(settings):
        response = owner.post(path(key, "revoke/"))
    assert response.status_code == 503
    assert "They go on working" in response.content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_page_is_asked_for_whole_and_a_dialog_in_part(owner: Client, key: ApiKey) -> None:
    address = f"{LIST}revoke/?key={key.pk}"
    assert "<!doctype" not in owner.get(address, headers={"hx-request": "true"}).content.decode()
    boosted = owner.get(address, headers={"hx-request": "true", "hx-boosted": "true"})
    assert "Revoke production?" in text(boosted)
    assert "<!doctype" in boosted.content.decode()
