"""Personal keys end with their holder's membership; those of service accounts do not, and both are told apart."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import ApiKey, NotIssuedError, Organization, Project, User
from tests.factories import make_key

pytestmark = pytest.mark.django_db


def test_a_key_that_nobody_holds_is_a_service_accounts(organization: Organization, bob: User) -> None:
    assert make_key(organization)[0].service_account
    assert not make_key(organization, owner=bob)[0].service_account


def test_nobody_holds_the_key_of_a_service_account(organization: Organization, bob: User) -> None:
    key = make_key(organization)[0]
    key.owner = bob
    with pytest.raises(IntegrityError, match="api_key_service_account_has_no_owner"):
        key.save()


def test_only_members_hold_keys(organization: Organization, charlie: User) -> None:
    with pytest.raises(NotIssuedError, match="only members hold keys"):
        make_key(organization, owner=charlie)


def test_no_keys_are_made_in_what_is_archived_or_closed(organization: Organization) -> None:
    old = Project.objects.create(organization=organization, name="Old", slug="old", archived_at=timezone.now())
    with pytest.raises(NotIssuedError, match="Old is archived"):
        make_key(organization, project=old)
    with pytest.raises(CommandError, match="Old is archived"):
        call_command("create_key", "--org", "acme", "--name", "x", "--project", "old")
    Organization.objects.update(closed_at=timezone.now())
    with pytest.raises(NotIssuedError, match="Acme is closed"):
        make_key(organization)
    assert not ApiKey.objects.exists()


def test_keys_for_no_project_go_to_the_one_that_the_organisation_says(organization: Organization) -> None:
    assert make_key(organization)[0].project.slug == "default"
    organization.default_project = Project.objects.create(organization=organization, name="Web", slug="web")
    organization.save()
    assert make_key(organization)[0].project.slug == "web"


def test_a_closed_organisation_is_nobodys(organization: Organization, bob: User) -> None:
    assert Organization.objects.visible_to(bob).exists()
    Organization.objects.update(closed_at=timezone.now())
    assert not Organization.objects.visible_to(bob).exists()
