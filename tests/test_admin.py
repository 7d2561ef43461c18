"""The admin: every page opens for staff and for nobody else, secrets never come out, and money is only looked at."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model as Row
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts import keys
from accounts.models import ApiKey, ApiKeyUse, Membership, Organization, User
from billing.models import Price, UsageEvent
from gateway import credentials
from gateway.models import Model, Provider, Route
from gateway.registry import today
from tests.factories import make_key, make_model, make_price, make_provider, make_route, make_user

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),  # static files are collected into an image only
]

UPSTREAM = "sk-upstream-secret-0123456789"
STORED = "sk-stored-secret-9876543210"
EDITABLE = [
    "accounts/user", "accounts/organization", "accounts/membership", "accounts/apikey", "auth/group",
    "gateway/provider", "gateway/model", "gateway/route", "billing/price",
]  # fmt: skip
PAGES = [*EDITABLE, "billing/usageevent"]
NEVER_DELETED = ["accounts/user", "accounts/organization", "accounts/apikey", "billing/price", "billing/usageevent"]


@pytest.fixture(autouse=True)
def environment(settings: Settings) -> None:
    settings.PROVIDER_SECRET = {"OPENAI_API_KEY": UPSTREAM}.get


@pytest.fixture
def root(db: None) -> User:
    return make_user("root@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def make_usage(key: ApiKey, **fields: Any) -> UsageEvent:
    now = datetime.now(UTC)
    known = {
        "request_id": uuid.uuid4(),
        "model_requested": "old-name",
        "model": "small",
        "provider": "openai",
        "stream": False,
        "status": 200,
        "input_tokens": 1200,
        "output_tokens": 34,
        "started_at": now,
        "ended_at": now,
        "duration_ms": 56,
    }
    return UsageEvent.objects.create(organization=key.organization, api_key=key, **{**known, **fields})


@pytest.fixture
def rows(key: ApiKey, bob: User) -> dict[str, Row]:
    """One row, at least, behind every page."""
    ApiKeyUse.objects.create(api_key=key, last_used_at=timezone.now())
    provider = make_provider("openai", api_key_env="OPENAI_API_KEY", credential=credentials.encrypt("openai", STORED))
    model = make_model("small", successor=make_model("next"))
    return {
        "accounts/user": bob,
        "accounts/organization": key.organization,
        "accounts/membership": Membership.objects.get(user=bob),
        "accounts/apikey": key,
        "auth/group": bob.groups.create(name="support"),
        "gateway/provider": provider,
        "gateway/model": model,
        "gateway/route": make_route(model, provider),
        "billing/price": make_price("small", tiers=[{"above": 200000, "input": "2"}]),
        "billing/usageevent": make_usage(key),
    }


def change_url(page: str, rows: dict[str, Row]) -> str:
    return f"/admin/{page}/{rows[page].pk}/change/"


def html(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


# -- every page -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_lists_and_rows_open_for_staff(staff: Client, rows: dict[str, Row], page: str) -> None:
    assert "/admin/" in html(staff, f"/admin/{page}/")
    html(staff, change_url(page, rows))
    html(staff, f"/admin/{page}/?q=a")


@pytest.mark.parametrize("page", EDITABLE)
def test_add_pages_open_for_staff(staff: Client, page: str) -> None:
    html(staff, f"/admin/{page}/add/")


def test_the_front_page_names_every_page_once_at_the_side(staff: Client) -> None:
    front = html(staff, "/admin/")
    for group in ("Customers", "Registry", "Money and usage", "Access"):
        assert group in front
    for page in PAGES:
        assert f'href="/admin/{page}/"' in front


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_and_a_customer_are_sent_to_sign_in(client: Client, charlie: User, page: str) -> None:
    assert client.get(f"/admin/{page}/").status_code == 302
    client.force_login(charlie)
    response = client.get(f"/admin/{page}/")
    assert response.status_code == 302
    assert response["location"].startswith("/admin/login/")


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_a_right_see_nothing_of_it(client: Client, rows: dict[str, Row], page: str) -> None:
    client.force_login(make_user("helper@example.com", is_staff=True))
    assert client.get(f"/admin/{page}/").status_code == 403
    assert client.get(change_url(page, rows)).status_code == 403
    assert f'href="/admin/{page}/"' not in html(client, "/admin/")


@pytest.mark.parametrize("page", ["accounts/apikey", "billing/usageevent", "gateway/model", "gateway/provider"])
def test_a_longer_list_takes_no_more_queries(staff: Client, rows: dict[str, Row], page: str) -> None:
    staff.get(f"/admin/{page}/")  # content types are remembered from here on
    with CaptureQueriesContext(
        connection,
    ) as few:
        html(staff, f"/admin/{page}/")
    for _ in range(5):
        key, _secret = make_key()
        make_usage(key)
        make_route(make_model(successor=make_model()), make_provider())
    with CaptureQueriesContext(connection) as many:
        html(staff, f"/admin/{page}/")
    assert len(many) == len(few)


# -- secrets ----------------------------------------------------------------------------------


def test_no_page_shows_a_secret_a_digest_or_a_ciphertext(
    staff: Client, rows: dict[str, Row], key: ApiKey, secret: str
) -> None:
    provider = Provider.objects.get()
    hidden = [secret, bytes(key.digest).hex(), repr(bytes(key.digest)), UPSTREAM, STORED, provider.credential]
    urls = ["/admin/", *(f"/admin/{page}/" for page in PAGES), *(change_url(page, rows) for page in PAGES)]
    for url in [*urls, *(f"{change_url(page, rows).removesuffix('change/')}history/" for page in PAGES)]:
        page = html(staff, url)
        assert [text for text in hidden if text in page] == [], url
    assert key.hint in html(staff, "/admin/accounts/apikey/")


def test_a_password_hash_is_not_shown(staff: Client, root: User) -> None:
    root.set_password("a long enough password")
    root.save()
    staff.force_login(root)
    page = html(staff, f"/admin/accounts/user/{root.pk}/change/")
    assert root.password not in page


# -- keys -------------------------------------------------------------------------------------


def test_a_key_issued_here_shows_its_secret_on_the_next_page_and_never_again(
    staff: Client, organization: Organization, bob: User
) -> None:
    form = {"organization": organization.pk, "name": "ci", "owner": bob.pk, "requests_per_minute": "120"}
    response = staff.post("/admin/accounts/apikey/add/", {**form, "expires_at_0": "", "expires_at_1": ""}, follow=True)
    found = set(keys.PATTERN.findall(response.content.decode()))
    assert len(found) == 1
    secret = found.pop()
    key = ApiKey.objects.get()
    assert bytes(key.digest) in keys.digests(secret)
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
    digest = bytes(key.digest)
    form = {"name": "renamed", "owner": "", "requests_per_minute": "7", "expires_at_0": "", "expires_at_1": ""}
    response = staff.post(f"/admin/accounts/apikey/{key.pk}/change/", form, follow=True)
    assert not keys.PATTERN.search(response.content.decode())
    key.refresh_from_db()
    assert (key.name, key.requests_per_minute, bytes(key.digest)) == ("renamed", 7, digest)


def run(client: Client, page: str, action: str, row: Row) -> str:
    response = client.post(f"/admin/{page}/", {"action": action, "_selected_action": [row.pk]}, follow=True)
    return response.content.decode()


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


# -- people and organisations -----------------------------------------------------------------


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


# -- the registry -----------------------------------------------------------------------------


def provider_form(provider: Provider, **fields: Any) -> dict[str, Any]:
    known = {"name": provider.name, "base_url": provider.base_url, "options": "{}", "enabled": "on"}
    return {**known, "needs_credential": "on", **fields}


def save_provider(client: Client, provider: Provider, **fields: Any) -> str:
    url = f"/admin/gateway/provider/{provider.pk}/change/"
    page = client.post(url, provider_form(provider, **fields), follow=True).content.decode()
    provider.refresh_from_db()
    return page


def test_a_credential_is_written_kept_and_removed_but_never_read(staff: Client) -> None:
    provider = make_provider("mine")
    page = save_provider(staff, provider, new_credential=STORED)
    assert STORED not in page
    assert STORED not in provider.credential
    assert credentials.decrypt("mine", provider.credential) == STORED
    kept = provider.credential
    save_provider(staff, provider, name="Renamed", new_credential="")
    assert (provider.name, provider.credential) == ("Renamed", kept)
    save_provider(staff, provider, remove_credential="on")
    assert provider.credential == ""
    assert not [entry for entry in LogEntry.objects.all() if STORED in entry.change_message]


def test_a_provider_can_be_added_with_its_credential(staff: Client) -> None:
    form = {"slug": "groq", "name": "Groq", "kind": "openai_compatible", "base_url": "https://api.groq.com/openai/v1"}
    form |= {"options": "{}", "enabled": "on", "needs_credential": "on", "new_credential": STORED}
    staff.post("/admin/gateway/provider/add/", form)
    assert credentials.decrypt("groq", Provider.objects.get().credential) == STORED


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"new_credential": "two words"}, "A credential is one word"),
        ({"new_credential": "one", "remove_credential": "on"}, "Either give a new credential or remove"),
        ({"base_url": "https://elsewhere.example"}, "would be sent to the new address"),
    ],
)
def test_a_stored_credential_is_not_lost_or_sent_elsewhere_by_mistake(
    staff: Client, fields: dict[str, str], complaint: str
) -> None:
    provider = make_provider("mine", credential=credentials.encrypt("mine", STORED))
    assert complaint in save_provider(staff, provider, **fields)
    assert provider.base_url == ""
    assert credentials.decrypt("mine", provider.credential) == STORED


def test_a_key_from_the_environment_cannot_be_pointed_at_another_server(staff: Client) -> None:
    provider = make_provider("openai", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY")
    save_provider(staff, provider, base_url="https://elsewhere.example", api_key_env="SECRET_KEY", slug="x")
    assert (provider.base_url, provider.api_key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    assert provider.slug == "openai"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"credential": "1:token", "api_key_env": "OPENAI_API_KEY"}, "stored"),
        ({"api_key_env": "OPENAI_API_KEY"}, "from environment OPENAI_API_KEY"),
        ({"api_key_env": "UNSET_KEY"}, "no credential"),
        ({"api_key_env": "file:/nowhere/key"}, "no credential"),
        ({}, "no credential"),
        ({"needs_credential": False}, "not needed"),
    ],
)
def test_the_list_says_where_each_credential_comes_from(staff: Client, fields: dict[str, Any], state: str) -> None:
    make_provider("one", **fields)
    cell = re.search(r'data-label="Credential">(.*?)</td>', html(staff, "/admin/gateway/provider/"), re.DOTALL)
    assert cell is not None
    assert re.sub(r"<[^>]+>|\s+", " ", cell.group(1)).strip() == state


def test_models_are_listed_with_their_stage_and_the_price_in_force(staff: Client) -> None:
    make_model("gone", shutdown_on=today(), successor=make_model("next"))
    make_price("gone", input="1", output="2", effective_at=timezone.now() - timedelta(days=2))
    make_price("gone", input="0.15", output="0.6", effective_at=timezone.now() - timedelta(days=1))
    make_price("gone", input="9", output="9", effective_at=timezone.now() + timedelta(days=1))
    page = html(staff, "/admin/gateway/model/?lifecycle=retired")
    assert "$0.15 / $0.60" in page
    assert "/admin/gateway/model/gone/change/" in page
    assert "/admin/gateway/model/next/change/" not in page.replace("gone/change", "")


def test_a_model_keeps_its_name_and_its_routes_are_edited_with_it(staff: Client) -> None:
    model, provider = make_model("vendor/small"), make_provider()
    form = {
        "owned_by": "someone", "description": "", "enabled": "on", "vendor_id": "small", "capabilities": "{}",
        "default_system_prompt": "", "routes-TOTAL_FORMS": "1", "routes-INITIAL_FORMS": "0",
        "routes-0-position": "0", "routes-0-provider": provider.pk, "routes-0-upstream_model": "small-1",
        "routes-0-options": "{}", "routes-0-enabled": "on", "id": "renamed",
    }  # fmt: skip
    response = staff.post(f"/admin/gateway/model/{model.pk.replace('/', '_2F')}/change/", form)
    assert response.status_code == 302, response.content.decode()
    assert Model.objects.get().owned_by == "someone"
    assert Model.objects.get().id == "vendor/small"
    assert Route.objects.get().upstream_model == "small-1"


def test_a_model_that_the_vendor_has_after_all_is_served_again(staff: Client) -> None:
    model = make_model("small", vendor_gone_at=timezone.now())
    assert "Served again: small." in run(staff, "gateway/model", "vendor_has_it", model)
    model.refresh_from_db()
    assert model.vendor_gone_at is None


# -- money and usage --------------------------------------------------------------------------


def price_form(**fields: Any) -> dict[str, Any]:
    now = timezone.now()
    known = {"model": "small", "effective_at_0": f"{now:%Y-%m-%d}", "effective_at_1": f"{now:%H:%M:%S}"}
    return {**known, "input": "0.15", "output": "0.60", "tiers": "[]", **fields}


def test_a_new_price_is_a_new_row(staff: Client) -> None:
    old = make_price("small", effective_at=timezone.now() - timedelta(days=1))
    response = staff.post("/admin/billing/price/add/", price_form(tiers='[{"above": 200000, "input": "0.30"}]'))
    assert response.status_code == 302, response.content.decode()
    assert Price.objects.count() == 2
    assert Price.objects.exclude(pk=old.pk).get().input == Decimal("0.15")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"effective_at_0": "2020-01-01"}, "A price cannot begin in the past"),
        ({"tiers": '[{"input": "1"}]'}, "Give a list such as"),
        ({"tiers": '[{"above": 5, "input": "cheap"}]'}, "Give a list such as"),
        ({"tiers": '{"above": 5}'}, "Give a list such as"),
        ({"tiers": "[1]"}, "Give a list such as"),
        ({"input": "-1"}, "greater than or equal to 0"),
        ({"input": "0.0000001"}, "no more than 6 decimal places"),
    ],
)
def test_a_price_that_cannot_be_charged_is_refused(staff: Client, fields: dict[str, str], complaint: str) -> None:
    assert complaint in staff.post("/admin/billing/price/add/", price_form(**fields)).content.decode()
    assert not Price.objects.exists()


@pytest.mark.parametrize("page", ["billing/price", "billing/usageevent"])
def test_money_and_usage_cannot_be_edited_even_by_a_superuser(staff: Client, rows: dict[str, Row], page: str) -> None:
    before = list(type(rows[page]).objects.values())  # type: ignore[attr-defined]  # every model has objects
    assert staff.post(change_url(page, rows), {"model": "other", "input": "0", "output": "0"}).status_code == 403
    assert list(type(rows[page]).objects.values()) == before  # type: ignore[attr-defined]  # as above


def test_usage_cannot_be_made_up(staff: Client) -> None:
    assert staff.get("/admin/billing/usageevent/add/").status_code == 403


@pytest.mark.parametrize("page", NEVER_DELETED)
def test_what_others_rely_on_is_never_deleted(staff: Client, rows: dict[str, Row], page: str) -> None:
    row = rows[page]
    assert staff.post(f"/admin/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    run(staff, page, "delete_selected", row)
    assert type(row).objects.filter(pk=row.pk).exists()  # type: ignore[attr-defined]  # every model has objects


Finder = Callable[[UsageEvent], str]


@pytest.mark.parametrize(
    "words",
    [
        lambda event: str(event.request_id),
        lambda event: event.organization.slug,
        lambda event: event.model,
        lambda event: event.model_requested,
        lambda event: event.external_id,
    ],
    ids=["request id", "organisation", "served model", "requested model", "proxy's id"],
)
def test_usage_is_found_by_what_a_customer_would_quote(staff: Client, key: ApiKey, words: Finder) -> None:
    event = make_usage(key, external_id="proxy-1")
    other = make_usage(make_key()[0], model_requested="x", model="y")
    page = html(staff, f"/admin/billing/usageevent/?q={words(event)}")
    assert str(event.request_id) in page
    assert str(other.request_id) not in page


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "ok"), (404, "refused"), (499, "hung-up"), (500, "failed"), (503, "failed")]
)
def test_usage_is_filtered_by_outcome_and_model(staff: Client, key: ApiKey, status: int, outcome: str) -> None:
    event = make_usage(key, status=status)
    make_price("small")
    for name in ("ok", "refused", "hung-up", "failed"):
        found = str(event.request_id) in html(staff, f"/admin/billing/usageevent/?outcome={name}&model=small")
        assert found == (name == outcome)
    assert str(event.request_id) not in html(staff, "/admin/billing/usageevent/?model=other")
