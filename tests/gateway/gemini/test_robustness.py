"""Requests and answers in which one thing is not what it should be: refused or passed over, never a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from gateway import schemas
from gateway.errors import ApiError
from gateway.providers.gemini import Gemini
from tests.gateway import streams
from tests.gateway.gemini.answers import body_of, calls, counts, failure, item, words
from tests.gateway.gemini.asking import ADD, OLDER, call, result, tool_calls

ODD: list[Any] = [None, True, 7, -1.5, "x", "", [], {}, [7], [[]], {"a": 1}, {"type": []}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
FILE = {"type": "file", "file": {"filename": "a.txt", "file_data": "aGk="}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
ASK: dict[str, Any] = {
    "model": "public-model",
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE, FILE, AUDIO]},
        {**tool_calls(("call_1__thought__abcd", "add", "{}")), "refusal": "no",
         "extra_content": {"google": {"thought_signature": "abcd"}}},
        result("call_1", [{"type": "text", "text": "3"}]),
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "3"},
    ],
    "tools": [ADD],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ADD]}},
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"anyOf": [{"$ref": "#"}], "items": {}}}},
    "reasoning_effort": "low",
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "extra_body": {"google": {"thinking_config": {"thinking_level": "low", "include_thoughts": True}}},
    "stop": ["x"],
    "modalities": ["text"],
    "seed": 1, "logprobs": True, "top_logprobs": 2, "n": 1, "top_k": 3, "max_tokens": 5,
}  # fmt: skip
ANSWER: dict[str, Any] = {
    **item(
        words("a"),
        words("b", thought=True),
        {**calls("add", a=1), "thoughtSignature": "abcd"},
        {"functionCall": {"name": "f", "willContinue": True}},
        {"functionCall": {"partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x", "willContinue": True}]}},
        finish="STOP",
    ),
    **counts(1, 2, thoughtsTokenCount=3),
    "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."},
}
ANSWER["candidates"][0]["logprobsResult"] = {
    "chosenCandidates": [{"token": "a", "logProbability": -1}],
    "topCandidates": [{"candidates": [{"token": "a", "logProbability": -1}]}],
}
ERROR = failure(429, "RESOURCE_EXHAUSTED", "Slow.", {"reason": "x"}, {"retryDelay": "1s"})


def altered(whole: Any) -> Iterator[Any]:
    """Copies of `whole` with one value, at any depth, replaced by something odd or taken out."""
    for path in paths(whole, ()):
        for odd in [*ODD, ...]:
            changed = copy.deepcopy(whole)
            parent = changed
            for step in path[:-1]:
                parent = parent[step]
            if odd is ...:
                del parent[path[-1]]
            else:
                parent[path[-1]] = odd
            yield changed


def paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from paths(inner, (*path, key))


@pytest.mark.parametrize("capabilities", [{"audio": True}, {**OLDER, "audio": True}])
def test_a_request_with_anything_odd_in_it_goes_up_or_is_refused(capabilities: dict[str, Any]) -> None:
    gone_up = 0
    for body in altered(ASK):
        refusal = refused(body, capabilities)
        gone_up += refusal is None
        assert refusal is None or (refusal.status == 400 and refusal.message)
    assert gone_up


def refused(body: dict[str, Any], capabilities: dict[str, Any]) -> ApiError | None:
    try:
        schemas.check_chat(body)
        Gemini().request(call(body, capabilities=capabilities))
    except ApiError as error:
        return error
    return None


def test_an_answer_with_anything_odd_in_it_is_read_or_told_as_unreadable() -> None:
    for answer in altered(ANSWER):
        data = json.dumps(answer).encode()
        with suppress(ApiError):
            made = Gemini().response(call(), data)
            assert made.finish_reason
            assert len(made.body["choices"]) >= 1
        outcome = streams.run(Gemini(), call({"stream": True}), [body_of(answer)])
        assert outcome.error is not None or outcome.chunks[-1]["usage"]


def test_an_error_with_anything_odd_in_it_is_an_error() -> None:
    for body in altered(ERROR):
        assert Gemini().error(call(), 429, {}, json.dumps(body).encode()).status >= 400
        outcome = streams.run(Gemini(), call({"stream": True}), [body_of(body)])
        assert outcome.error is not None
