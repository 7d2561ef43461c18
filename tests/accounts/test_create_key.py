"""create_key: the secret alone on standard output, and a refusal that names the way out."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, Membership, Organization, Project, User
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db


def create_key(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_standard_output_is_the_secret_and_nothing_else(organization: Organization) -> None:
    out, err = create_key("--org", "acme", "--name", "ci")
    secret = out.removesuffix("\n")
    assert keys.well_formed(secret)
    key = ApiKey.objects.get()
    assert bytes(key.secrets.get().digest) in keys.digests(secret)
    assert (key.organization, key.name, key.owner, key.requests_per_minute) == (organization, "ci", None, None)
    assert key.hint in err
    assert secret not in err


def test_a_key_gets_the_limit_and_the_owner_it_was_asked_for(organization: Organization, bob: User) -> None:
    create_key("--org", "acme", "--name", "ci", "--rpm", "600", "--owner", "BOB@acme.example")
    key = ApiKey.objects.get()
    assert (key.owner, key.requests_per_minute) == (bob, 600)


def test_an_organisation_is_made_only_when_asked_for() -> None:
    with pytest.raises(CommandError, match=r"no organisation 'new'. Add --create-org"):
        create_key("--org", "new", "--name", "ci")
    assert not Organization.objects.exists()
    out, err = create_key("--org", "new", "--name", "ci", "--create-org")
    assert keys.well_formed(out.strip())
    assert "Made the organisation new" in err
    assert ApiKey.objects.get().organization.slug == "new"


def test_create_org_uses_the_organisation_that_is_there(organization: Organization) -> None:
    create_key("--org", "acme", "--name", "ci", "--create-org")
    assert Organization.objects.get() == organization


def test_a_stranger_cannot_own_a_key(organization: Organization, charlie: User) -> None:
    with pytest.raises(CommandError, match=r"charlie@stranger.example is not a member of acme. Add the membership"):
        create_key("--org", "acme", "--name", "ci", "--owner", charlie.email)
    assert not ApiKey.objects.exists()


def test_an_owner_nobody_knows_is_refused_and_leaves_no_organisation_behind() -> None:
    with pytest.raises(CommandError, match=r"Nobody signs in as who@example.com"):
        create_key("--org", "new", "--name", "ci", "--owner", "who@example.com", "--create-org")
    assert not Organization.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--org", "acme", "--name", "ci", "--rpm", "0"], "--rpm: "),
        (["--org", "acme", "--name", "ci", "--rpm", "100001"], "--rpm: "),
        (["--org", "acme", "--name", "  "], "--name: "),
        (["--org", "acme", "--name", "n" * 121], "--name: "),
        (["--org", "not a slug", "--create-org", "--name", "ci"], "--org: "),
    ],
    ids=["no requests", "too many requests", "blank name", "long name", "bad slug"],
)
def test_a_complaint_names_the_argument(arguments: list[str], complaint: str) -> None:
    make_organization("acme", owner=make_user())
    with pytest.raises(CommandError, match=complaint):
        create_key(*arguments)
    assert not ApiKey.objects.exists()
    assert Organization.objects.count() == 1
    assert Membership.objects.count() == 1


def test_a_key_of_a_suspended_organisation_comes_with_a_warning() -> None:
    make_organization("asleep", suspended_at=timezone.now())
    _, err = create_key("--org", "asleep", "--name", "ci")
    assert "asleep is suspended" in err


def test_a_key_gets_the_project_and_the_scopes_it_was_asked_for(organization: Organization) -> None:
    project = Project.objects.create(organization=organization, name="Staging", slug="staging")
    create_key("--org", "acme", "--name", "books", "--project", "staging", "--scope", "usage")
    create_key("--org", "acme", "--name", "ci")
    books, ci = ApiKey.objects.get(name="books"), ApiKey.objects.get(name="ci")
    assert (books.project, books.scopes) == (project, ["usage"])
    assert (ci.project.slug, ci.scopes) == ("default", ["chat", "embeddings"])


def test_a_strangers_project_is_not_there(organization: Organization) -> None:
    Project.objects.create(organization=make_organization("other"), name="Staging", slug="staging")
    with pytest.raises(CommandError, match=r"acme has no project 'staging'"):
        create_key("--org", "acme", "--name", "ci", "--project", "staging")
