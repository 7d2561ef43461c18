"""The receipt of a request is for its own key, and for keys of its organisation that may read usage."""

from __future__ import annotations

import uuid

import httpx
import pytest

from accounts.models import Scope
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.registry import GPT
from tests.factories import make_key
from tests.fakes.openai import PROMPT_TOKENS


def _receipt(caller: Caller, request_id: str, secret: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"} if secret else None
    return caller.http.get(f"/generations/{request_id}", headers=headers)


def test_a_receipt_says_what_was_used_and_what_it_cost(caller: Caller) -> None:
    answer = caller.chat(GPT)
    told = _receipt(caller, answer.headers["x-request-id"]).json()
    assert (told["object"], told["status"], told["http_status"]) == ("generation", "ended", 200)
    assert (told["model"], told["provider"], told["rule"], told["usage_source"]) == (
        GPT,
        "openai",
        "complete",
        "provider",
    )
    assert (told["tokens"]["input"], told["tokens"]["output"]) == (PROMPT_TOKENS, 5)
    assert told["cost"] == answer.headers["x-2389-cost"] == "0.000021"  # 11 at $1 and 5 at $2 for a million
    assert told["price_version"] is not None
    assert [attempt["status"] for attempt in told["attempts"]] == [200]


def test_a_stranger_learns_nothing(caller: Caller, make_caller: MakeCaller) -> None:
    request_id = caller.chat(GPT).headers["x-request-id"]
    refused, unknown = _receipt(make_caller(), request_id), _receipt(make_caller(), str(uuid.uuid4()))
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert refused.json()["error"]["code"] == unknown.json()["error"]["code"] == "generation_not_found"


def test_another_key_of_the_organisation_needs_the_scope_for_it(caller: Caller) -> None:
    request_id = caller.chat(GPT).headers["x-request-id"]
    _, plain = make_key(caller.organization)
    _, reading = make_key(caller.organization, scopes=[Scope.USAGE.value])
    assert _receipt(caller, request_id, plain).status_code == 404
    assert _receipt(caller, request_id, reading).status_code == 200


@pytest.mark.parametrize("request_id", ["nonsense", "' OR 1=1 --"])
def test_what_is_no_id_is_not_found(caller: Caller, request_id: str) -> None:
    assert _receipt(caller, request_id).status_code == 404


def test_a_key_without_the_scope_cannot_chat(caller: Caller) -> None:
    _, secret = make_key(caller.organization, scopes=[Scope.USAGE.value])
    refused = caller.http.post(
        "/chat/completions",
        json={"model": GPT, "messages": [{"role": "user", "content": "hi"}]},
        headers={"authorization": f"Bearer {secret}"},
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")
