"""Staff issue and revoke keys, suspend organisations, and cannot make themselves mightier."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts import keys
from accounts.models import ApiKey, AuditEvent, Organization, Project, User
from tests.admin.pages import html, run
from tests.factories import make_key, make_organization, make_user

pytestmark = pytest.mark.django_db


def test_a_key_issued_here_shows_its_secret_on_the_next_page_and_never_again(
    staff: Client, organization: Organization, bob: User
) -> None:
    form = {"organization": organization.pk, "name": "ci", "owner": bob.pk, "requests_per_minute": "120"}
    response = staff.post("/admin/accounts/apikey/add/", {**form, "expires_at_0": "", "expires_at_1": ""}, follow=True)
    found = set(keys.PATTERN.findall(response.content.decode()))
    assert len(found) == 1
    secret = found.pop()
    key = ApiKey.objects.get()
    assert bytes(key.secrets.get().digest) in keys.digests(secret)
    assert (key.name, key.owner, key.requests_per_minute) == ("ci", bob, 120)
    assert secret not in html(staff, "/admin/accounts/apikey/")
    assert not [entry for entry in LogEntry.objects.all() if secret in entry.object_repr + entry.change_message]


def test_a_stranger_cannot_be_given_a_key(staff: Client, organization: Organization, charlie: User) -> None:
    response = staff.post(
        "/admin/accounts/apikey/add/", {"organization": organization.pk, "name": "ci", "owner": charlie.pk}
    )
    assert "is not a member of Acme" in response.content.decode()
    assert not ApiKey.objects.exists()


def test_saving_a_key_changes_its_limit_and_not_its_secret(staff: Client, key: ApiKey) -> None:
    digest = bytes(key.secrets.get().digest)
    form = {"name": "renamed", "owner": "", "requests_per_minute": "7", "expires_at_0": "", "expires_at_1": ""}
    response = staff.post(f"/admin/accounts/apikey/{key.pk}/change/", form, follow=True)
    assert not keys.PATTERN.search(response.content.decode())
    key.refresh_from_db()
    assert (key.name, key.requests_per_minute, bytes(key.secrets.get().digest)) == ("renamed", 7, digest)


def test_keys_are_revoked_by_the_list(staff: Client, key: ApiKey) -> None:
    assert f"Revoked: {key.name}" in run(staff, "accounts/apikey", "revoke", key)
    key.refresh_from_db()
    assert key.status == "revoked"
    assert "Nothing to revoke." in run(staff, "accounts/apikey", "revoke", key)


def test_staff_who_may_only_look_cannot_revoke(client: Client, key: ApiKey) -> None:
    looker = make_user("looker@example.com", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    client.force_login(looker)
    run(client, "accounts/apikey", "revoke", key)
    key.refresh_from_db()
    assert key.status == "active"


def test_organisations_are_suspended_and_come_back(staff: Client, organization: Organization) -> None:
    assert "Acme: suspended." in run(staff, "accounts/organization", "suspend", organization)
    organization.refresh_from_db()
    assert organization.suspended_at is not None
    assert "Acme: no longer suspended." in run(staff, "accounts/organization", "resume", organization)
    organization.refresh_from_db()
    assert organization.suspended_at is None


def test_a_person_is_made_with_an_address_that_is_free(staff: Client, alice: User) -> None:
    form = {"name": "Dora", "usable_password": "true", "password1": "quite a long one", "password2": "quite a long one"}
    taken = staff.post("/admin/accounts/user/add/", {**form, "email": "ALICE@acme.example"})
    assert "Somebody signs in with this address already." in taken.content.decode()
    staff.post("/admin/accounts/user/add/", {**form, "email": "dora@example.com"})
    assert User.objects.get(name="Dora").check_password("quite a long one")


def test_nobody_but_a_superuser_hands_out_rights_or_touches_a_superuser(client: Client, root: User, bob: User) -> None:
    helper = make_user("helper@example.com", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(helper)
    form = {"email": bob.email, "name": "Robert", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(f"/admin/accounts/user/{bob.pk}/change/", form)
    bob.refresh_from_db()
    assert (bob.name, bob.is_staff, bob.is_superuser) == ("Robert", False, False)
    assert client.post(f"/admin/accounts/user/{root.pk}/change/", form).status_code == 403
    assert client.get(f"/admin/accounts/user/{root.pk}/password/").status_code == 403


LIMITED = {
    "requests_per_minute": "7", "tokens_per_minute": "9000", "parallel_streams": "3",
    "models_allowed": "small\nclaude-*", "expires_at_0": "2099-01-02", "expires_at_1": "03:04",
    "address_ranges": "203.0.113.7, 2001:db8::/32", "scopes": ["usage"], "note": "Ask Dana.",
}  # fmt: skip


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "changed"])
def test_a_key_is_limited_in_every_way_that_members_can(
    staff: Client, organization: Organization, is_there: bool
) -> None:
    key = make_key(organization)[0] if is_there else None
    page = f"/admin/accounts/apikey/{key.pk}/change/" if key else "/admin/accounts/apikey/add/"
    staff.post(page, {"organization": organization.pk, "name": "ci", **LIMITED})
    found = ApiKey.objects.get()
    assert (found.requests_per_minute, found.tokens_per_minute, found.parallel_streams) == (7, 9000, 3)
    assert (found.models_allowed, found.address_ranges) == (["small", "claude-*"], ["203.0.113.7/32", "2001:db8::/32"])
    assert (found.scopes, found.note, found.project.slug) == (["usage"], "Ask Dana.", "default")
    assert found.expires_at is not None
    assert found.expires_at.isoformat() == "2099-01-02T03:04:00+00:00"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address_ranges": "10.0.0"}, "is no address or range"),
        ({"models_allowed": "a*b"}, "is no model"),
        ({"tokens_per_minute": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_limit_that_cannot_be_is_said_at_its_field(
    staff: Client, key: ApiKey, given: dict[str, str], told: str
) -> None:
    response = staff.post(f"/admin/accounts/apikey/{key.pk}/change/", {"name": "ci", **given})
    assert told in response.content.decode()


def test_a_key_stays_in_its_project_and_goes_to_none_of_others(staff: Client, organization: Organization) -> None:
    side = Project.objects.create(organization=organization, name="Side", slug="side")
    theirs = Project.objects.default_of(make_organization())
    key, _ = make_key(organization, project=side, models_allowed=["small"])
    page = f"/admin/accounts/apikey/{key.pk}/change/"
    response = staff.post(page, {"name": "ci", "project": theirs.pk})
    assert "is not a project of Acme" in response.content.decode()
    staff.post(page, {"name": "renamed", "models_allowed": "small"})
    key.refresh_from_db()
    assert (key.name, key.project, key.scopes, key.models_allowed) == (
        "renamed",
        side,
        ["chat", "embeddings"],
        ["small"],
    )
    assert [set(event.details) for event in AuditEvent.objects.all()] == [{"name"}]
