"""Credentials go in and never come out, and models are shown as they stand."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from gateway import credentials
from gateway.models import Model, Provider, Route
from gateway.registry import today
from tests.admin.pages import STORED, html, run
from tests.factories import make_model, make_price, make_provider

pytestmark = pytest.mark.django_db


def provider_url(provider: Provider) -> str:
    return f"/admin/gateway/provider/{provider.pk}/change/"


def provider_form(provider: Provider, **fields: Any) -> dict[str, Any]:
    known = {"name": provider.name, "base_url": provider.base_url, "options": "{}", "enabled": "on"}
    return {**known, "needs_credential": "on", **fields}


def save_provider(client: Client, provider: Provider, **fields: Any) -> str:
    page = client.post(provider_url(provider), provider_form(provider, **fields), follow=True).content.decode()
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
    provider = make_provider("one", **fields)
    cell = re.search(r'data-label="Credential">(.*?)</td>', html(staff, "/admin/gateway/provider/"), re.DOTALL)
    assert cell is not None
    assert re.sub(r"<[^>]+>|\s+", " ", cell.group(1)).strip() == state
    assert f">{state}<" in re.sub(r">\s+|\s+<", lambda m: m.group().strip(), html(staff, provider_url(provider)))


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
