"""The palette: what each role finds with it, and what nobody does."""

from __future__ import annotations

import html
import re
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, Membership, Organization, User
from tests.factories import make_key, make_model, make_organization, make_user

pytestmark = pytest.mark.django_db

Role = Membership.Role
ADDRESS = "/o/acme/palette/"


def places(client: Client, words: str = "") -> dict[str, str]:
    """What is found: the label of each place, and where it leads."""
    response = client.get(ADDRESS, {"q": words})
    assert response.status_code == 200
    found = re.findall(
        r'role="option"[^>]*href="([^"]+)".*?palette-label">([^<]*)<', response.content.decode(), re.DOTALL
    )
    return {html.unescape(label): html.unescape(url) for url, label in found}


@pytest.fixture
def owner(organization: Organization, alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def member(organization: Organization, role: Role) -> Client:
    client, user = Client(), make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    return client


def test_without_words_it_lists_the_pages(owner: Client) -> None:
    found = places(owner)
    assert found["Keys"] == "/o/acme/keys/"
    assert found["Audit log"] == "/o/acme/audit-log/"
    assert found["Your account"] == "/account/"


def test_nobody_finds_a_page_that_they_may_not_see(organization: Organization) -> None:
    found = places(member(organization, Role.VIEWER))
    assert "Audit log" not in found
    assert "Create key" not in found
    assert "Keys" in found


def test_every_page_of_the_rail_opens_for_whoever_finds_it(organization: Organization) -> None:
    for role in Role:
        client = member(organization, role)
        inside = [url for url in places(client).values() if url.startswith("/o/acme/")]
        assert inside
        assert {client.get(url).status_code for url in inside} == {200}


@pytest.mark.parametrize("words", ["produ", "PRODUCTION", "duct prod"])
def test_a_key_is_found_by_parts_of_its_name(owner: Client, key: ApiKey, words: str) -> None:
    assert places(owner, words) == {"production": f"/o/acme/keys/{key.pk}/"}


def test_a_key_is_found_by_the_ends_of_its_secret_and_by_the_secret_itself(
    owner: Client, key: ApiKey, secret: str
) -> None:
    for words in (key.hint, secret[-4:], secret):
        assert places(owner, words) == {"production": f"/o/acme/keys/{key.pk}/"}
    assert secret not in owner.get(ADDRESS, {"q": secret}).content.decode()


def test_keys_that_work_come_before_those_that_were_revoked(owner: Client, organization: Organization) -> None:
    make_key(organization, name="key a", revoked_at=timezone.now())
    make_key(organization, name="key b")
    assert [label for label in places(owner, "key ") if label.startswith("key ")] == ["key b", "key a"]


def test_keys_of_others_are_not_found(owner: Client) -> None:
    make_key(make_organization("other"), name="theirs")
    assert places(owner, "theirs") == {}


def test_a_model_is_found_unless_the_organisation_has_none_of_its_kind(
    owner: Client, organization: Organization
) -> None:
    make_model("sandbox/echo", sandbox=True)
    make_model("acme-large", owned_by="mistral")
    assert "acme-large" in places(owner, "mistral large")
    assert "sandbox/echo" in places(owner, "echo")
    Organization.objects.filter(pk=organization.pk).update(sandbox_enabled=False)
    assert "sandbox/echo" not in places(owner, "echo")


def test_a_request_is_found_by_its_whole_id_by_those_who_may_see_it(owner: Client, key: ApiKey) -> None:
    number = hold(key)
    assert str(number) in places(owner, str(number))
    assert str(number) not in places(owner, str(number)[:-1])
    assert str(number) not in places(member(key.organization, Role.BILLING), str(number))


def test_a_request_of_others_is_not_found(owner: Client) -> None:
    theirs, _ = make_key()
    assert places(owner, str(hold(theirs))) == {}


def hold(key: ApiKey) -> uuid.UUID:
    """A request under way."""
    from django.db import connection

    number = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO billing_wallet (organization_id) VALUES (%s)", [key.organization_id])
        cursor.execute(
            "INSERT INTO billing_hold (organization_id, request_id, api_key_id, amount_nano, model_requested, model,"
            " stream) VALUES (%s, %s, %s, 0, 'small', 'small', false)",
            [key.organization_id, number, key.pk],
        )
    return number


def test_another_organisation_of_ones_own_is_found_by_its_name(owner: Client, alice: User) -> None:
    make_organization("second", owner=alice)
    make_organization("third")
    assert places(owner, "second")["Second"] == "/o/second/"
    assert places(owner, "third") == {}


def test_what_people_wrote_is_no_markup(owner: Client, organization: Organization) -> None:
    make_key(organization, name="<script>alert(1)</script>")
    page = owner.get(ADDRESS, {"q": "alert"}).content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_words_that_are_keys_have_the_shape_that_the_script_hides() -> None:
    """The script replaces a pasted secret before it is sent; its pattern is the one of keys."""
    from pathlib import Path

    from django.conf import settings

    script = (Path(settings.BASE_DIR) / "static/js/palette.js").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"SECRET = /(.+)/g;", script)
    assert re.fullmatch(pattern, keys.generate())
