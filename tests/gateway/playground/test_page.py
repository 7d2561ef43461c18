"""The playground's page: who sees it, which models it offers and at which prices, and what it never has in it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import keys, playground_keys
from accounts.models import ApiKey, NotIssuedError, Organization, User
from accounts.roles import Role
from billing.models import Wallet
from gateway.models import Model
from gateway.playground import choices
from tests.factories import make_model, make_organization, make_price, make_price_list, make_provider, make_route
from tests.gateway.keys.pages import member, text

pytestmark = pytest.mark.django_db

PAGE = "/o/acme/playground/"


@pytest.fixture
def echo(organization: Organization) -> Model:
    """A free model that can be served, as the sandbox has it."""
    model = make_model("sandbox/echo", sandbox=True, context_window=8192)
    make_route(model, make_provider("sandbox", kind="sandbox", needs_credential=False))
    make_price("sandbox/echo", input="0", output="0")
    return model


def priced(model: str, **fields: Any) -> Model:
    made = make_model(model, **fields)
    make_route(made, make_provider(f"of-{model}", kind="openai", needs_credential=False))
    make_price(model, input="1.25", output="10")
    return made


def offered(organization: Organization) -> dict[str, dict[str, Any]]:
    return {choice.id: choice.to_json() for choice in choices(organization, timezone.now())}


def embedded(client: Client, name: str) -> Any:
    page = client.get(PAGE).content.decode()
    found = re.search(rf'<script id="playground-{name}" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("role", list(Role))
def test_those_who_call_models_may_try_them(organization: Organization, echo: Model, role: Role) -> None:
    client = member(organization, role)
    allowed = role in {Role.OWNER, Role.ADMIN, Role.DEVELOPER}
    assert client.get(PAGE).status_code == (200 if allowed else 403)
    assert (f'href="{PAGE}"' in client.get("/o/acme/members/").content.decode()) is allowed


def test_a_stranger_finds_nothing(client: Client, charlie: User, organization: Organization, echo: Model) -> None:
    client.force_login(charlie)
    assert client.get(PAGE).status_code == 404


def test_looking_at_the_page_makes_no_key(organization: Organization, echo: Model) -> None:
    response = member(organization, Role.DEVELOPER).get(PAGE)
    assert not ApiKey.objects.exists()
    assert not keys.PATTERN.search(response.content.decode())
    assert "no-store" in response.headers["cache-control"]


def test_without_scripts_it_says_so_and_where_to_go(organization: Organization, echo: Model) -> None:
    client = member(organization, Role.DEVELOPER)
    page = client.get(PAGE).content.decode()
    notice = re.search(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert notice is not None
    assert "needs JavaScript" in notice[1]
    assert 'href="/docs/quickstart/"' in notice[1]
    assert "data-playground hidden" in page


def test_nothing_on_it_is_inline(organization: Organization, echo: Model) -> None:
    page = member(organization, Role.DEVELOPER).get(PAGE).content.decode()
    kinds = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", page)
    assert all('type="application/json"' in kind for kind in kinds)
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))


def test_each_model_comes_with_what_it_costs_and_can(organization: Organization) -> None:
    priced("gpt-x", context_window=128_000, capabilities={"vision": True, "tools": False, "min_budget": 7})
    found = offered(organization)["gpt-x"]
    assert (found["context"], found["input"], found["output"]) == (128_000, "1.25", "10.00")
    assert (found["ready"], found["free"]) == (True, False)
    assert (found["capabilities"]["vision"], found["capabilities"]["tools"]) == (True, False)
    assert "min_budget" not in found["capabilities"]


def test_prices_are_those_that_the_organisation_pays(organization: Organization) -> None:
    priced("gpt-x")
    priced("gpt-y")
    wallet = Wallet.objects.create(organization=organization, markup_basis_points=1000)
    assert (offered(organization)["gpt-x"]["input"], offered(organization)["gpt-x"]["output"]) == ("1.375", "11.00")
    gold = make_price_list("gold", markup_basis_points=-2000)
    make_price("gpt-y", input="3", output="4", price_list=gold)
    wallet.markup_basis_points, wallet.price_list_id = 0, gold.pk
    wallet.save()
    assert (offered(organization)["gpt-x"]["input"], offered(organization)["gpt-y"]["input"]) == ("1.00", "3.00")
    assert offered(make_organization("other"))["gpt-y"]["input"] == "1.25"


def test_what_cannot_be_chatted_with_is_not_offered(organization: Organization, echo: Model) -> None:
    priced("embedder", capabilities={"chat": False, "embeddings": True})
    priced("gone", vendor_gone_at=timezone.now())
    priced("off", enabled=False)
    make_model("nowhere")
    assert set(offered(organization)) == {"sandbox/echo"}
    Organization.objects.update(sandbox_enabled=False)
    organization.refresh_from_db()
    assert not offered(organization)
    assert "No model to try" in text(member(organization, Role.DEVELOPER).get(PAGE))


def test_what_waits_for_a_credential_or_a_price_comes_last(organization: Organization, echo: Model) -> None:
    waiting = make_model("a-waiting")
    make_route(waiting, make_provider("far", kind="openai", api_key_env="NOBODY_SETS_THIS"))
    make_price("a-waiting")
    unpriced = make_model("b-unpriced")
    make_route(unpriced, make_provider("near", kind="openai", needs_credential=False))
    found = offered(organization)
    assert list(found) == ["sandbox/echo", "a-waiting", "b-unpriced"]
    assert [one["ready"] for one in found.values()] == [True, False, False]
    assert found["b-unpriced"]["input"] is None


def test_a_models_description_cannot_leave_its_place(organization: Organization, echo: Model) -> None:
    Model.objects.update(description="</script><script>alert(1)</script>")
    client = member(organization, Role.DEVELOPER)
    assert "<script>alert" not in client.get(PAGE).content.decode()
    (choice,) = embedded(client, "choices")
    assert choice["description"] == "</script><script>alert(1)</script>"


def test_code_comes_with_the_key_from_the_environment(organization: Organization, echo: Model) -> None:
    whole, streamed = embedded(member(organization, Role.DEVELOPER), "places")["frames"]
    for frame in (whole, streamed):
        for language in ("curl", "python", "node"):
            assert frame[language].count("{{body}}") == 1
            assert "sk-2389" not in frame[language]
            assert "OPENAI_API_KEY" in frame[language]
    assert "for chunk in stream" in streamed["python"]
    assert "curl -N " in streamed["curl"]
    assert "curl -N " not in whole["curl"]


def test_a_long_list_of_models_takes_no_more_queries(
    organization: Organization, echo: Model, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        priced(f"model-{number}")
    with django_assert_max_num_queries(6):
        assert len(offered(organization)) == 6


def test_who_left_meanwhile_is_told_so(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, valkey: redis.Redis
) -> None:
    """The page was asked for before, and the membership ended in between."""

    def too_late(*_: object) -> None:
        raise NotIssuedError("dana@acme.example is not a member of Acme: only members hold keys.")

    monkeypatch.setattr(playground_keys, "mint", too_late)
    response = member(organization, Role.DEVELOPER).post(f"{PAGE}key/")
    assert response.status_code == 403
    assert "only members hold keys" in response.json()["error"]["message"]
