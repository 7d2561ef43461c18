"""Whatever changes something in an organisation is written down: each form of these pages, sent as its owner would."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Organization, Project, User
from accounts.roles import Role
from billing.models import Budget
from tests.accounts.organization_pages import Route, routes, values_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

OURS = (
    "accounts.views_members.", "accounts.views_projects.", "accounts.views_settings.", "accounts.views_audit.",
    "gateway.views_playground.", "gateway.views_prompts.", "gateway.views_start.", "billing.views_budgets.",
    "billing.views_documents.",
)  # fmt: skip

# What is sent, and the action that has to stand in the log afterwards.
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "billing:organization-budgets-new": (
        {"name": "Team", "covers": "organization:", "limit": "5", "period": "month", "does": "refuse"},
        "budget.created",
    ),
    "billing:organization-budget": ({"name": "Other", "limit": "5", "does": "tell"}, "budget.changed"),
    "billing:organization-budget-remove": ({}, "budget.deleted"),
    "billing:organization-budget-restore": ({}, "budget.restored"),
    "billing:organization-details": ({"tax_id": "DE2"}, "billing.changed"),
    "gateway:start": ({}, "key.created"),
    "accounts:members-invite": ({"email": "new@acme.example", "role": "viewer"}, "member.invited"),
    "accounts:members-leave": ({}, "member.left"),
    "accounts:members-member": ({"role": "viewer"}, "member.changed"),
    "accounts:members-remove": ({}, "member.removed"),
    "accounts:members-resend": ({}, "invitation.resent"),
    "accounts:members-revoke": ({}, "invitation.revoked"),
    "accounts:settings": ({"name": "Acme Ltd", "retired_models": "refuse"}, "organization.changed"),
    "accounts:settings-close": ({"slug": "acme"}, "organization.closed"),
    "accounts:settings-new-project": ({"name": "New"}, "project.created"),
    "accounts:settings-project": ({"name": "Other"}, "project.changed"),
    "accounts:settings-archive-project": ({}, "project.archived"),
    "accounts:settings-restore-project": ({}, "project.restored"),
    "gateway:playground-key": ({}, "key.created"),
    "gateway:settings-prompts": ({"days": "7"}, "prompts.changed"),
    "gateway:settings-prompts-stop": ({}, "prompts.changed"),
}
OUR_ROUTES = [route for route in routes() if route.view.startswith(OURS)]


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in OUR_ROUTES])
def test_every_form_writes_an_event(
    client: Client, organization: Organization, alice: User, bob: User, route: Route
) -> None:
    url = route.url(organization, values_for(route, organization))
    if client.post(url).status_code == 405:
        assert route.name not in FORMS
        return
    organization.memberships.filter(user=bob).update(role=Role.OWNER)  # so that Alice may leave
    Organization.objects.filter(pk=organization.pk).update(prompt_retention_days=30)  # so that it may be stopped
    Budget.objects.filter(organization=organization).update(enabled=not route.name.endswith("-restore"))
    client.force_login(alice)
    sent, action = FORMS[route.name]
    project = Project.objects.default_of(organization).pk
    assert client.post(url, {"default_project": project, **sent}).status_code in {200, 302}
    event = AuditEvent.objects.of(organization).filter(action=action).get()
    assert (event.actor, event.address) == (alice, "127.0.0.1")


def test_founding_an_organisation_is_its_first_event(client: Client, charlie: User) -> None:
    client.force_login(charlie)
    client.post("/organizations/new/", {"name": "Newest"})
    event = AuditEvent.objects.of(Organization.objects.get(slug="newest")).get()
    assert (event.action, event.actor) == ("organization.created", charlie)
