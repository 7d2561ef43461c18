"""What staff do to an organisation stands in its audit log, as done by the operator."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Membership, Organization, Project, User
from tests.admin.pages import run
from tests.factories import make_key, make_user

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    events = AuditEvent.objects.order_by("pk")
    assert {event.who for event in events} <= {"The operator"}
    return [(event.action, event.target_label) for event in events]


def inline(*memberships: Membership, more: User | None = None) -> dict[str, Any]:
    """The form of an organisation's memberships, with one more at its end."""
    form: dict[str, Any] = {"memberships-INITIAL_FORMS": len(memberships), "memberships-TOTAL_FORMS": len(memberships)}
    for number, one in enumerate(memberships):
        form |= {f"memberships-{number}-id": one.pk, f"memberships-{number}-user": one.user_id,
                 f"memberships-{number}-role": one.role}  # fmt: skip
    if more:
        number = len(memberships)
        form |= {f"memberships-{number}-user": more.pk, f"memberships-{number}-role": "viewer",
                 "memberships-TOTAL_FORMS": number + 1}  # fmt: skip
    return form


def test_states_of_an_organisation(staff: Client, organization: Organization) -> None:
    for action in ("suspend", "resume"):
        run(staff, "accounts/organization", action, organization)
    Organization.objects.update(closed_at=organization.created_at)
    assert "Acme: open again." in run(staff, "accounts/organization", "reopen", organization)
    assert [action for action, _ in told()] == [
        "organization.suspended", "organization.resumed", "organization.reopened"
    ]  # fmt: skip
    assert Organization.objects.get().closed_at is None


def test_its_settings_and_members(staff: Client, organization: Organization, alice: User, bob: User) -> None:
    key = make_key(organization, owner=bob)[0]
    hers, his = (Membership.objects.get(user=user) for user in (alice, bob))
    dora = make_user("dora@example.com")
    form = {"name": "Acme Ltd", "slug": "acme", "sandbox_enabled": "on", "retired_models": ""}
    form |= {**inline(hers, his, more=dora), "memberships-0-role": "admin", "memberships-1-DELETE": "on"}
    assert staff.post(f"/admin/accounts/organization/{organization.pk}/change/", form).status_code == 302
    assert told() == [
        ("organization.changed", "Acme Ltd"),
        ("member.removed", "bob@acme.example"),
        ("key.revoked", str(key)),
        ("member.changed", "alice@acme.example"),
        ("member.added", "dora@example.com"),
    ]
    changed = AuditEvent.objects.get(action="member.changed")
    assert changed.details == {"role": {"before": "owner", "after": "admin"}}
    assert set(organization.memberships.values_list("user__email", "role")) == {
        ("alice@acme.example", "admin"), ("dora@example.com", "viewer")
    }  # fmt: skip
    assert not ApiKey.objects.active().exists()


def test_what_is_saved_as_it_was_is_no_event(staff: Client, organization: Organization) -> None:
    form = {"name": "Acme", "slug": "acme", "sandbox_enabled": "on", "retired_models": ""}
    places = organization.memberships.order_by("organization", "user")
    staff.post(f"/admin/accounts/organization/{organization.pk}/change/", {**form, **inline(*places)})
    assert told() == []


def test_memberships_by_their_own_pages(staff: Client, organization: Organization, bob: User) -> None:
    make_key(organization, owner=bob)
    his = Membership.objects.get(user=bob)
    dora = make_user("dora@example.com")
    form = {"organization": organization.pk, "user": dora.pk, "role": "viewer"}
    staff.post("/admin/accounts/membership/add/", form)
    staff.post(f"/admin/accounts/membership/{his.pk}/change/", {"role": "billing"})
    staff.post(f"/admin/accounts/membership/{his.pk}/delete/", {"post": "yes"})
    assert [action for action, _ in told()] == ["member.added", "member.changed", "member.removed", "key.revoked"]
    assert not ApiKey.objects.active().exists()


def test_memberships_that_are_deleted_by_the_list_end_their_keys_too(
    staff: Client, organization: Organization, bob: User
) -> None:
    make_key(organization, owner=bob)
    his = Membership.objects.get(user=bob)
    form = {"action": "delete_selected", "_selected_action": [his.pk], "post": "yes"}
    staff.post("/admin/accounts/membership/", form)
    assert [action for action, _ in told()] == ["member.removed", "key.revoked"]
    assert not Membership.objects.filter(user=bob).exists()
    assert not ApiKey.objects.active().exists()


def test_keys(staff: Client, organization: Organization, bob: User) -> None:
    times = {"expires_at_0": "", "expires_at_1": ""}
    form = {"organization": organization.pk, "name": "ci", "owner": bob.pk, "requests_per_minute": "7", **times}
    staff.post("/admin/accounts/apikey/add/", form)
    key = ApiKey.objects.get()
    staff.post(f"/admin/accounts/apikey/{key.pk}/change/", {"name": "ci", "owner": "", **times})
    run(staff, "accounts/apikey", "revoke", key)
    assert [action for action, _ in told()] == ["key.created", "key.changed", "key.revoked"]
    assert AuditEvent.objects.get(action="key.changed").details == {
        "owner": {"before": "bob@acme.example", "after": None},
        "requests_per_minute": {"before": 7, "after": None},
    }
    key.refresh_from_db()
    assert key.service_account


def test_projects(staff: Client, organization: Organization) -> None:
    staff.post("/admin/accounts/project/add/", {"organization": organization.pk, "name": "Web", "slug": "web"})
    project = Project.objects.get()
    staff.post(f"/admin/accounts/project/{project.pk}/change/", {"name": "Website"})
    assert told() == [("project.created", "Web"), ("project.changed", "Website")]


def test_no_key_is_issued_for_a_closed_organisation(staff: Client, organization: Organization) -> None:
    Organization.objects.update(closed_at=organization.created_at)
    page = staff.post("/admin/accounts/apikey/add/", {"organization": organization.pk, "name": "ci"}).content.decode()
    assert "Acme is closed: no keys can be made in it. Reopen it first." in page
    assert not ApiKey.objects.exists()
