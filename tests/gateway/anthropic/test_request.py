"""The fields of a request beside its messages and tools."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.anthropic import Anthropic
from tests.gateway import streams
from tests.gateway.anthropic.rules import OLD, USER, refusal, sent

MANUAL = {"thinking": "manual", "sampling": "both"}
FREE = {"sampling": "both"}


def test_the_provider_is_found_by_its_kind() -> None:
    assert isinstance(providers()["anthropic"], Anthropic)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://a.test", "https://a.test/v1/messages"),
        ("https://a.test/v1/", "https://a.test/v1/messages"),
        ("https://a.test/claude/", "https://a.test/claude/v1/messages"),
        ("", "https://api.anthropic.com/v1/messages"),
    ],
)
def test_where_it_goes(base_url: str, url: str) -> None:
    outbound = Anthropic().request(streams.call({"messages": [USER]}, kind="anthropic", base_url=base_url))
    assert (outbound.method, outbound.url) == ("POST", url)


def test_the_headers_hold_the_credential_and_the_version() -> None:
    outbound = Anthropic().request(streams.call({"messages": [USER]}, kind="anthropic"))
    assert outbound.headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "upstream-secret",
    }
    assert "upstream-secret" not in repr(outbound)
    newer = streams.call(
        {"messages": [USER]}, kind="anthropic", credential=None, options={"anthropic_version": "2026-10-21"}
    )
    assert Anthropic().request(newer).headers["anthropic-version"] == "2026-10-21"
    assert "x-api-key" not in Anthropic().request(newer).headers


def test_the_smallest_request() -> None:
    assert sent({}) == {
        "model": "upstream-model",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


@pytest.mark.parametrize(
    ("body", "most", "made"),
    [
        ({}, None, 8192),
        ({}, 64000, 64000),
        ({"max_tokens": 10}, None, 10),
        ({"max_tokens": 10, "max_completion_tokens": 20}, None, 20),
        ({"max_tokens": 10, "max_completion_tokens": None}, None, 10),
        ({"max_tokens": 99999}, 4096, 4096),
        ({"max_tokens": 99999}, None, 99999),
    ],
)
def test_max_tokens(body: dict[str, Any], most: int | None, made: int) -> None:
    assert sent(body, max_output_tokens=most)["max_tokens"] == made


def test_a_model_without_a_limit_gets_the_one_that_its_cost_was_held_by(settings: Any) -> None:
    settings.GATEWAY_MAX_OUTPUT_TOKENS = 1234
    assert sent({})["max_tokens"] == 1234


@pytest.mark.parametrize("param", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "7"])
def test_max_tokens_below_one_is_refused(param: str, value: Any) -> None:
    assert refusal({param: value}).param == param


BOTH = {"temperature": 0.5, "top_p": 0.9, "top_k": 5}


@pytest.mark.parametrize(
    ("sampling", "body", "made"),
    [
        ("both", BOTH, BOTH),
        ("one", BOTH, {"temperature": 0.5, "top_k": 5}),
        ("one", {"top_p": 0.9}, {"top_p": 0.9}),
        ("none", BOTH, {}),
        ("both", {"temperature": 1.7}, {"temperature": 1}),
        ("both", {"temperature": 0}, {"temperature": 0}),
        ("both", {"temperature": None, "top_k": "x"}, {}),
    ],
)
def test_sampling(sampling: str, body: dict[str, Any], made: dict[str, Any]) -> None:
    request = sent(body, capabilities={"sampling": sampling})
    assert {name: request[name] for name in BOTH if name in request} == made


def test_a_newer_version_of_the_api_gets_no_sampling() -> None:
    options = {"anthropic_version": "2026-10-21"}
    assert not set(BOTH) & set(sent(BOTH, capabilities={"sampling": "both"}, options=options))


def test_a_model_the_registry_says_nothing_about_gets_no_sampling() -> None:
    assert not set(BOTH) & set(sent(BOTH, capabilities={}))


def test_thinking_rules_sampling_out() -> None:
    assert not set(BOTH) & set(sent({**BOTH, "reasoning_effort": "low"}, capabilities=FREE))


@pytest.mark.parametrize("n", [None, 1])
def test_one_answer_may_be_asked_for(n: int | None) -> None:
    assert "n" not in sent({"n": n})


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_value"),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_value"),
        ({"audio": {"voice": "x"}}, "modalities", "unsupported_value"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort", "unsupported_value"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort", "unsupported_value"),
        ({"response_format": {"type": "grammar"}}, "response_format.type", "invalid_request_error"),
        ({"response_format": {"type": []}}, "response_format.type", "invalid_request_error"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema", "invalid_request_error"),
        (
            {"response_format": {"type": "json_schema", "json_schema": "x"}},
            "response_format.json_schema.schema",
            "invalid_request_error",
        ),
    ],
)
def test_what_this_vendor_cannot_be_asked_is_refused_by_name(body: dict[str, Any], param: str, code: str) -> None:
    error = refusal(body)
    assert (error.param, error.code) == (param, code)
    refusal(body, capabilities=OLD)


@pytest.mark.parametrize(
    ("stop", "made"),
    [("END", ["END"]), (["a", "b"], ["a", "b"]), ([" ", "", "x"], ["x"]), ("\n", None), ([], None), (None, None)],
)
def test_stop_sequences_without_the_blank_ones(stop: Any, made: Any) -> None:
    assert sent({"stop": stop}).get("stop_sequences") == made


def test_stream() -> None:
    assert sent({"stream": True})["stream"] is True
    assert "stream" not in sent({"stream": False})


def test_an_end_user_goes_up_as_a_pseudonym() -> None:
    made = sent({"user": "bob@example.com"})["metadata"]["user_id"]
    assert len(made) == 64
    assert "bob" not in made
    assert sent({"user": "bob@example.com"}, credential="another")["metadata"]["user_id"] != made
    assert sent({"user": "x", "safety_identifier": "bob@example.com"})["metadata"]["user_id"] == made
    assert "metadata" not in sent({"user": ""})


def test_two_organisations_user_of_one_name_are_two_users() -> None:
    call = streams.call({"messages": [{"role": "user", "content": "hi"}], "model": "m", "user": "1"})
    bodies = [json.loads(Anthropic().request(replace(call, organization_id=owner)).body) for owner in (1, 2)]
    assert bodies[0]["metadata"] != bodies[1]["metadata"]


IGNORED = {
    "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "seed": 1, "logit_bias": {"1": 2},
    "frequency_penalty": 1, "presence_penalty": 1, "prediction": {}, "modalities": ["text"], "verbosity": "low",
    "prompt_cache_key": "k", "logprobs": True, "top_logprobs": 3, "stream_options": {"include_usage": True},
    "response_format": {"type": "text"}, "brand_new": 1, "thinking": "yes", "top_k": None, "cache_control": 1,
}  # fmt: skip


@pytest.mark.parametrize("field", IGNORED)
def test_what_anthropic_has_no_word_for_is_left_out(field: str) -> None:
    assert sent({field: IGNORED[field]}) == sent({})


def adaptive(effort: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"thinking": {"type": "adaptive", "display": "summarized"}}
    return {**made, "output_config": {"effort": effort}} if effort else made


def thought(body: dict[str, Any], **target: Any) -> dict[str, Any]:
    request = sent(body, **target)
    return {name: request[name] for name in ("thinking", "output_config") if name in request}


@pytest.mark.parametrize(
    ("asked", "efforts", "made"),
    [
        ("none", None, {}),
        (None, None, {}),
        ("minimal", None, adaptive("low")),
        ("low", None, adaptive("low")),
        ("medium", None, adaptive("medium")),
        ("high", None, adaptive("high")),
        ("xhigh", None, adaptive("xhigh")),
        ("max", None, adaptive("max")),
        ({"effort": "low", "summary": "auto"}, None, adaptive("low")),
        ("xhigh", ["low", "medium", "high", "max"], adaptive("high")),
        ("max", ["low", "medium", "high"], adaptive("high")),
        ("minimal", ["high"], adaptive("high")),
        ("high", [], adaptive()),
    ],
)
def test_effort_of_an_adaptive_model(asked: Any, efforts: list[str] | None, made: dict[str, Any]) -> None:
    assert thought({"reasoning_effort": asked}, capabilities={"efforts": efforts}) == made


def budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


@pytest.mark.parametrize(
    ("asked", "max_tokens", "made"),
    [
        ("none", 64000, {}),
        ("minimal", 64000, budget(1024)),
        ("low", 64000, budget(1024)),
        ("medium", 64000, budget(2048)),
        ("high", 64000, budget(4096)),
        ("xhigh", 64000, budget(8192)),
        ("max", 64000, budget(16384)),
        ("max", 2000, budget(1999)),
        ("low", 1025, budget(1024)),
        ("low", 1024, {}),
    ],
)
def test_effort_of_a_model_with_budgets(asked: str, max_tokens: int, made: dict[str, Any]) -> None:
    assert thought({"reasoning_effort": asked, "max_tokens": max_tokens}, capabilities=MANUAL) == made


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    assert thought({"reasoning_effort": "high"}, capabilities={"thinking": "none"}) == {}


ENABLED = {"type": "enabled", "budget_tokens": 3000}


@pytest.mark.parametrize(
    ("own", "capabilities", "made"),
    [
        (ENABLED, MANUAL, budget(3000)),
        ({"type": "enabled", "budget_tokens": 1}, MANUAL, budget(1024)),
        ({"type": "adaptive"}, MANUAL, budget(2048)),
        ({"type": "disabled"}, MANUAL, {}),
        (ENABLED, {}, adaptive("medium")),
        ({"type": "enabled", "budget_tokens": 1024}, {}, adaptive("low")),
        ({"type": "enabled", "budget_tokens": 9000}, {}, adaptive("high")),
        ({"type": "adaptive"}, {}, adaptive()),
        ({"type": "adaptive", "display": "omitted"}, {}, {"thinking": {"type": "adaptive", "display": "omitted"}}),
        ({"type": "disabled"}, {}, {}),
    ],
)
def test_anthropics_own_thinking_is_put_in_the_words_of_the_model_that_serves(
    own: dict[str, Any], capabilities: dict[str, Any], made: dict[str, Any]
) -> None:
    assert thought({"thinking": own}, capabilities=capabilities) == made


def called(**fields: Any) -> list[dict[str, Any]]:
    calls = [{"id": "a", "type": "function", "function": {"name": "look", "arguments": ""}}]
    return [
        USER,
        {"role": "assistant", "tool_calls": calls, **fields},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]


def test_a_model_with_budgets_does_not_think_when_its_last_calls_came_without_their_thoughts() -> None:
    body = {"reasoning_effort": "high", "tools": [{"type": "function", "function": {"name": "look"}}]}
    signed = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    assert "thinking" not in sent({**body, "messages": called()}, capabilities=MANUAL)
    assert "thinking" in sent({**body, "messages": called(thinking_blocks=signed)}, capabilities=MANUAL)
    followed = [*called(), {"role": "assistant", "content": "ok"}, USER]
    assert "thinking" in sent({**body, "messages": followed}, capabilities=MANUAL)


def test_an_adaptive_model_goes_on_thinking_for_clients_that_send_no_thoughts_back() -> None:
    body = {"reasoning_effort": "high", "tools": [{"type": "function", "function": {"name": "look"}}]}
    assert sent({**body, "messages": called()})["thinking"]["type"] == "adaptive"


def test_thinking_is_left_out_before_a_prefill() -> None:
    body = {"reasoning_effort": "high", "messages": [USER, {"role": "assistant", "content": "{"}]}
    assert "thinking" not in sent(body, capabilities={**MANUAL, "prefill": True})


def test_the_thoughts_before_a_prefill_stay_behind() -> None:
    signed = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    messages = [USER, {"role": "assistant", "content": "{", "thinking_blocks": signed}]
    made = sent({"messages": messages}, capabilities={**MANUAL, "prefill": True})
    assert made["messages"][-1]["content"] == [{"type": "text", "text": "{"}]


def test_thoughts_are_not_sent_to_a_model_that_does_not_think() -> None:
    signed = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    made = sent({"messages": called(thinking_blocks=signed)}, capabilities={"thinking": "none"})
    assert [block["type"] for block in made["messages"][1]["content"]] == ["tool_use"]


def test_json_object_is_asked_for_in_words_after_the_callers_own() -> None:
    asked = {"messages": [{"role": "system", "content": "S"}, USER], "response_format": {"type": "json_object"}}
    made = sent(asked)
    assert made["system"][0]["text"] == "S"
    assert "one JSON object" in made["system"][1]["text"]
    assert "tools" not in made


def test_a_json_schema_goes_up_as_the_output_format_beside_the_effort() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "description": "d", "schema": schema}}
    assert sent({"response_format": wanted, "reasoning_effort": "low"})["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "integer", "description": "(minimum: 1)"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        },
    }


def test_capabilities_beyond_this_vendors_are_passed_over() -> None:
    assert json.dumps(sent({}, capabilities={"audio": True, "vision": None})) == json.dumps(sent({}))
