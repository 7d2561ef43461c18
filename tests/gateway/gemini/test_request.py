"""What of a request goes up to Gemini, and what is refused because leaving it out would mislead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.gemini import Gemini
from tests.gateway.gemini.asking import ADD, OLDER, USER, call, config, refusal, sent

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": False}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "out", "strict": True, "schema": SCHEMA}}


def test_the_provider_is_found_by_its_kind() -> None:
    assert isinstance(providers()["gemini"], Gemini)


@pytest.mark.parametrize(
    ("stream", "method"),
    [(False, "generateContent"), (True, "streamGenerateContent?alt=sse"), (None, "generateContent")],
)
def test_the_address_names_the_model_and_how_it_shall_answer(stream: bool | None, method: str) -> None:
    outbound = Gemini().request(call({"stream": stream}, upstream_model="gemini-3.8-flash"))
    assert outbound.url == f"http://127.0.0.1:9/v1/models/gemini-3.8-flash:{method}"
    assert outbound.headers["x-goog-api-key"] == "upstream-secret"
    assert "authorization" not in outbound.headers
    assert "upstream-secret" not in repr(outbound) + outbound.url


def test_without_an_address_of_its_own_a_provider_is_googles() -> None:
    outbound = Gemini().request(call(base_url="", credential=None, upstream_model="models/g?key=1"))
    assert outbound.url == "https://generativelanguage.googleapis.com/v1beta/models/g%3Fkey%3D1:generateContent"
    assert "x-goog-api-key" not in outbound.headers


def test_the_smallest_request_is_nothing_but_its_words() -> None:
    assert sent() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_tokens": 5}, {"maxOutputTokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 9}, {"maxOutputTokens": 9}),
        ({"max_tokens": None, "temperature": None, "stop": None, "n": None, "seed": None}, {}),
        ({"temperature": 1.7, "top_p": 0.5, "top_k": 40}, {"temperature": 1.7, "topP": 0.5, "topK": 40}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": ["a", "", "\n"]}, {"stopSequences": ["a", "\n"]}),
        ({"stop": ["a", "b", "c", "d", "e", ""]}, {"stopSequences": ["a", "b", "c", "d", "e"]}),
        ({"n": 1}, {}),
        ({"n": 3}, {"candidateCount": 3}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 2**40 + 3}, {"seed": 3}),
        ({"presence_penalty": 0.5, "frequency_penalty": 0}, {"presencePenalty": 0.5}),
        ({"frequency_penalty": -1}, {"frequencyPenalty": -1}),
        ({"logprobs": True, "top_logprobs": 4}, {"responseLogprobs": True, "logprobs": 4}),
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"logprobs": False, "top_logprobs": 4}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        ({"response_format": AS_SCHEMA}, {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}),
    ],
)
def test_a_parameter_goes_up_by_its_name_at_google(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"brand_new": {"x": 1}},
        {"logit_bias": {"1": 2}},
        {"user": "u", "safety_identifier": "s", "metadata": {"a": "b"}, "store": True},
        {"service_tier": "flex", "verbosity": "low", "prediction": {"type": "content"}},
        {"prompt_cache_key": "k", "parallel_tool_calls": False, "modalities": ["text"]},
        {"tool_choice": "auto"},
    ],
)
def test_what_gemini_has_no_word_for_is_left_out(given: dict[str, Any]) -> None:
    assert sent(given) == sent()


def test_no_more_is_asked_for_than_the_model_can_write() -> None:
    assert sent({"max_tokens": 99}, max_output_tokens=50)["generationConfig"] == {"maxOutputTokens": 50}
    assert "generationConfig" not in sent(max_output_tokens=50)


def test_a_model_without_sampling_is_not_told_how_to_sample() -> None:
    given = {"temperature": 0.2, "top_p": 0.1, "presence_penalty": 1, "seed": 4}
    assert config(given, sampling="none") == {"seed": 4}


def google(**config: Any) -> dict[str, Any]:
    """As callers of Google's own OpenAI endpoint write it."""
    return {"extra_body": {"google": {"thinking_config": config}}}


@pytest.mark.parametrize(
    ("capabilities", "given", "expected"),
    [
        ({}, {"reasoning_effort": "low"}, {"thinkingLevel": "low", "includeThoughts": True}),
        ({}, {"reasoning_effort": "none"}, {"thinkingLevel": "low", "includeThoughts": False}),
        ({"efforts": ["minimal", "low"]}, {"reasoning_effort": "none"},
         {"thinkingLevel": "minimal", "includeThoughts": False}),
        ({}, {"reasoning_effort": "max"}, {"thinkingLevel": "high", "includeThoughts": True}),
        ({}, {"reasoning_effort": {"effort": "medium", "summary": "auto"}},
         {"thinkingLevel": "medium", "includeThoughts": True}),
        ({"efforts": ["low", "high"]}, {"reasoning_effort": "minimal"},
         {"thinkingLevel": "low", "includeThoughts": True}),
        ({"efforts": ["low", "high"]}, {"reasoning_effort": "medium"},
         {"thinkingLevel": "low", "includeThoughts": True}),
        ({}, {"thinking": {"type": "enabled", "budget_tokens": 9000}},
         {"thinkingLevel": "medium", "includeThoughts": True}),
        ({}, {"thinking": {"type": "disabled"}}, {"thinkingLevel": "low", "includeThoughts": False}),
        ({}, {"thinking": {"type": "adaptive"}}, {"thinkingLevel": "medium", "includeThoughts": True}),
        (OLDER, {"reasoning_effort": "low"}, {"thinkingBudget": 1024, "includeThoughts": True}),
        (OLDER, {"reasoning_effort": "none"}, {"thinkingBudget": 0, "includeThoughts": False}),
        ({**OLDER, "min_budget": 128, "max_budget": 32768}, {"reasoning_effort": "none"},
         {"thinkingBudget": 128, "includeThoughts": False}),
        ({**OLDER, "max_budget": 32768}, {"reasoning_effort": "max"},
         {"thinkingBudget": 32768, "includeThoughts": True}),
        (OLDER, {"thinking": {"type": "enabled", "budget_tokens": 99999}},
         {"thinkingBudget": 24576, "includeThoughts": True}),
        ({}, google(thinking_level="HIGH"), {"thinkingLevel": "high", "includeThoughts": True}),
        ({}, google(thinking_budget=9000, include_thoughts=False),
         {"thinkingLevel": "medium", "includeThoughts": False}),
        ({}, google(include_thoughts=True), {"includeThoughts": True}),
        ({}, google(thinking_budget=-1, include_thoughts=True), {"includeThoughts": True}),
        ({}, google(thinking_budget=-1), None),
        ({}, {**google(include_thoughts=True), "reasoning_effort": "none"},
         {"thinkingLevel": "low", "includeThoughts": True}),
        ({}, {**google(thinking_budget=24576), "reasoning_effort": "low"},
         {"thinkingLevel": "low", "includeThoughts": True}),
        ({}, {**google(thinking_level="low"), "thinking": {"type": "enabled", "budget_tokens": 24576}},
         {"thinkingLevel": "low", "includeThoughts": True}),
        ({}, {"google": {"thinking_config": {"thinking_level": "low"}}},
         {"thinkingLevel": "low", "includeThoughts": True}),
        (OLDER, google(thinking_budget=800), {"thinkingBudget": 800, "includeThoughts": True}),
        (OLDER, google(thinking_budget=-1), {"thinkingBudget": -1, "includeThoughts": True}),
        (OLDER, google(thinking_budget=0), {"thinkingBudget": 0, "includeThoughts": False}),
        (OLDER, google(thinking_level="low"), {"thinkingBudget": 1024, "includeThoughts": True}),
        (OLDER, google(include_thoughts=True), {"includeThoughts": True}),
        ({"thinking": "none"}, google(include_thoughts=True), None),
        ({"thinking": "none"}, {"reasoning_effort": "high"}, None),
        ({}, {}, None),
        (OLDER, {}, None),
    ],
)  # fmt: skip
def test_an_effort_is_a_level_or_a_budget_as_the_model_knows_it(
    capabilities: dict[str, Any], given: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert config(given, **capabilities).get("thinkingConfig") == expected


def test_a_model_that_tells_no_probabilities_is_not_asked_for_them() -> None:
    assert config({"logprobs": True, "top_logprobs": 2}, logprobs=False) == {}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}}, "modalities"),
        ({"modalities": ["image"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        (google(thinking_level="x"), "extra_body.google.thinking_config.thinking_level"),
        (google(thinking_budget="9"), "extra_body.google.thinking_config.thinking_budget"),
        (google(thinking_budget=-2), "extra_body.google.thinking_config.thinking_budget"),
        (google(thinking_budget=9, thinking_level="low"), "extra_body.google.thinking_config"),
        ({"google": {"thinking_config": {"include_thoughts": 1}}}, "google.thinking_config.include_thoughts"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e", "f"]}, "stop"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
         "tools[0].function.parameters"),
        ({"tools": [ADD], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": []}}}, "tool_choice"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    assert refusal(given).param == param


@pytest.mark.parametrize(
    ("capabilities", "given", "param"),
    [
        ({"n": False}, {"n": 2}, "n"),
        ({"tools": False}, {"tools": [ADD]}, "tools"),
        ({"tools": False}, {"functions": [{"name": "f"}]}, "functions"),
        ({"json_schema": False}, {"response_format": AS_SCHEMA}, "response_format.type"),
        (OLDER, {"tools": [ADD], "response_format": AS_SCHEMA}, "response_format"),
        (OLDER, {"tools": [ADD], "response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_this_model_lacks_is_refused_by_name(
    capabilities: dict[str, Any], given: dict[str, Any], param: str
) -> None:
    assert refusal(given, **capabilities).param == param


def test_tools_that_may_not_be_called_do_not_stand_in_the_way_of_json() -> None:
    made = sent({"tools": [ADD], "tool_choice": "none", "response_format": AS_SCHEMA}, capabilities=OLDER)
    assert "tools" not in made
    assert made["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert "tools" in sent({"tools": [ADD], "response_format": AS_SCHEMA})


def test_the_callers_body_is_not_changed() -> None:
    body = {"messages": [USER], "tools": [ADD], "response_format": AS_SCHEMA, "stream": True}
    before = json.dumps(body)
    sent(body)
    assert json.dumps(body) == before
