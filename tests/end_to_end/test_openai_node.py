"""The official Node client goes through the same matrix as the Python one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from accounts import keys
from tests import live
from tests.end_to_end import node
from tests.end_to_end.conftest import UNLIMITED
from tests.end_to_end.registry import CLAUDE, GPT, SLASHED
from tests.factories import make_credit, make_key

pytestmark = pytest.mark.sdk

MODELS, TOOL_MODELS = [GPT, CLAUDE, "sandbox/echo"], [GPT, CLAUDE, "sandbox/tool"]


@pytest.fixture(scope="module")
def report(
    node_program: str, live_gateway: live.Gateway, live_database: str, django_db_blocker: DjangoDbBlocker
) -> dict[str, Any]:
    """What the client experienced: one run, looked at by every test below."""
    with django_db_blocker.unblock(), live.connected_to(live_database):
        key, secret = make_key(requests_per_minute=UNLIMITED)
        make_credit(key.organization)
        _, limited = make_key(requests_per_minute=1)
    options = {
        "models": MODELS,
        "toolModels": TOOL_MODELS,
        "slashed": SLASHED,
        "limitedKey": limited,
        "wrongKey": keys.generate(),
    }
    made: dict[str, Any] = node.run(
        node_program, "matrix.mjs", json.dumps(options), key=secret, base_url=live_gateway.base_url
    )
    return made


def test_models_are_listed_and_retrieved(report: dict[str, Any]) -> None:
    assert {GPT, CLAUDE, SLASHED, "sandbox/echo"} <= set(report["listed"])
    assert report["retrieved"] == SLASHED


@pytest.mark.parametrize("model", MODELS)
def test_a_completion_is_created(report: dict[str, Any], model: str) -> None:
    made = report["create"][model]
    assert (made["model"], made["object"], made["finish"]) == (model, "chat.completion", "stop")
    assert made["text"]
    assert made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] + made["usage"]["completion_tokens"]


@pytest.mark.parametrize("model", MODELS)
def test_a_completion_is_streamed(report: dict[str, Any], model: str) -> None:
    made = report["stream"][model]
    assert made["text"] == report["create"][model]["text"]
    assert made["finishes"] == ["stop"]
    assert made["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_the_stream_helper_puts_the_answer_together(report: dict[str, Any], model: str) -> None:
    made = report["helper"][model]
    assert made["heard"] == made["text"] == report["create"][model]["text"]
    assert made["finish"] == "stop"


@pytest.mark.parametrize("model", TOOL_MODELS)
def test_a_tool_is_called_whole_and_streamed_and_its_result_is_answered(report: dict[str, Any], model: str) -> None:
    made = report["tools"][model]
    assert (made["finish"], made["streamedFinish"], made["name"]) == ("tool_calls", "tool_calls", "get_weather")
    assert set(made["arguments"]) == {"city", "days"}
    assert made["streamedArguments"] == made["arguments"]
    assert made["answer"]


@pytest.mark.parametrize(
    ("what", "name", "status", "code", "param"),
    [
        ("wrongKey", "AuthenticationError", 401, "invalid_api_key", None),
        ("unknownModel", "NotFoundError", 404, "model_not_found", "model"),
        ("unknownModelStream", "NotFoundError", 404, "model_not_found", "model"),
        ("wrongField", "BadRequestError", 400, "invalid_request_error", "temperature"),
        ("tooMany", "RateLimitError", 429, "rate_limit_exceeded", None),
    ],
)
def test_errors_are_of_the_right_class(
    report: dict[str, Any], what: str, name: str, status: int, code: str, param: str | None
) -> None:
    error = report["errors"][what]
    assert (error["name"], error["status"], error["code"], error["param"]) == (name, status, code, param)
    assert error["requestID"]


def test_a_stream_that_breaks_raises_and_is_never_finished(report: dict[str, Any]) -> None:
    broken = report["brokenStream"]
    assert broken["name"] == "APIError"
    assert broken["text"]
    assert broken["finishes"] == []
