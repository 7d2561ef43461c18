"""Role by route by organisation: every address beneath /o/SLUG/, of every app, to look and to change, for everybody.

The routes come from the URLconf and the rights from `accounts.roles`, so a new page is in here without a line.
"""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Membership, Organization, User
from accounts.roles import ALLOWED, Role
from tests.accounts.organization_pages import KNOWN, Route, routes, values_for
from tests.factories import make_organization, make_user

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("valkey"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
]

ROUTES = [pytest.param(route, id=route.name) for route in routes()]
NOT_THERE_METHOD = 405  # of a page that only looks, or only changes: the same for everybody, member or not


def ask(client: Client, method: str, url: str) -> HttpResponse:
    return client.get(url) if method == "GET" else client.post(url)  # type: ignore[return-value]


def takes(client: Client, method: str, url: str) -> bool:
    """Whether the page knows the method at all; asked without a session, so that nothing is done."""
    client.logout()
    return ask(client, method, url).status_code != NOT_THERE_METHOD


def test_there_are_routes_of_more_than_one_app() -> None:
    assert {route.name.partition(":")[0] for route in routes()} >= {"accounts", "billing"}


@pytest.mark.parametrize("route", ROUTES)
def test_every_page_of_an_organisation_asks_the_table(route: Route) -> None:
    assert route.page is not None, f"{route.view} at {route.path} is not under accounts.roles.member_page"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("route", ROUTES)
def test_a_member_gets_what_the_table_says(
    client: Client, organization: Organization, route: Route, role: Role, method: str
) -> None:
    url = route.url(organization, values_for(route, organization))
    if not takes(client, method, url):
        return
    user = make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    assert route.page is not None
    wanted = route.page.look if method == "GET" else route.page.change
    status = ask(client, method, url).status_code
    if role not in ALLOWED[wanted]:
        assert status == 403
    elif set(route.arguments) <= set(KNOWN):
        assert status in {200, 302, 400, 422}
    else:
        assert status != 403


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("route", ROUTES)
def test_the_owner_of_another_organisation_finds_nothing(
    client: Client, organization: Organization, charlie: User, route: Route, method: str
) -> None:
    url = route.url(organization, values_for(route, organization))
    known = takes(client, method, url)
    client.force_login(charlie)
    assert ask(client, method, url).status_code == (404 if known else NOT_THERE_METHOD)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("route", [one for one in ROUTES if set(one.values[0].arguments) & set(KNOWN) - {"shape"}])  # type: ignore[union-attr]
def test_what_is_another_organisations_is_not_found_under_ones_own(
    client: Client, organization: Organization, charlie: User, route: Route, method: str
) -> None:
    theirs = values_for(route, organization)
    url = route.url(Organization.objects.get(slug="stranger"), theirs)
    known = takes(client, method, url)
    client.force_login(charlie)
    assert ask(client, method, url).status_code == (404 if known else NOT_THERE_METHOD)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_visitor_is_sent_to_sign_in(client: Client, organization: Organization, route: Route, method: str) -> None:
    url = route.url(organization, values_for(route, organization))
    response = ask(client, method, url)
    if response.status_code != NOT_THERE_METHOD:
        assert response.status_code == 302
        assert response.headers["location"].startswith("/sign-in/?next=/o/acme/")


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_is_known_by_one_method_at_least(client: Client, organization: Organization, route: Route) -> None:
    url = route.url(organization, values_for(route, organization))
    assert takes(client, "GET", url) or takes(client, "POST", url)


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_a_closed_organisation(client: Client, alice: User, route: Route) -> None:
    closed = make_organization("closed", owner=alice)
    url = route.url(closed, values_for(route, closed))
    methods = [method for method in ("GET", "POST") if takes(client, method, url)]
    Organization.objects.filter(pk=closed.pk).update(closed_at=closed.created_at)
    client.force_login(alice)
    assert {ask(client, method, url).status_code for method in methods} == {404}
