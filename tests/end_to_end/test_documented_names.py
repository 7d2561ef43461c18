"""No documented name breaks: each id of the public reference answers, by itself while its vendor has it, then by its
successor, and says so. The shipped registry is used as it is; only the addresses of the vendors are the fakes'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from gateway.models import Model, Provider
from tests import live
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI

REFERENCE = {
    "gpt-4o": "Most capable GPT-4 model",
    "gpt-4o-mini": "Affordable, fast GPT-4 model",
    "gpt-4-turbo": "GPT-4 Turbo with vision capabilities",
    "gpt-4": "Original GPT-4 model",
    "gpt-3.5-turbo": "Fast and cost-effective",
    "o1": "Reasoning model for complex tasks",
    "o1-mini": "Smaller, faster reasoning model",
    "claude-opus-4-5-20250514": "Most capable Claude model",
    "claude-sonnet-4-5-20250514": "Balanced performance and speed",
    "claude-sonnet-4-20250514": "Latest Sonnet model",
    "claude-3-5-sonnet-20241022": "Claude 3.5 Sonnet",
    "claude-3-5-haiku-20241022": "Fast and efficient",
    "claude-3-opus-20240229": "Claude 3 Opus",
    "claude-3-haiku-20240307": "Claude 3 Haiku",
}
SUCCESSORS = {
    "gpt-4o": "gpt-6-luna",
    "gpt-4o-mini": "gpt-6-luna",
    "gpt-4-turbo": "gpt-6.1-sol",
    "gpt-4": "gpt-6.1-sol",
    "gpt-3.5-turbo": "gpt-6-luna",
    "o1": "gpt-6.1-sol",
    "o1-mini": "gpt-6.1-terra",
    "claude-opus-4-5-20250514": "claude-opus-5-5",
    "claude-sonnet-4-5-20250514": "claude-sonnet-5-5",
    "claude-sonnet-4-20250514": "claude-sonnet-5-5",
    "claude-3-5-sonnet-20241022": "claude-sonnet-5-5",
    "claude-3-5-haiku-20241022": "claude-haiku-5-5",
    "claude-3-opus-20240229": "claude-opus-5-5",
    "claude-3-haiku-20240307": "claude-haiku-5-5",
}
NOT_YET_SHUT_DOWN = ("gpt-4o", "gpt-4o-mini")
TODAYS_OPENAI = {"gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-6-astra"} | {
    f"gpt-5.6-{name}" for name in ("sol", "terra", "luna")
}
TODAYS_ANTHROPIC = {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2"} | {
    f"claude-{name}"
    for name in (
        "opus-5", "opus-4-8", "opus-4-7", "opus-4-6", "opus-4-5", "sonnet-5", "sonnet-4-6", "sonnet-4-5",
        "haiku-4-5", "fable-5-1", "fable-5",
    )
}  # fmt: skip

# What the reference's own example sends: most of today's models refuse some of it, and must not be sent it.
EXAMPLE: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
    "temperature": 0.7,
    "max_tokens": 100,
}


@pytest.fixture(scope="module")
def shipped(
    empty_database: str,
    django_db_blocker: DjangoDbBlocker,
    openai_server: FakeOpenAI,
    anthropic_server: FakeAnthropic,
    live_settings: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[live.Gateway]:
    """A gateway with the registry that we ship."""
    log = tmp_path_factory.mktemp("shipped") / "gateway.log"
    with live.database(f"{empty_database}_shipped", template=empty_database) as database:
        with django_db_blocker.unblock(), live.connected_to(database):
            call_command("sync_registry", str(live.ROOT / "gateway" / "registry.toml"), verbosity=0)
            Provider.objects.filter(slug="openai").update(base_url=openai_server.base_url)
            Provider.objects.filter(slug="anthropic").update(base_url=anthropic_server.base_url)
        with live.serving(database=database, log=log, **live_settings) as gateway:
            yield gateway


@pytest.fixture
def gateway(
    shipped: live.Gateway, django_db_blocker: DjangoDbBlocker, fake_openai: FakeOpenAI, fake_anthropic: FakeAnthropic
) -> Iterator[live.Gateway]:
    """The fakes know today's models only, and nobody has noticed yet that a vendor dropped one."""
    fake_openai.known, fake_anthropic.known = set(TODAYS_OPENAI), set(TODAYS_ANTHROPIC)
    with django_db_blocker.unblock(), live.connected_to(shipped.database):
        Model.objects.update(vendor_gone_at=None)
        yield shipped


@pytest.fixture
def caller(gateway: live.Gateway, make_caller: MakeCaller) -> Caller:
    caller = make_caller()

    def unnoticed() -> bool:
        return all(shown(caller, name)["lifecycle"] == stage_by_date(caller, name) for name in NOT_YET_SHUT_DOWN)

    live.wait_for(unnoticed, what="the renewal of the registry")
    return caller


def shown(caller: Caller, name: str) -> dict[str, Any]:
    model: dict[str, Any] = caller.http.get(f"/models/{name}").json()
    return model


def stage_by_date(caller: Caller, name: str) -> str:
    end = date.fromisoformat(shown(caller, name)["shutdown_date"])
    return "retired" if end <= datetime.now(UTC).date() else "deprecated"


def test_every_documented_model_is_listed_as_documented(caller: Caller) -> None:
    listed = {model["id"]: model for model in caller.http.get("/models").json()["data"]}
    assert {name: listed[name]["description"] for name in REFERENCE} == REFERENCE
    for name, model in listed.items():
        assert (model["object"], type(model["created"])) == ("model", int)
        assert model["owned_by"]
        assert shown(caller, name) == model


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("stream", [False, True])
def test_a_name_that_its_vendor_does_not_know_answers_through_its_successor(
    caller: Caller, name: str, stream: bool
) -> None:
    answer = caller.http.post("/chat/completions", json={"model": name, "stream": stream, **EXAMPLE})
    assert answer.status_code == 200, answer.text
    served = SUCCESSORS[name]
    assert answer.headers["x-2389-model-requested"] == name
    assert answer.headers["x-2389-model-served"] == served
    assert f'"model":"{served}"' in answer.text
    assert name not in answer.text
    row = caller.row()
    assert (row.model_requested, row.model, row.upstream_model, row.status) == (name, served, served, 200)
    listed = shown(caller, name)
    assert listed["successor"] == served
    live.wait_for(lambda: shown(caller, name)["lifecycle"] == "retired", what="the name's retirement")


@pytest.mark.parametrize("name", NOT_YET_SHUT_DOWN)
@pytest.mark.parametrize("stream", [False, True])
def test_a_name_that_its_vendor_still_knows_answers_itself_until_its_day(
    caller: Caller, fake_openai: FakeOpenAI, name: str, stream: bool
) -> None:
    fake_openai.known.add(name)
    answer = caller.http.post("/chat/completions", json={"model": name, "stream": stream, **EXAMPLE})
    served = name if stage_by_date(caller, name) == "deprecated" else SUCCESSORS[name]
    assert f'"model":"{served}"' in answer.text
    assert ("x-2389-model-served" in answer.headers) is (served != name)
    assert fake_openai.last.json["model"] == served


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("stream", [False, True])
def test_who_refuses_successors_gets_a_404_that_names_the_successor(
    caller: Caller, make_caller: MakeCaller, name: str, stream: bool
) -> None:
    strict = make_caller(retired_models="refuse")
    answer = strict.http.post("/chat/completions", json={"model": name, "stream": stream, **EXAMPLE})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert SUCCESSORS[name] in error["message"]
    assert name in error["message"]
    row = strict.row()
    assert (row.status, row.error_code, row.model_requested) == (404, "model_not_found", name)


@pytest.mark.parametrize("name", sorted(TODAYS_OPENAI | TODAYS_ANTHROPIC))
def test_todays_models_answer_themselves(caller: Caller, name: str) -> None:
    answer = caller.http.post("/chat/completions", json={"model": name, **EXAMPLE})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == name
    assert "x-2389-model-served" not in answer.headers


def test_the_vendor_is_asked_once_for_a_name_that_it_dropped(caller: Caller, fake_openai: FakeOpenAI) -> None:
    caller.chat("gpt-4o")
    live.wait_for(lambda: shown(caller, "gpt-4o")["lifecycle"] == "retired", what="the name's retirement")
    fake_openai.requests.clear()
    assert caller.chat("gpt-4o").status_code == 200
    assert [request.json["model"] for request in fake_openai.requests] == ["gpt-6-luna"]


def test_the_reference_is_the_reference() -> None:
    assert set(REFERENCE) == set(SUCCESSORS)
    assert set(SUCCESSORS.values()) <= TODAYS_OPENAI | TODAYS_ANTHROPIC
