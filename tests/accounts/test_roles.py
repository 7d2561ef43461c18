"""Who may do what: the table, and the pages that ask it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client

from accounts import roles
from accounts.audit import Action
from accounts.models import Membership, Organization
from accounts.roles import ALLOWED, PAGES, May
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db

Role = Membership.Role


def test_everything_that_there_is_to_be_allowed_is_in_the_table() -> None:
    assert set(ALLOWED) == set(May)


def test_an_owner_may_do_everything_and_an_admin_all_but_what_is_the_owners() -> None:
    kept = {what for what in May if Role.ADMIN not in ALLOWED[what]}
    assert all(Role.OWNER in ALLOWED[what] for what in May)
    assert kept == {May.MANAGE_OWNERS, May.CLOSE}


def test_a_viewer_changes_nothing() -> None:
    allowed = {what for what in May if Role.VIEWER in ALLOWED[what]}
    assert all(what.value.startswith("See") for what in allowed)


def test_the_documented_table_is_the_one_that_is_asked() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "organizations.md").read_text(encoding="utf-8")
    head = f"| What | {' | '.join(role.label for role in Role)} |"
    rows = [f"| {what} | {' | '.join('yes' if one else 'no' for one in row)} |" for what, row in roles.matrix()]
    assert "\n".join([head, f"|---|{'---|' * len(Role)}", *rows]) in page


def test_every_action_of_the_audit_log_is_documented() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "organizations.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+\.\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert documented == [(action.value, action.label) for action in Action]


def test_every_role_says_what_it_is_for() -> None:
    assert set(roles.ABOUT) == set(Role)


def test_pages_are_known_to_the_matrix() -> None:
    import_module(settings.ROOT_URLCONF)
    assert "billing.views_pages.organization" in PAGES


def test_a_refusal_names_the_role_and_those_that_may(client: Client, organization: Organization) -> None:
    user = make_user("viewer@acme.example")
    membership = Membership.objects.create(organization=organization, user=user, role=Role.VIEWER)
    with pytest.raises(PermissionDenied) as refused:
        roles.require(membership, May.MANAGE_OWNERS)
    assert str(refused.value) == (
        "Your role in Acme is viewer. To make and unmake owners, it must be owner. An owner or an admin can change it."
    )


def test_the_first_page_is_that_of_the_organisation_or_the_way_to_one(client: Client) -> None:
    user = make_user("new@example.com")
    client.force_login(user)
    assert client.get("/dashboard/").headers["location"] == "/organizations/new/"
    make_organization("mine", owner=user)
    assert client.get("/dashboard/").headers["location"] == "/o/mine/"


def test_the_dashboard_opens_where_it_was_left(client: Client) -> None:
    user = make_user("both@example.com")
    for slug in ("first", "second"):
        make_organization(slug, owner=user)
    client.force_login(user)
    client.get("/o/second/billing/")
    assert client.get("/dashboard/").headers["location"] == "/o/second/"


def found(client: Client, name: str) -> HttpResponse:
    return client.post("/organizations/new/", {"name": name})  # type: ignore[return-value]


def test_whoever_founds_an_organisation_owns_it(client: Client) -> None:
    user = make_user("founder@example.com")
    client.force_login(user)
    assert found(client, "Ünïon & Co").headers["location"] == "/o/union-co/keys/"
    membership = Membership.objects.get(user=user)
    assert (membership.role, membership.organization.name) == (Role.OWNER, "Ünïon & Co")
    assert membership.organization.projects.get().slug == "default"


@pytest.mark.parametrize(("name", "slug"), [("Acme", "acme-2"), ("New", "new-2"), ("漢字", "organisation")])
def test_every_organisation_has_an_address_of_its_own(
    client: Client, organization: Organization, name: str, slug: str
) -> None:
    client.force_login(make_user("founder@example.com"))
    assert found(client, name).headers["location"] == f"/o/{slug}/keys/"


def test_an_organisation_needs_a_name(client: Client) -> None:
    client.force_login(make_user("founder@example.com"))
    page = found(client, " ").content.decode()
    assert "Give the organisation a name." in page
    assert not Organization.objects.exists()
