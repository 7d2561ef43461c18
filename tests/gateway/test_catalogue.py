"""The catalogue: what everybody may know of models, and what members may; found, priced and led on from."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Membership, Organization, User
from gateway import catalogue
from gateway.capability_words import WORDS
from gateway.catalogue_view import LABELS, PAGE
from gateway.models import Model
from tests.factories import make_key, make_model, make_price, make_provider, make_route, make_user
from tests.gateway.catalogue_pages import ids, make_served, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


# -- what is not for the public --------------------------------------------------------------------


def hide(kind: str) -> None:
    """A model called secret/one, kept from the public in one of the ways that there are."""
    model = make_model("secret/one", enabled=kind != "switched off", listed=kind != "not listed")
    make_route(model, make_provider("inhouse", name="In-house", listed=kind != "private provider"))


@pytest.mark.parametrize("kind", ["switched off", "not listed", "private provider"])
def test_what_is_not_for_the_public_leaves_no_trace(client: Client, kind: str) -> None:
    hide(kind)
    make_served("known", successor=Model.objects.get(), shutdown_on=date(2026, 1, 1))
    for path in ("/models/", "/models/?status=all&q=secret", "/models/known/"):
        assert "secret" not in words(client, path).replace("?q=secret", "")
    assert client.get("/models/secret/one/").status_code == 404
    assert "In-house" not in words(client, "/models/secret/one/", 404)
    near = client.get("/models/secret/onf/").content.decode()
    assert 'href="/models/secret/one/"' not in near


@pytest.mark.parametrize(("kind", "seen"), [("switched off", 404), ("not listed", 200), ("private provider", 200)])
def test_members_see_what_their_keys_may_call(member: Client, kind: str, seen: int) -> None:
    hide(kind)
    assert ("secret/one" in ids(member, "/o/acme/models/?status=all")) == (seen == 200)
    assert member.get("/o/acme/models/secret/one/").status_code == seen


def test_a_private_provider_of_a_public_model_is_not_named_to_the_public(member: Client) -> None:
    model = make_served("shared")
    make_route(model, make_provider("inhouse", name="In-house", listed=False, needs_credential=False))
    assert "In-house" not in words(Client(), "/models/shared/")
    assert "In-house" in words(member, "/o/acme/models/shared/")


def test_what_a_provider_calls_a_model_and_its_system_prompt_are_never_shown(member: Client) -> None:
    model = make_model("nice", default_system_prompt="You are the hidden prompt.")
    make_route(model, make_provider(needs_credential=False), "deployment-7431")
    for path in ("/models/nice/", "/o/acme/models/nice/"):
        assert "deployment-7431" not in member.get(path).content.decode()
        assert "hidden prompt" not in member.get(path).content.decode()


def test_the_sandbox_is_hidden_where_it_is_turned_off(member: Client, organization: Organization) -> None:
    make_served("sandbox/echo", sandbox=True)
    assert ids(member, "/o/acme/models/") == ["sandbox/echo"]
    Organization.objects.filter(pk=organization.pk).update(sandbox_enabled=False)
    assert ids(member, "/o/acme/models/") == []
    assert member.get("/o/acme/models/sandbox/echo/").status_code == 404


# -- finding one -----------------------------------------------------------------------------------


@pytest.fixture
def three() -> None:
    make_served("alpha", owned_by="acme", context_window=8000, capabilities={"tools": True, "vision": False})
    make_served("beta", owned_by="bolt", context_window=200_000, capabilities={"tools": True, "vision": True})
    make_served("gamma", owned_by="bolt", description="Thinks long", capabilities={"tools": "without_reasoning"})
    make_served("old", shutdown_on=date(2026, 1, 1))
    make_served("older", shutdown_on=date(2027, 1, 14))
    make_price("alpha", input="3", output="1")
    make_price("beta", input="0", output="0")
    make_price("gamma", input="0.5", output="8")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["alpha", "beta", "gamma", "older"]),
        ("q=BOLT", ["beta", "gamma"]),
        ("q=long+thinks", ["gamma"]),
        ("vendor=bolt", ["beta", "gamma"]),
        ("vendor=nobody", ["alpha", "beta", "gamma", "older"]),
        ("can=tools", ["alpha", "beta", "gamma"]),
        ("can=tools&can=vision", ["beta"]),
        ("can=nonsense", ["alpha", "beta", "gamma", "older"]),
        ("context=128000", ["beta"]),
        ("price=0", ["beta"]),
        ("price=0.5", ["beta", "gamma"]),
        ("price=cheap", ["alpha", "beta", "gamma", "older"]),
        ("status=live", ["alpha", "beta", "gamma"]),
        ("status=retiring", ["older"]),
        ("status=retired", ["old"]),
        ("status=all", ["alpha", "beta", "gamma", "old", "older"]),
        ("sort=input", ["beta", "gamma", "alpha", "older"]),
        ("sort=output", ["beta", "alpha", "gamma", "older"]),
        ("sort=context", ["beta", "alpha", "gamma", "older"]),
        ("sort=backwards", ["alpha", "beta", "gamma", "older"]),
        ("q=nothing", []),
    ],
)
@pytest.mark.usefixtures("three")
def test_the_address_says_what_is_looked_for(client: Client, query: str, expected: list[str]) -> None:
    assert ids(client, f"/models/?{query}") == expected


@pytest.mark.usefixtures("three")
def test_the_newest_come_first_when_asked_for(client: Client) -> None:
    Model.objects.filter(id="gamma").update(created_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert ids(client, "/models/?sort=newest")[0] == "gamma"


def test_what_was_looked_for_is_text_and_never_markup(client: Client) -> None:
    make_served("alpha")
    for path in ("/models/", "/models/%3Cscript%3Ealert(1)%3C/script%3E/"):
        page = client.get(path, {"q": '"><script>alert(1)</script>', "vendor": "<script>", "page": "<script>"})
        assert "<script>alert" not in page.content.decode()


def test_a_description_is_text_and_never_markup(member: Client) -> None:
    make_served("alpha", description="<img src=x onerror=alert(1)>", owned_by="<b>")
    for path in ("/models/", "/models/alpha/", "/o/acme/models/", "/o/acme/models/alpha/"):
        assert "<img src=x" not in member.get(path).content.decode()


def test_five_hundred_models_take_no_more_queries_than_five(client: Client) -> None:
    for number in range(5):
        make_served(f"model-{number:03}")
    with CaptureQueriesContext(connection) as few:
        client.get("/models/")
    provider = make_provider(needs_credential=False)
    made = Model.objects.bulk_create(
        Model(id=f"model-{number:03}", owned_by="v", vendor_id="v") for number in range(5, 500)
    )
    for model in made:
        make_route(model, provider)
    with CaptureQueriesContext(connection) as many:
        first = ids(client)
    assert len(many) == len(few)
    assert len(first) == PAGE
    last = ids(client, "/models/?page=5")
    assert last[-1] == "model-499"
    assert ids(client, "/models/?page=99") == last
    assert 'href="/models/?q=model&amp;page=2"' in client.get("/models/?q=model").content.decode()


# -- one model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["gpt-6.1-sol", "sandbox/echo", "org/team/model:free", "a@b", "x.y/z-1.0"])
def test_every_id_has_a_page(member: Client, id: str) -> None:  # noqa: A002 - the column's own name
    make_served(id)
    for root in ("/models/", "/o/acme/models/"):
        page = member.get(root).content.decode()
        found = re.findall(rf'href="({root}[^"?]+/)"', page)
        assert found
        assert f">{id}</h1>" in member.get(found[0]).content.decode()


def test_an_unknown_model_leads_to_those_that_may_have_been_meant(client: Client) -> None:
    for id in ("gpt-6-luna", "gpt-6.1-sol", "claude-haiku"):  # noqa: A001 - the column's own name
        make_served(id)
    page = words(client, "/models/gpt-6-lunar/", 404)
    assert "There is no such model" in page
    assert "gpt-6-luna" in page.replace("gpt-6-lunar", "")
    assert "claude" not in page


def test_a_retired_model_names_who_answers(client: Client, settings: Settings) -> None:
    last = make_served("newest")
    middle = make_served("newer", shutdown_on=date(2026, 3, 1), successor=last)
    make_served("old", shutdown_on=date(2026, 1, 1), successor=middle)
    page = words(client, "/models/old/")
    assert "Its vendor shut it down on 1 January 2026. Requests for it are answered by newest , and" in page
    settings.GATEWAY_RETIRED_MODELS = "refuse"
    assert "Requests for it are refused. Use its successor newest ." in words(client, "/models/old/")
    assert "Answers for newer , once retired" in words(client, "/models/newest/")


def test_an_organisation_that_wants_retired_models_refused_is_told_so(
    member: Client, organization: Organization
) -> None:
    make_served("old", shutdown_on=date(2026, 1, 1), successor=make_served("new"))
    Organization.objects.filter(pk=organization.pk).update(retired_models="refuse")
    assert "are answered by" in words(member, "/models/old/")
    assert "are refused. Use its successor new ." in words(member, "/o/acme/models/old/")


def test_a_circle_of_successors_ends(client: Client) -> None:
    first = make_served("first", vendor_id="")
    Model.objects.filter(id="first").update(successor=make_served("second", vendor_id="", successor=first))
    assert "it has no successor" in words(client, "/models/first/")


def test_a_model_that_retires_says_when_and_what_comes_then(client: Client) -> None:
    make_served("going", shutdown_on=date(2027, 1, 14), successor=make_served("coming"))
    page = words(client, "/models/going/")
    assert "Its vendor shuts it down on 14 January 2027. From then on coming answers requests for it." in page
    assert "Retires on 14 January 2027" in words(client, "/models/")


def test_a_model_without_a_credential_says_that_it_is_not_set_up(client: Client) -> None:
    make_route(make_model("alpha"), make_provider("empty"))
    assert "Not set up here" in words(client, "/models/")
    assert "provider_not_configured" in words(client, "/models/alpha/")


def test_what_is_refused_and_left_out_is_named(client: Client) -> None:
    model = make_model("alpha", capabilities={"vision": False, "tools": True, "sampling": "none"})
    make_route(model, make_provider(needs_credential=False), options={"drop": ["reasoning_effort", "seed"]})
    make_route(model, make_provider(needs_credential=False), options={"drop": ["reasoning_effort"]})
    page = words(client, "/models/alpha/")
    assert "vision unsupported_value. Leave it out." in page
    assert "tools unsupported_parameter" not in page
    assert "the model does not know them. reasoning_effort " in page
    assert "seed" not in page
    assert "Neither; they are left out" in page


@pytest.mark.parametrize("path", ["/models/", "/models/a/b.c/", "/o/acme/models/", "/o/acme/models/a/b.c/"])
def test_a_page_names_its_parts_once_and_needs_no_inline_code(member: Client, path: str) -> None:
    make_served("a/b.c", capabilities={"tools": True}, context_window=128_000)
    make_price("a/b.c", tiers=[{"above": 1000, "input": "2"}])
    response = member.get(path)
    page = response.content.decode()
    names = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(names) == sorted(set(names))
    assert len(re.findall("<h1[ >]", page)) == 1
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)|javascript:", page)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(names)


def test_every_word_that_callers_are_shown_is_on_the_page() -> None:
    assert set(LABELS) == {word for word, kind in WORDS.items() if kind.shown}


# -- code, and where to go from here ---------------------------------------------------------------


def test_code_has_the_readers_own_key_in_it_as_a_hint(member: Client, bob: User, organization: Organization) -> None:
    make_served("alpha")
    key, secret = make_key(organization, owner=bob, name="mine")
    for path in ("/models/alpha/", "/o/acme/models/alpha/"):
        page = member.get(path).content.decode()
        assert f"Authorization: Bearer {key.hint}" in page
        assert secret not in page
        assert "YOUR_API_KEY" not in page
        assert "max-age=60" not in member.get(path).headers["Cache-Control"]


def test_nobody_elses_key_and_no_dead_one_is_hinted_at(
    member: Client, alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    make_served("alpha")
    dead, _ = make_key(organization, owner=bob)
    dead.revoke()
    ours = {"owner": bob, "playground": True}
    others = [make_key(organization, **ours)[0]]
    others += [dead, make_key(organization, owner=alice)[0], make_key(organization)[0]]
    others += [make_key(Organization.objects.get(slug="stranger"), owner=charlie)[0]]
    page = member.get("/models/alpha/").content.decode()
    assert "sk-2389-YOUR_API_KEY" in page
    assert not [key for key in others if key.hint in page]


def test_a_visitors_page_has_a_placeholder_and_may_be_kept(client: Client) -> None:
    make_served("alpha")
    response = client.get("/models/alpha/")
    assert "sk-2389-YOUR_API_KEY" in response.content.decode()
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert "Cookie" in response.headers["Vary"]
    assert "/playground/" not in response.content.decode()


def test_a_model_for_vectors_is_called_for_vectors(client: Client) -> None:
    make_served("vectors", capabilities={"embeddings": True, "chat": False})
    page = html.unescape(client.get("/models/vectors/").content.decode())
    assert 'client.embeddings.create(model="vectors", input=["Hello!"])' in page
    assert "chat.completions" not in page


@pytest.mark.parametrize(("role", "may"), [("developer", True), ("viewer", False), ("billing", False)])
def test_whoever_may_use_the_playground_is_led_there(
    client: Client, organization: Organization, role: str, may: bool
) -> None:
    make_served("org/alpha")
    user = make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    for path in ("/models/org/alpha/", "/o/acme/models/org/alpha/"):
        assert ('href="/o/acme/playground/?model=org%2Falpha"' in client.get(path).content.decode()) == may


@pytest.mark.parametrize(
    "fields", [{"shutdown_on": date(2026, 1, 1)}, {"capabilities": {"chat": False, "embeddings": True}}]
)
def test_nobody_is_led_to_try_what_cannot_be_tried(member: Client, fields: dict[str, Any]) -> None:
    make_served("alpha", **fields)
    assert "/playground/?model=" not in member.get("/o/acme/models/alpha/").content.decode()


def test_the_rail_has_models_between_requests_and_billing(member: Client) -> None:
    rail = member.get("/o/acme/models/").content.decode()
    assert '<a href="/o/acme/models/" aria-current="page">' in rail
    labels = re.findall(r"</svg><span>([^<]+)</span></a></li>", rail)
    assert labels.index("Keys") < labels.index("Models") < labels.index("Billing")


def test_the_public_list_leads_members_to_theirs(member: Client) -> None:
    assert 'href="/o/acme/models/"' in member.get("/models/").content.decode()
    assert "/o/" not in Client().get("/models/").content.decode()


def test_near_finds_what_has_the_name_in_it() -> None:
    assert catalogue.near("luna", ["gpt-6-luna", "claude"]) == ["gpt-6-luna"]
    assert catalogue.near("x", ["gpt-6-luna"]) == []
