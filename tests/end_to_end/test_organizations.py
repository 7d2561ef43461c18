"""What one organisation set, paid for or did is nothing to any other."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.registry import GPT, OLD, SANDBOX


def listed(caller: Caller) -> set[str]:
    return {model["id"] for model in caller.http.get("/models").json()["data"]}


def test_the_sandbox_is_listed_to_those_who_keep_it_on(make_caller: MakeCaller) -> None:
    assert {f"sandbox/{name}" for name in SANDBOX} <= listed(make_caller())


def test_without_the_sandbox_its_models_do_not_exist(make_caller: MakeCaller) -> None:
    caller = make_caller(sandbox_enabled=False)
    assert not [model for model in listed(caller) if model.startswith("sandbox/")]
    assert GPT in listed(caller)
    for answer in (caller.chat("sandbox/echo"), caller.http.get("/models/sandbox/echo")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_a_retired_model_is_served_by_its_successor_and_the_answer_says_so(
    make_caller: MakeCaller, stream: bool
) -> None:
    answer = make_caller().chat(OLD, stream=stream)
    assert answer.status_code == 200
    assert (answer.headers["x-2389-model-requested"], answer.headers["x-2389-model-served"]) == (OLD, GPT)
    assert f'"model":"{GPT}"' in answer.text
    assert OLD not in answer.text


@pytest.mark.parametrize("stream", [False, True])
def test_an_organisation_may_refuse_successors(make_caller: MakeCaller, stream: bool) -> None:
    caller = make_caller(retired_models="refuse")
    answer = caller.chat(OLD, stream=stream)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "model_not_found"
    assert GPT in error["message"]
    assert caller.chat(GPT).status_code == 200


def test_a_living_model_is_answered_without_a_word_about_successors(caller: Caller) -> None:
    answer = caller.chat(GPT)
    assert answer.json()["model"] == GPT
    assert "x-2389-model-served" not in answer.headers


def test_a_retired_model_is_listed_with_its_end_and_its_successor(caller: Caller) -> None:
    shown = caller.http.get(f"/models/{OLD}").json()
    assert (shown["lifecycle"], shown["shutdown_date"], shown["successor"]) == ("retired", "2026-01-05", GPT)


def test_the_rows_of_one_organisation_are_not_anothers(make_caller: MakeCaller) -> None:
    ours, strangers = make_caller(), make_caller()
    ours.chat()
    strangers.chat()
    assert ours.row().organization_id == ours.organization.pk
    assert strangers.row().organization_id == strangers.organization.pk
