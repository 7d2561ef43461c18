"""The pages of docs/ for whoever reads them: the way through them, and code with the reader's own address and key."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.safestring import SafeString
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Membership, Organization, User
from gateway import documentation
from tests.factories import make_key, make_organization, make_user


def page(client: Client, path: str = "/docs/quickstart/") -> str:
    return client.get(path).content.decode()


def test_every_page_of_the_contents_is_in_one_group_and_in_their_order() -> None:
    grouped = [one for group in documentation.groups() for one in group.pages]
    assert [one.slug for one in grouped] == [one.slug for one in documentation.contents()]


def test_one_can_read_from_the_first_page_to_the_last(client: Client) -> None:
    seen, path = [], "/docs/"
    while path:
        seen.append(path)
        found = re.search(r'<a rel="next" href="([^"]+)"', page(client, path))
        path = found[1] if found else ""
    assert seen == [one.url for one in documentation.contents()]
    assert f'<a rel="prev" href="{seen[-2]}"' in page(client, seen[-1])
    assert 'rel="prev"' not in page(client, "/docs/")


def test_a_decision_leads_back_to_their_index(client: Client) -> None:
    assert '<a rel="prev" href="/docs/decisions/"' in page(client, "/docs/decisions/ledger/").replace(
        "/docs/decisions/index/", "/docs/decisions/"
    )


def test_the_chapters_of_a_page_are_listed_at_its_side(client: Client) -> None:
    shown = page(client, "/docs/limits/")
    listed = re.findall(r'<li><a href="#([^"]+)">', shown)
    assert listed == [heading.anchor for heading in documentation.find("limits").outline]  # type: ignore[union-attr]
    assert all(f'id="{anchor}"' in shown for anchor in listed)


def test_a_page_is_rendered_once() -> None:
    found = documentation.find("limits")
    assert found is not None
    assert found.html is found.html


# -- the reader's own address and key --------------------------------------------------------------


def test_a_visitor_sees_the_gateways_address_and_a_placeholder(client: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://llm.example.com"
    response = client.get("/docs/quickstart/")
    shown = response.content.decode()
    assert "curl https://llm.example.com/v1/chat/completions" in shown
    assert "127.0.0.1:8000/v1" not in shown
    assert "sk-2389-YOUR_API_KEY" in shown
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert "Cookie" in response.headers["Vary"]


def test_a_visitor_costs_the_database_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for path in ("/docs/", "/docs/api/"):
        assert client.get(path).status_code == 200  # without the mark that would allow it, a query is an error


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/docs/quickstart/", "/docs/api/", "/docs/streaming/"])
def test_whoever_is_signed_in_sees_the_hint_of_their_key(
    client: Client, bob: User, organization: Organization, path: str
) -> None:
    key, secret = make_key(organization, owner=bob, name="<laptop>")
    client.force_login(bob)
    response = client.get(path)
    shown = response.content.decode()
    assert key.hint in shown
    assert "YOUR_API_KEY" not in shown
    assert secret not in shown
    assert "&lt;laptop&gt;" in shown
    assert "<laptop>" not in shown
    assert response.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.django_db
def test_the_next_visitor_does_not_see_it(client: Client, bob: User, organization: Organization) -> None:
    key, _ = make_key(organization, owner=bob)
    client.force_login(bob)
    assert key.hint in page(client)
    assert key.hint not in page(Client())


@pytest.mark.django_db
def test_the_key_is_one_of_the_organisation_that_was_looked_at_last(client: Client, bob: User) -> None:
    organizations = [make_organization(slug, owner=bob) for slug in ("first", "second")]
    hints = [make_key(one, owner=bob)[0].hint for one in organizations]
    client.force_login(bob)
    assert hints[0] in page(client)
    client.get("/o/second/keys/")
    assert hints[1] in page(client)


@pytest.mark.django_db
def test_without_a_key_one_is_led_to_make_one_if_one_may(client: Client, bob: User, organization: Organization) -> None:
    client.force_login(bob)
    assert '<a href="/o/acme/keys/new/">Create a key</a>' in page(client)
    viewer = make_user()
    Membership.objects.create(organization=organization, user=viewer, role=Membership.Role.VIEWER)
    client.force_login(viewer)
    assert "/o/acme/keys/new/" not in page(client)
    assert "sk-2389-YOUR_API_KEY" in page(client)


def test_only_code_blocks_are_filled_in() -> None:
    given = SafeString(
        '<p><code>http://127.0.0.1:8000/v1</code></p><div class="code"><pre tabindex="0"><code>'
        "http://127.0.0.1:8000/v1 sk-2389-YOUR_API_KEY</code></pre></div>"
    )
    filled = documentation.personal(given, base_url="https://x/v1?a&b", key="<b>")
    assert "<p><code>http://127.0.0.1:8000/v1</code></p>" in filled
    assert "<code>https://x/v1?a&amp;b &lt;b&gt;</code>" in filled
