"""Who may do what: the table, and the pages that ask it."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts import roles
from accounts.audit import Action
from accounts.models import ApiKey, Membership, Organization, SecretUse, User
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


def dashboard(client: Client) -> str:
    return client.get("/dashboard/").headers["location"]


def test_the_dashboard_is_the_organisations_first_page(client: Client) -> None:
    user = make_user("new@example.com")
    client.force_login(user)
    make_organization("mine", owner=user)
    Membership.objects.update(started_at=timezone.now())
    assert dashboard(client) == "/o/mine/"


def test_whoever_has_just_signed_up_has_an_organisation_and_begins(client: Client) -> None:
    user = make_user("ada@example.com", name="Ada")
    client.force_login(user)
    assert dashboard(client) == "/o/adas-organisation/start/"
    assert dashboard(client) == "/o/adas-organisation/start/"
    membership = Membership.objects.get()
    assert (membership.user, membership.role, str(membership.organization)) == (user, Role.OWNER, "Ada's organisation")


def test_whoever_left_their_organisation_names_another_themselves(client: Client) -> None:
    user = make_user("ada@example.com", joined_at=timezone.now() - timedelta(days=2))
    client.force_login(user)
    assert dashboard(client) == "/organizations/new/"
    assert "ada&#x27;s organisation" in client.get("/organizations/new/").content.decode()
    assert not Organization.objects.exists()


def test_the_invited_get_no_organisation_beside_the_one_they_join(client: Client, organization: Organization) -> None:
    user = make_user("new@acme.example")
    Membership.objects.create(organization=organization, user=user, role=Role.VIEWER)
    client.force_login(user)
    assert dashboard(client) == "/o/acme/"
    assert Organization.objects.count() == 1


@pytest.mark.parametrize("role", list(Role))
def test_only_those_who_make_keys_are_led_to_the_start(client: Client, organization: Organization, role: Role) -> None:
    user = make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    page = "start/" if role in ALLOWED[May.MAKE_KEYS] else ""
    assert dashboard(client) == f"/o/acme/{page}"


def test_nobody_is_led_to_the_start_where_keys_are_in_use(client: Client, key: ApiKey, alice: User) -> None:
    SecretUse.objects.create(secret=key.secrets.get(), last_used_at=timezone.now())
    client.force_login(alice)
    assert dashboard(client) == "/o/acme/"


def test_the_dashboard_opens_where_it_was_left(client: Client) -> None:
    user = make_user("both@example.com")
    for slug in ("first", "second"):
        make_organization(slug, owner=user)
    client.force_login(user)
    client.get("/o/second/billing/")
    assert dashboard(client) == "/o/second/start/"


def found(client: Client, name: str) -> HttpResponse:
    return client.post("/organizations/new/", {"name": name})  # type: ignore[return-value]


def test_whoever_founds_an_organisation_owns_it(client: Client) -> None:
    user = make_user("founder@example.com")
    client.force_login(user)
    assert found(client, "Ünïon & Co").headers["location"] == "/o/union-co/start/"
    membership = Membership.objects.get(user=user)
    assert (membership.role, membership.organization.name) == (Role.OWNER, "Ünïon & Co")
    assert membership.organization.projects.get().slug == "default"


@pytest.mark.parametrize(("name", "slug"), [("Acme", "acme-2"), ("New", "new-2"), ("漢字", "organisation")])
def test_every_organisation_has_an_address_of_its_own(
    client: Client, organization: Organization, name: str, slug: str
) -> None:
    client.force_login(make_user("founder@example.com"))
    assert found(client, name).headers["location"] == f"/o/{slug}/start/"


def test_an_organisation_needs_a_name(client: Client) -> None:
    client.force_login(make_user("founder@example.com"))
    page = found(client, " ").content.decode()
    assert "Give the organisation a name." in page
    assert not Organization.objects.exists()
