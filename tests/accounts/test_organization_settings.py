"""Projects and settings of an organisation, and its end."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Invitation, Membership, Organization, Project, User
from billing import wallets
from billing.models import Transfer
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db

SETTINGS: dict[str, Any] = {"name": "Acme", "retired_models": "platform", "sandbox_enabled": "on"}


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def default(organization: Organization) -> Project:
    return Project.objects.default_of(organization)


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


# -- projects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slug"), [("Website", "website"), ("Default", "default-2"), ("漢字", "project"), ("x" * 120, "x" * 53)]
)
def test_a_project_gets_a_slug_of_its_own(owner: Client, default: Project, name: str, slug: str) -> None:
    assert owner.post("/o/acme/projects/new/", {"name": name}).status_code == 302
    assert Project.objects.exclude(pk=default.pk).get().slug == slug
    assert actions() == ["project.created"]


def test_a_project_needs_a_name(owner: Client) -> None:
    assert "Give the project a name." in owner.post("/o/acme/projects/new/", {"name": " "}).content.decode()


def test_a_renamed_project_keeps_its_slug(owner: Client, default: Project) -> None:
    for _ in range(2):
        owner.post(f"/o/acme/projects/{default.pk}/", {"name": "Main"})
    default.refresh_from_db()
    assert (default.name, default.slug) == ("Main", "default")
    assert actions() == ["project.changed"]


def test_archiving_revokes_the_projects_keys_and_restoring_brings_none_back(
    owner: Client, organization: Organization, default: Project
) -> None:
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    key, other = make_key(organization, project=side)[0], make_key(organization)[0]
    assert key.hint in owner.get(f"/o/acme/projects/{side.pk}/archive/").content.decode()
    owner.post(f"/o/acme/projects/{side.pk}/archive/")
    assert list(ApiKey.objects.active()) == [other]
    assert actions() == ["project.archived", "key.revoked"]
    owner.post(f"/o/acme/projects/{side.pk}/restore/")
    assert list(Project.objects.unarchived()) == [default, side]
    assert list(ApiKey.objects.active()) == [other]
    assert actions()[-1] == "project.restored"


def test_the_default_project_stays_until_another_is_the_default(
    owner: Client, organization: Organization, default: Project
) -> None:
    said = html.unescape(owner.post(f"/o/acme/projects/{default.pk}/archive/").content.decode())
    assert "Default is the default project. Choose another one in the settings first." in said
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    owner.post("/o/acme/settings/", {**SETTINGS, "default_project": side.pk})
    assert owner.post(f"/o/acme/projects/{default.pk}/archive/").status_code == 302
    assert make_key(organization)[0].project == side


# -- settings ---------------------------------------------------------------------------------------


def test_settings_are_changed_and_what_differs_is_written_down(owner: Client, default: Project) -> None:
    form = {"name": "Acme Ltd", "retired_models": "refuse", "default_project": default.pk}
    assert owner.post("/o/acme/settings/", form).status_code == 302
    acme = Organization.objects.get()
    assert (acme.name, acme.slug, acme.retired_models, acme.sandbox_enabled) == ("Acme Ltd", "acme", "refuse", False)
    assert AuditEvent.objects.get().details == {
        "name": {"before": "Acme", "after": "Acme Ltd"},
        "retired_models": {"before": "As the platform does", "after": "Refuse with 404"},
        "sandbox_enabled": {"before": True, "after": False},
        "default_project": {"before": None, "after": "Default"},
    }


def test_what_is_saved_as_it_was_is_no_event(owner: Client, organization: Organization, default: Project) -> None:
    Organization.objects.update(default_project=default)
    owner.post("/o/acme/settings/", {**SETTINGS, "default_project": default.pk})
    assert actions() == []


def test_another_organisations_project_is_no_choice(owner: Client, default: Project) -> None:
    theirs = Project.objects.default_of(make_organization("other"))
    answer = owner.post("/o/acme/settings/", {**SETTINGS, "default_project": theirs.pk})
    assert answer.status_code == 200
    assert Organization.objects.get(slug="acme").default_project is None


def test_a_name_that_is_refused_does_not_change_the_page_around_it(owner: Client, default: Project) -> None:
    page = owner.post("/o/acme/settings/", {**SETTINGS, "name": "", "default_project": default.pk}).content.decode()
    assert "Give the organisation a name." in page
    assert "Settings · Acme · 2389" in page


def test_who_may_not_change_them_sees_them_and_no_button(client: Client, organization: Organization, bob: User) -> None:
    client.force_login(bob)
    page = client.get("/o/acme/settings/").content.decode()
    assert "disabled" in page
    assert "Save settings" not in page
    assert "Close the organisation" not in page


@pytest.mark.parametrize(("policy", "said"), [("follow", "serve by the successor"), ("refuse", "refuse with 404")])
def test_the_page_says_what_the_gateway_does_with_retired_models(
    owner: Client, settings: Any, policy: str, said: str
) -> None:
    settings.GATEWAY_RETIRED_MODELS = policy
    assert f"As this gateway does: {said}" in owner.get("/o/acme/settings/").content.decode()


# -- the end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "Acme", "acme-2"])
def test_nothing_is_closed_by_mistake(owner: Client, organization: Organization, typed: str) -> None:
    make_key(organization)
    assert owner.post("/o/acme/settings/close/", {"slug": typed}).status_code == 200
    assert Organization.objects.get().closed_at is None
    assert ApiKey.objects.active().exists()
    assert actions() == []


def test_closing_ends_keys_invitations_and_pages_and_keeps_ledger_and_log(
    owner: Client, organization: Organization, alice: User
) -> None:
    wallets.enter(organization, "grant", "welcome", 5, "", "root")
    make_key(organization)
    Invitation.objects.create(
        organization=organization, email="a@example.com", digest=b"x", expires_at=datetime(2099, 1, 1, tzinfo=UTC)
    )
    assert owner.post("/o/acme/settings/close/", {"slug": "acme"}).headers["location"] == "/dashboard/"
    assert not ApiKey.objects.active().exists()
    assert Invitation.objects.get().status == "revoked"
    assert owner.get("/o/acme/members/").status_code == 404
    assert owner.get("/dashboard/").headers["location"] == "/organizations/new/"
    assert Transfer.objects.of(organization).count() == 1
    assert Membership.objects.of(organization).filter(user=alice).exists()
    assert actions() == ["organization.closed", "key.revoked"]


def test_a_closed_organisation_is_not_in_the_switcher(owner: Client, alice: User) -> None:
    make_organization("gone", name="Gone Ltd", owner=alice, closed_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "Gone Ltd" not in owner.get("/o/acme/members/").content.decode()


def test_archiving_a_project_without_keys_is_undone_with_one_button(owner: Client, organization: Organization) -> None:
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    page = owner.post(f"/o/acme/projects/{side.pk}/archive/", follow=True).content.decode()
    assert f'<form method="post" action="/o/acme/projects/{side.pk}/restore/">' in page
    owner.post(f"/o/acme/projects/{side.pk}/restore/")
    side.refresh_from_db()
    assert side.archived_at is None


def test_what_cannot_be_undone_has_no_such_button(owner: Client, organization: Organization) -> None:
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    make_key(organization, project=side)
    page = owner.post(f"/o/acme/projects/{side.pk}/archive/", follow=True).content.decode()
    assert "Its keys are revoked." in page
    assert "Undo" not in page
