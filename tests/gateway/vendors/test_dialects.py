"""What goes up to each vendor: the caller's body, without what that vendor refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.openai import OpenAI
from gateway.translation.openai_request import Refusals
from tests.gateway import streams

COMPATIBLE = [
    "openai_compatible", "ollama", "vllm", "llamacpp", "groq", "mistral", "deepseek", "xai", "together", "openrouter",
]  # fmt: skip
FAMILY = ["openai", "azure_openai", *COMPATIBLE]
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "xai": "https://api.x.ai/v1",
    "together": "https://api.together.xyz/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "llamacpp": "http://127.0.0.1:8080/v1",
}
USER = {"role": "user", "content": "hi"}


def provider(kind: str) -> OpenAI:
    found = providers()[kind]
    assert isinstance(found, OpenAI)
    return found


def sent(kind: str, body: dict[str, Any], *, options: dict[str, Any] | None = None) -> dict[str, Any]:
    call = streams.call({"model": "public-model", "messages": [USER], **body}, usage=False, options=options or {})
    told: dict[str, Any] = json.loads(provider(kind).request(call).body)
    return told


@pytest.mark.parametrize("kind", FAMILY)
def test_unknown_fields_go_up_as_they_came(kind: str) -> None:
    body = {
        "temperature": 0.5,
        "brand_new": {"x": [1, None]},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"x": 1}}], "y": 2}],
        "tools": [{"type": "brand_new_tool", "z": 3}],
    }
    assert sent(kind, body) == {**body, "model": "upstream-model"}


@pytest.mark.parametrize("kind", FAMILY)
def test_the_callers_own_body_is_never_changed(kind: str) -> None:
    body = {
        "model": "public-model",
        "stream": True,
        "max_completion_tokens": 5,
        "seed": 1,
        "user": "u",
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "d"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
        "functions": [{"name": "f"}],
    }
    before = json.dumps(body)
    provider(kind).request(streams.call(body, usage=False))
    assert json.dumps(body) == before


@pytest.mark.parametrize(("kind", "address"), ADDRESSES.items())
def test_a_vendor_knows_its_own_address(kind: str, address: str) -> None:
    target = streams.call({"messages": [USER]}, base_url="").target
    outbound = provider(kind).outbound(target, "/chat/completions", {})
    assert outbound.url == f"{address}/chat/completions"
    assert outbound.headers["authorization"] == "Bearer upstream-secret"


def test_headers_of_the_operators_own_are_sent_and_never_replace_the_credential() -> None:
    options = {"headers": {"openai-project": "proj_1", "authorization": "Bearer other"}}
    headers = OpenAI().outbound(streams.call({"messages": [USER]}, options=options).target, "/x", {}).headers
    assert (headers["openai-project"], headers["authorization"]) == ("proj_1", "Bearer upstream-secret")


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize(
    "asked", [None, {"include_usage": False}, {"include_usage": True, "include_obfuscation": False}]
)
def test_usage_is_always_asked_for_where_that_is_not_refused(kind: str, asked: dict[str, Any] | None) -> None:
    told = sent(kind, {"stream": True, "stream_options": asked})
    if kind == "mistral":  # it refuses to be asked, and tells unasked
        assert "stream_options" not in told
    else:
        assert told["stream_options"] == {**(asked or {}), "include_usage": True}


@pytest.mark.parametrize("kind", FAMILY)
def test_stream_options_are_not_sent_to_a_server_that_refuses_them(kind: str) -> None:
    assert "stream_options" not in sent(kind, {"stream": True}, options={"stream_options": False})


def test_the_newer_limit_wins_where_a_compatible_server_knows_only_that() -> None:
    told = sent("openai_compatible", {"max_tokens": 5, "max_completion_tokens": 9}, options={"rename_max_tokens": True})
    assert {key: told[key] for key in told if key.startswith("max_")} == {"max_completion_tokens": 9}


@pytest.mark.parametrize("kind", FAMILY)
def test_without_a_stream_no_stream_options_are_made_up(kind: str) -> None:
    assert "stream_options" not in sent(kind, {})


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("openai", {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ("openai", {"max_tokens": 7}, {"max_tokens": 7}),
        ("azure_openai", {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        *((kind, {"max_completion_tokens": 7}, {"max_tokens": 7}) for kind in COMPATIBLE if kind != "openrouter"),
        *((kind, {"max_tokens": 7}, {"max_tokens": 7}) for kind in COMPATIBLE),
        ("openrouter", {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ("ollama", {"max_completion_tokens": None, "max_tokens": 7}, {"max_tokens": 7}),
        ("ollama", {"max_completion_tokens": 9, "max_tokens": 7}, {"max_tokens": 7}),
    ],
)
def test_a_limit_is_told_in_the_word_that_is_heeded(kind: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    told = sent(kind, given)
    assert {key: told[key] for key in told if key.startswith("max_")} == expected


@pytest.mark.parametrize(
    ("kind", "options", "field"),
    [
        ("openai", {}, "max_completion_tokens"),
        ("openai", {"rename": {"max_completion_tokens": "max_tokens"}}, "max_tokens"),
        ("openai_compatible", {}, "max_tokens"),
        ("openai_compatible", {"rename_max_tokens": True}, "max_completion_tokens"),
        ("mistral", {}, "max_tokens"),
        ("azure_openai", {}, "max_completion_tokens"),
    ],
)
def test_a_limit_of_ours_is_told_in_that_word_too(kind: str, options: dict[str, Any], field: str) -> None:
    call = replace(streams.call({"messages": [USER]}, options=options), output_limit=77)
    told = json.loads(provider(kind).request(call).body)
    assert {key: told[key] for key in told if key.startswith("max_")} == {field: 77}


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("openai", "developer"),
        ("azure_openai", "developer"),
        ("openrouter", "developer"),
        *((kind, "system") for kind in COMPATIBLE if kind != "openrouter"),
    ],
)
def test_a_developer_is_told_as_system_where_only_that_is_known(kind: str, role: str) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, USER]
    assert [message["role"] for message in sent(kind, {"messages": messages})["messages"]] == [role, "user"]


def test_a_model_that_knows_neither_system_nor_developer_is_told_as_user() -> None:
    messages = [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, USER]
    told = sent("openai", {"messages": messages}, options={"roles": {"system": "user", "developer": "user"}})
    assert [message["role"] for message in told["messages"]] == ["user", "user", "user"]


def test_an_option_takes_a_vendors_renaming_back() -> None:
    options = {"roles": {"developer": "developer"}, "rename": {"max_completion_tokens": "max_completion_tokens"}}
    body = {"messages": [{"role": "developer", "content": "a"}], "max_completion_tokens": 7}
    assert sent("vllm", body, options=options) == {**body, "model": "upstream-model"}


def test_options_are_added_to_what_the_vendor_refuses_anyway() -> None:
    told = sent("mistral", {"user": "u", "logit_bias": {"1": 2}, "seed": 3}, options={"drop": ["logit_bias"]})
    assert told == {"model": "upstream-model", "messages": [USER], "random_seed": 3}


def test_what_thinking_models_refuse_is_sent_when_they_do_not_think() -> None:
    refuses = Refusals(drop_unless_effort_none=("top_p",)).with_options({"drop_unless_effort_none": ["temperature"]})
    assert refuses.drop_unless_effort_none == ("top_p", "temperature")
    options = {"drop_unless_effort_none": ["temperature"]}
    assert "temperature" not in sent("openai", {"temperature": 0.1}, options=options)
    assert sent("openai", {"temperature": 0.1, "reasoning_effort": "none"}, options=options)["temperature"] == 0.1


HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "hi", "name": "ann"},
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "reasoning_content": "hm",
        "tool_calls": [{"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_abc", "content": "1", "name": "f"},
]


@pytest.mark.parametrize("kind", ["groq", "mistral"])
def test_a_strict_vendor_is_sent_a_history_without_the_keys_it_refuses(kind: str) -> None:
    told = sent(kind, {"messages": HISTORY})["messages"]
    assert [sorted(message) for message in told] == [
        ["content", "role"],
        ["content", "role", "tool_calls"],
        ["content", "role", "tool_call_id"],
    ]


@pytest.mark.parametrize("kind", ["groq", "mistral"])
def test_a_refusal_that_stands_for_an_answer_stays_one(kind: str) -> None:
    messages = [USER, {"role": "assistant", "content": None, "refusal": "I can't."}, USER]
    assert sent(kind, {"messages": messages})["messages"][1] == {"role": "assistant", "content": "I can't."}


@pytest.mark.parametrize("kind", ["openai", "deepseek", "openrouter", "ollama"])
def test_others_are_sent_the_history_as_it_is(kind: str) -> None:
    assert sent(kind, {"messages": HISTORY})["messages"] == HISTORY


def test_mistral_is_sent_call_ids_of_its_own_form() -> None:
    def ids(call_id: str) -> tuple[str, str]:
        call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages = [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": "1"},
        ]
        told = sent("mistral", {"messages": messages})["messages"]
        return told[0]["tool_calls"][0]["id"], told[1]["tool_call_id"]

    assert ids("D681PevKs") == ("D681PevKs", "D681PevKs")
    call, result = ids("call_0fypS1hVX")
    assert call == result
    assert len(call) == 9
    assert call.isalnum()
    assert ids("call_other")[0] != call
