"""Whole answers as chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from billing.usage import Usage
from gateway.errors import ApiError
from gateway.providers.base import Completion
from gateway.providers.gemini import Gemini
from gateway.translation.gemini_usage import usage_of
from tests.gateway import transcripts
from tests.gateway.gemini.answers import calls, counts, failure, item, words
from tests.gateway.gemini.asking import ADD, call


def completion(answer: dict[str, Any], body: dict[str, Any] | None = None) -> Completion:
    made = Gemini().response(call(body), json.dumps(answer).encode())
    ChatCompletion.model_validate(made.body, strict=True)
    return made


def first(answer: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = completion(answer, body).body["choices"][0]
    return choice


def test_an_answer_is_a_chat_completion() -> None:
    made = completion(item(words("Olá"), words("!"), finish="STOP", **counts(11, 2, thoughtsTokenCount=24)))
    assert made.body == {
        "id": "chatcmpl-0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "public-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Olá!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": Usage(input=11, output=2, reasoning=24).to_openai(),
    }
    assert made.body["usage"]["total_tokens"] == 37
    assert made.usage == Usage(input=11, output=2, reasoning=24)
    assert made.finish_reason == "stop"


def test_thoughts_are_reasoning_and_not_content() -> None:
    message = first(item(words("hm", thought=True), words("yes"), words("so", thought=True), finish="STOP"))["message"]
    assert message["reasoning_content"] == "hmso"
    assert message["content"] == "yes"


def test_calls_are_tool_calls_though_gemini_says_stop() -> None:
    choice = first(item(calls("add", a=1), calls("now"), finish="STOP"))
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    made = choice["message"]["tool_calls"]
    assert [one["function"] for one in made] == [
        {"name": "add", "arguments": '{"a":1}'},
        {"name": "now", "arguments": "{}"},
    ]
    assert len({one["id"] for one in made}) == 2
    assert all(one["id"].startswith("call_") and "index" not in one for one in made)


def test_a_renamed_tool_is_called_by_its_own_name() -> None:
    body = {"tools": [{"type": "function", "function": {"name": "files/read"}}]}
    made = first(item(calls("files_read"), finish="STOP"), body)["message"]["tool_calls"]
    assert made[0]["function"]["name"] == "files/read"


def test_a_caller_of_legacy_functions_is_answered_in_kind() -> None:
    choice = first(item(calls("add", a=1), calls("add", a=2), finish="STOP"), {"functions": [{"name": "add"}]})
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "add", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]


def test_every_candidate_is_a_choice() -> None:
    answer = {"candidates": [item(words("b"), finish="MAX_TOKENS", index=1)["candidates"][0],
                             item(words("a"), finish="STOP", index=None)["candidates"][0]]}  # fmt: skip
    made = completion(answer, {"n": 2})
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in made.body["choices"]] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]
    assert made.usage is None
    assert "usage" not in made.body


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("OTHER", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("SOMETHING_NEW", "stop"),
        (None, "stop"),
    ],
)
def test_every_reason_to_stop_is_one_that_clients_know(reason: str | None, expected: str) -> None:
    assert first(item(finish=reason))["finish_reason"] == expected
    assert first(item(finish=reason))["message"]["content"] == ""


def test_a_call_that_ran_out_of_room_is_not_one_to_be_run() -> None:
    assert first(item(calls("add"), finish="MAX_TOKENS"))["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("feedback", "refusal"),
    [
        ({"blockReason": "SAFETY"}, "The prompt was blocked: SAFETY."),
        ({"blockReason": "OTHER", "blockReasonMessage": "No."}, "No."),
    ],
)
def test_a_blocked_prompt_is_an_empty_answer(feedback: dict[str, Any], refusal: str) -> None:
    made = completion({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}})
    message = made.body["choices"][0]["message"]
    assert (message["content"], message["refusal"], made.finish_reason) == ("", refusal, "content_filter")
    assert made.usage == Usage(input=4)


def test_why_an_answer_was_held_back_is_its_refusal() -> None:
    held = item(words("so f"), finish="SAFETY")
    held["candidates"][0]["finishMessage"] = "Too dangerous."
    choice = first(held)
    assert (choice["message"]["content"], choice["message"]["refusal"]) == ("so f", "Too dangerous.")
    made = item(calls("add"), finish="STOP")
    made["candidates"][0]["finishMessage"] = "Model generated function call(s)."
    assert first(made)["message"]["refusal"] is None


def test_log_probabilities_are_shown_in_openais_shape() -> None:
    answer = item(words("hé"), finish="STOP")
    answer["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": [{"token": "hé", "tokenId": 1, "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "hé", "logProbability": -0.5}, {"token": "a"}]}],
    }
    content = first(answer, {"logprobs": True})["logprobs"]["content"]
    assert content[0]["logprob"] == -0.5
    assert content[0]["bytes"] == list("hé".encode())
    assert [top["token"] for top in content[0]["top_logprobs"]] == ["hé", "a"]
    assert content[1] == {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []}


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        ({}, Usage()),
        ({"promptTokenCount": 11, "candidatesTokenCount": 2, "totalTokenCount": 13}, Usage(input=11, output=2)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 4}, Usage(input=6, cache_read=4)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 40}, Usage(cache_read=10)),
        ({"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "cachedContentTokenCount": 12},
         Usage(input=3, cache_read=12)),
        ({"promptTokenCount": 1, "candidatesTokenCount": None, "thoughtsTokenCount": 7}, Usage(input=1, reasoning=7)),
        ({"promptTokenCount": "1", "candidatesTokenCount": -3}, Usage()),
    ],
)  # fmt: skip
def test_no_token_is_counted_twice(metadata: dict[str, Any], usage: Usage) -> None:
    assert usage_of(metadata) == usage


def media(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": kind.upper(), "tokenCount": count} for kind, count in tokens.items()]


def test_audio_and_images_are_counted_apart_and_cached_ones_as_cached() -> None:
    metadata = {
        "promptTokenCount": 100,
        "promptTokensDetails": media(text=30, audio=50, image=20),
        "cachedContentTokenCount": 40,
        "cacheTokensDetails": media(text=10, audio=30),
        "candidatesTokenCount": 60,
        "candidatesTokensDetails": media(text=10, audio=20, image=30),
    }
    assert usage_of(metadata) == Usage(
        input=20, cache_read=40, audio_input=20, image_input=20, output=10, audio_output=20, image_output=30
    )


@pytest.mark.parametrize("details", [media(audio=900, image=900), [None, {"modality": "AUDIO"}], {}, None], ids=str)
def test_details_never_change_the_totals(details: object) -> None:
    counts = {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 5}
    usage = usage_of({**counts, "promptTokensDetails": details, "candidatesTokensDetails": details})
    assert (usage.prompt_tokens, usage.cache_read, usage.completion_tokens) == (10, 4, 5)


@pytest.mark.parametrize("body", [b"", b"<html>", b"7", b"[]", b"{}", b'{"candidates":[]}', b'{"candidates":"x"}'])
def test_what_cannot_be_read_is_no_answer(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        Gemini().response(call(), body)
    assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")


def test_an_error_with_status_200_is_still_an_error() -> None:
    with pytest.raises(ApiError) as caught:
        Gemini().response(call(), json.dumps(failure(503, "UNAVAILABLE")).encode())
    assert caught.value.code == "overloaded"


PLAIN = [case for case in transcripts.cases("gemini") if case.status == 200 and not case.stream]


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_recorded_answers_are_chat_completions(case: transcripts.Case) -> None:
    recorded = json.loads(case.body)
    made = completion(recorded, {"tools": [ADD]})
    counted, usage = recorded["usageMetadata"], made.body["usage"]
    assert usage["total_tokens"] == counted["totalTokenCount"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == counted.get("thoughtsTokenCount", 0)
    parts = recorded["candidates"][0]["content"]["parts"]
    message = made.body["choices"][0]["message"]
    assert (message["content"] or "") == "".join(part.get("text", "") for part in parts)
    assert len(message.get("tool_calls", ())) == sum("functionCall" in part for part in parts)
