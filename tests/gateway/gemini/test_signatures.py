"""Thought signatures on their way out to an OpenAI client and back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.providers.gemini import Gemini
from gateway.translation.gemini_signatures import (
    SKIP_VALIDATOR,
    signature_in,
    signature_of,
    strip_signature,
    with_signature,
)
from tests.gateway import streams, transcripts
from tests.gateway.gemini.asking import ADD, OLDER, USER, call, result, sent

SIGNATURE = base64.b64encode(bytes(range(250, 256)) * 7 + b"x").decode()  # with + / and = in it
ANSWER = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "add", "args": {"a": 1}}, "thoughtSignature": SIGNATURE},
                    {"functionCall": {"name": "add", "args": {"a": 2}, "id": "own-id"}},
                ],
            },
            "finishReason": "STOP",
        }
    ]
}


@pytest.mark.parametrize("length", range(1, 9))
def test_a_signature_comes_back_as_it_went(length: int) -> None:
    signature = base64.b64encode(bytes([251 + length % 4] * length)).decode()
    carried = with_signature("call_1", signature)
    assert signature_in(carried) == signature
    assert strip_signature(carried) == "call_1"
    assert carried.replace("_", "").replace("-", "").isalnum()


@pytest.mark.parametrize("call_id", ["call_1", "", "functions.f:0", "__thought__"])
def test_an_id_without_a_signature_stays_as_it_is(call_id: str) -> None:
    assert strip_signature(call_id) == call_id
    assert signature_in(call_id) is None


@pytest.mark.parametrize("broken", ["", "*", "abcde", "ab=c", "a b"])
def test_what_is_no_signature_is_not_carried(broken: str) -> None:
    assert with_signature("call_1", broken) == "call_1"
    assert signature_in(f"call_1__thought__{broken}") is None
    assert strip_signature(f"call_1__thought__{broken}") == "call_1"


def test_a_signature_may_come_back_where_googles_own_endpoint_puts_it() -> None:
    returned = {"id": "call_1", "extra_content": {"google": {"thought_signature": SIGNATURE}}}
    assert signature_of(returned) == SIGNATURE
    assert signature_of({"id": with_signature("call_1", SIGNATURE), "extra_content": {"google": None}}) == SIGNATURE
    assert signature_of({"id": "call_1", "extra_content": "x"}) is None


def test_an_id_made_by_another_gateway_is_understood() -> None:
    assert signature_in(f"call_1__thought__{SIGNATURE}") == SIGNATURE


def returned(message: dict[str, Any], **target: Any) -> list[dict[str, Any]]:
    """The contents of the next request of a client that keeps id, name and arguments only."""
    kept = [{key: one[key] for key in ("id", "type", "function")} for one in message["tool_calls"]]
    history = [USER, {"role": "assistant", "content": None, "tool_calls": kept}]
    history += [result(one["id"], "done") for one in kept]
    made: list[dict[str, Any]] = sent({"messages": history, "tools": [ADD]}, **target)["contents"]
    return made


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("capabilities", [{}, OLDER])
def test_a_signature_survives_the_round_trip_through_a_client(streaming: bool, capabilities: dict[str, Any]) -> None:
    body = {"tools": [ADD], "stream": streaming}
    if streaming:
        outcome = streams.run(Gemini(), call(body), [b"data: " + json.dumps(ANSWER).encode() + b"\r\n\r\n"])
        deltas = [chunk["choices"][0]["delta"] for chunk in outcome.chunks if chunk["choices"]]
        message = {"tool_calls": [one for delta in deltas for one in delta.get("tool_calls") or ()]}
    else:
        made = Gemini().response(call(body), json.dumps(ANSWER).encode()).body
        message = ChatCompletion.model_validate(made).choices[0].message.model_dump()
    user, asked, answered = returned(message, capabilities=capabilities)
    assert user["role"] == "user"
    first, second = asked["parts"]
    assert first["thoughtSignature"] == SIGNATURE
    assert "thoughtSignature" not in second
    assert [part["functionCall"]["args"] for part in asked["parts"]] == [{"a": 1}, {"a": 2}]
    assert second["functionCall"]["id"] == "own-id"
    assert [part["functionResponse"]["id"] for part in answered["parts"]] == [
        first["functionCall"]["id"],
        "own-id",
    ]
    assert "__thought__" not in json.dumps(asked)


def test_a_signature_that_was_cut_off_is_replaced_and_the_call_still_answered() -> None:
    message = {"tool_calls": [{"id": "call_1__thought__abcde", "type": "function",
                               "function": {"name": "add", "arguments": "{}"}}]}  # fmt: skip
    _, asked, answered = returned(message)
    assert asked["parts"][0]["thoughtSignature"] == SKIP_VALIDATOR
    assert asked["parts"][0]["functionCall"]["id"] == "call_1"
    assert answered["parts"][0]["functionResponse"]["id"] == "call_1"


def test_a_result_may_name_its_call_without_the_signature() -> None:
    history = [
        USER,
        {"role": "assistant", "tool_calls": [
            {"id": with_signature("call_1", SIGNATURE), "function": {"name": "add", "arguments": "{}"}}]},
        result("call_1", "done"),
    ]  # fmt: skip
    assert sent({"messages": history})["contents"][2]["parts"][0]["functionResponse"]["id"] == "call_1"


SIGNED = [case for case in transcripts.cases("gemini") if "functionCall" in case.response.read_text("utf-8")]


@pytest.mark.parametrize("case", SIGNED, ids=str)
def test_recorded_signatures_survive_the_round_trip(case: transcripts.Case) -> None:
    body = case.body.removeprefix(b"data: ")
    made = Gemini().response(call(), body).body["choices"][0]["message"]
    given = json.loads(body)["candidates"][0]["content"]["parts"]
    _, asked, _ = returned(made)
    assert [part.get("thoughtSignature") for part in asked["parts"]] == [part.get("thoughtSignature") for part in given]
    assert [part["functionCall"]["args"] for part in asked["parts"]] == [part["functionCall"]["args"] for part in given]
