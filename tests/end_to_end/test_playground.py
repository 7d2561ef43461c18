"""The playground's key on the wire: it calls, is charged and is limited as any key, and ends with its sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import httpx
import pytest
from django.test import Client

from accounts.models import ApiKey, Membership, Organization, Project, User
from billing.models import Budget
from tests import live
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.priced import FEE
from tests.factories import make_user

HALF_A_DOLLAR = 500_000_000


@pytest.fixture
def trying(make_caller: MakeCaller) -> Iterator[tuple[Caller, Client, User]]:
    """An organisation that is called with a playground's key, the browser that has it, and whose it is."""
    caller = make_caller()
    person = make_user()
    Membership.objects.create(organization=caller.organization, user=person)
    browser = Client()
    browser.force_login(person)
    response = browser.post(f"/o/{caller.organization.slug}/playground/key/")
    key = ApiKey.objects.of(caller.organization).get(playground=True)
    with closing(replace(caller, key=key, secret=response.json()["secret"])) as calling:
        yield calling, browser, person


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"]
    return found


def test_what_it_calls_is_charged_to_its_member_key_and_project(trying: tuple[Caller, Client, User]) -> None:
    caller, _, person = trying
    answer = caller.chat(FEE)
    assert (answer.status_code, answer.headers["x-2389-cost"]) == (200, "0.50")
    row = caller.row()
    assert (row.charged_nano, row.api_key_id, row.member_id) == (HALF_A_DOLLAR, caller.key.pk, person.pk)
    assert row.project_id == Project.objects.get(organization=caller.organization, slug="default").pk
    receipt = caller.http.get(f"/generations/{answer.headers['x-request-id']}").json()
    assert (receipt["status"], receipt["cost"]) == ("ended", "0.50")


def budget(organization: Organization, **whose: object) -> None:
    month = Budget.Period.MONTH
    Budget.objects.create(
        organization=organization, name="small", period=month, limit_nano=HALF_A_DOLLAR, hard=True, **whose
    )


@pytest.mark.parametrize("scope", [Budget.Scope.PROJECT, Budget.Scope.MEMBER])
def test_budgets_of_its_project_and_of_its_member_hold(trying: tuple[Caller, Client, User], scope: str) -> None:
    caller, _, person = trying
    budget(caller.organization, scope=scope, target_id=caller.key.project_id if scope == "project" else person.pk)
    assert caller.chat(FEE).status_code == 200
    refused = caller.chat(FEE)
    assert (refused.status_code, code(refused)) == (402, "insufficient_quota")


def test_it_is_for_chats_alone(trying: tuple[Caller, Client, User]) -> None:
    caller, _, _ = trying
    embeddings = caller.http.post("/embeddings", json={"model": "sandbox/embedding", "input": "hello"})
    usage = caller.http.get("/organization/usage/completions?start_time=0")
    assert [(one.status_code, code(one)) for one in (embeddings, usage)] == [(403, "insufficient_scope")] * 2
    assert "sandbox/echo" in [model["id"] for model in caller.http.get("/models").json()["data"]]


def test_signing_out_ends_it_within_seconds(trying: tuple[Caller, Client, User]) -> None:
    caller, browser, _ = trying
    assert caller.chat().status_code == 200
    browser.post("/sign-out/")
    live.wait_for(lambda: caller.http.get("/models").status_code == 401, seconds=10, what="its end")
    assert code(caller.chat()) == "invalid_api_key"


def test_a_role_that_may_not_try_models_ends_it_within_seconds(trying: tuple[Caller, Client, User]) -> None:
    caller, _, person = trying
    assert caller.chat().status_code == 200
    Membership.objects.filter(user=person).update(role=Membership.Role.BILLING)
    live.wait_for(lambda: caller.http.get("/models").status_code == 401, seconds=10, what="its end")
