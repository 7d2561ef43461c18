"""Every table with an organisation is asked in words that leave out everybody else's rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError
from django.db.models import Model

from accounts.models import ApiKey, Membership, Organization, OrganizationOwned, User
from billing.models import UsageEvent
from gateway import request_ids
from gateway.models import ModelNotice
from tests.factories import make_key, make_organization, make_user

NOT_FOR_PAGES = {ModelNotice}  # a record of mail that was sent: only a task reads it


@pytest.fixture
def theirs(charlie: User) -> Organization:
    return Organization.objects.get(slug="stranger")


@pytest.fixture
def rows(organization: Organization, theirs: Organization) -> dict[str, list[Model]]:
    """A key and a usage row of each organisation: Acme's first."""
    keys = [make_key(one)[0] for one in (organization, theirs)]
    now = datetime.now(UTC)
    events = [
        UsageEvent.objects.create(
            request_id=request_ids.new(),
            organization=key.organization,
            api_key=key,
            model_requested="m",
            stream=False,
            status=200,
            started_at=now,
            ended_at=now,
            duration_ms=1,
        )
        for key in keys
    ]
    return {"keys": [*keys], "events": [*events]}


@pytest.mark.parametrize(("kind", "table"), [("keys", ApiKey), ("events", UsageEvent)])
def test_people_see_the_rows_of_their_own_organisation_only(
    kind: str,
    table: type[ApiKey] | type[UsageEvent],
    rows: dict[str, list[Model]],
    alice: User,
    bob: User,
    charlie: User,
) -> None:
    ours, others = rows[kind]
    assert list(table.objects.visible_to(alice)) == [ours]
    assert list(table.objects.visible_to(bob)) == [ours]
    assert list(table.objects.visible_to(charlie)) == [others]


def test_memberships_are_seen_by_the_members(organization: Organization, bob: User, charlie: User) -> None:
    assert {str(one.user) for one in Membership.objects.visible_to(bob)} == {"alice@acme.example", "bob@acme.example"}
    assert [one.user for one in Membership.objects.visible_to(charlie)] == [charlie]


def test_a_visitor_without_a_session_sees_nothing(rows: dict[str, list[Model]]) -> None:
    nobody = AnonymousUser()
    assert not Organization.objects.visible_to(nobody).exists()
    assert not ApiKey.objects.visible_to(nobody).exists()
    assert not UsageEvent.objects.visible_to(nobody).exists()


def test_staff_see_their_customers_in_the_admin_not_on_customers_pages(rows: dict[str, list[Model]]) -> None:
    staff = make_user(is_staff=True, is_superuser=True)
    assert not Organization.objects.visible_to(staff).exists()
    assert not ApiKey.objects.visible_to(staff).exists()


def test_who_is_in_two_organisations_sees_each_row_once(rows: dict[str, list[Model]], theirs: Organization) -> None:
    both = make_user()
    for one in (Organization.objects.get(slug="acme"), theirs):
        Membership.objects.create(organization=one, user=both)
    assert set(ApiKey.objects.visible_to(both)) == set(rows["keys"])
    assert ApiKey.objects.visible_to(both).count() == 2


def test_the_rows_of_one_organisation_are_asked_for_by_name(
    rows: dict[str, list[Model]], organization: Organization
) -> None:
    assert list(ApiKey.objects.of(organization)) == rows["keys"][:1]
    assert list(ApiKey.objects.of(organization).active()) == rows["keys"][:1]


def test_leaving_an_organisation_ends_the_view_of_it(organization: Organization, bob: User) -> None:
    organization.memberships.filter(user=bob).delete()
    assert not Organization.objects.visible_to(bob).exists()


def test_every_table_with_an_organisation_can_be_asked_so() -> None:
    owned = [
        table
        for table in apps.get_models()
        if table not in NOT_FOR_PAGES
        and any(field.name == "organization" for field in table._meta.get_fields())
        and table is not Organization
    ]
    assert {Membership, ApiKey, UsageEvent} <= set(owned)
    forgot = [table.__name__ for table in owned if not isinstance(table._default_manager.all(), OrganizationOwned)]
    assert forgot == []


def test_nobody_is_a_member_twice(organization: Organization, bob: User) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(organization=organization, user=bob)


def test_two_addresses_that_differ_in_case_are_one_person(alice: User) -> None:
    with pytest.raises(IntegrityError):
        make_user("ALICE@acme.example")


def test_people_sign_in_with_their_address_in_any_case(alice: User) -> None:
    assert User.objects.get_by_natural_key("Alice@ACME.example") == alice


def test_organisations_are_told_apart_by_slug(organization: Organization) -> None:
    with pytest.raises(IntegrityError):
        make_organization(organization.slug)
