"""Callers who still speak of functions: as they are to OpenAI, as tools to servers that know only those."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.openai import OpenAI
from tests.gateway import streams, transcripts

WEATHER = {"name": "weather", "description": "The weather", "parameters": {"type": "object", "properties": {}}}
TIME = {"name": "time", "parameters": {"type": "object", "properties": {}}}
USER = {"role": "user", "content": "hi"}
ASK: dict[str, Any] = {"model": "public-model", "messages": [USER], "functions": [WEATHER, TIME]}
PLAIN = ["openai", "azure_openai"]
TOOLS = ["openai_compatible", "ollama", "groq", "mistral", "deepseek", "openrouter"]


def provider(kind: str) -> OpenAI:
    found = providers()[kind]
    assert isinstance(found, OpenAI)
    return found


def sent(kind: str, body: dict[str, Any], **target: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(provider(kind).request(streams.call(body, **target)).body)
    return told


@pytest.mark.parametrize("kind", PLAIN)
def test_openai_gets_functions_as_they_are(kind: str) -> None:
    body = {**ASK, "function_call": {"name": "weather"}}
    assert sent(kind, body) == {**body, "model": "upstream-model"}


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({}, {}),
        ({"function_call": "auto"}, {"tool_choice": "auto"}),
        ({"function_call": "none"}, {"tool_choice": "none"}),
        (
            {"function_call": {"name": "weather"}},
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        ),
    ],
)
def test_others_get_tools(kind: str, choice: dict[str, Any], told: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": WEATHER}, {"type": "function", "function": TIME}]
    assert sent(kind, {**ASK, **choice}) == {
        "model": "upstream-model",
        "messages": [USER],
        "tools": tools,
        **told,
    }


def test_a_route_can_say_so_of_one_of_openais_models() -> None:
    assert "tools" in sent("openai", ASK, options={"functions_as_tools": True})
    assert "functions" in sent("openai_compatible", ASK, options={"functions_as_tools": False})


def test_a_result_belongs_to_the_last_call_of_its_name_that_has_none() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}

    def result(name: str) -> dict[str, Any]:
        return {"role": "function", "name": name, "content": f"of {name}"}

    names = ["weather", "time", "weather"]
    history = [USER, *(message for name in names for message in (call(name), result(name)))]
    told = sent("openai_compatible", {**ASK, "messages": history})["messages"]
    made = [message["tool_calls"][0] for message in told if "tool_calls" in message]
    assert [made_call["function"]["name"] for made_call in made] == names
    assert len({made_call["id"] for made_call in made}) == 3
    results = [message for message in told if message["role"] == "tool"]
    assert [message["tool_call_id"] for message in results] == [made_call["id"] for made_call in made]
    assert results[0] == {"role": "tool", "tool_call_id": made[0]["id"], "content": "of weather"}
    assert not any("function_call" in message for message in told)


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    fields = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
    return b"data: %s\n\n" % json.dumps(fields).encode()


STREAM = b"".join(
    [
        event({"role": "assistant", "content": None}),
        event({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"at"'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        event({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "time", "arguments": "{}"}}]}),
        event({}, "tool_calls"),
        b"data: [DONE]\n\n",
    ]
)


def test_a_streamed_call_comes_back_as_a_function_call() -> None:
    outcome = streams.run(provider("openai_compatible"), streams.call({**ASK, "stream": True}, usage=False), [STREAM])
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=False)
    made = [chunk["choices"][0]["delta"].get("function_call") or {} for chunk in outcome.chunks]
    assert "".join(part.get("name", "") for part in made) == "weather"  # the first call only, as OpenAI does
    assert "".join(part.get("arguments", "") for part in made) == '{"at":1}'
    assert not any("tool_calls" in chunk["choices"][0]["delta"] for chunk in outcome.chunks)
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == "function_call"
    assert outcome.translator is not None
    assert outcome.translator.finish_reason == "function_call"


def test_a_caller_of_tools_gets_tools() -> None:
    body = {"messages": [USER], "tools": [{"type": "function", "function": WEATHER}], "stream": True}
    outcome = streams.run(provider("openai_compatible"), streams.call(body, usage=False), [STREAM])
    assert outcome.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert not any("function_call" in chunk["choices"][0]["delta"] for chunk in outcome.chunks)


def test_a_whole_answer_comes_back_as_a_function_call() -> None:
    calls = [
        {"id": "a", "index": 0, "type": "function", "function": {"name": "weather", "arguments": "{}"}},
        {"id": "b", "index": 1, "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    body = {"id": "c1", "created": 1, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    told = provider("ollama").response(streams.call(ASK), json.dumps(body).encode()).body["choices"][0]
    assert told["message"]["function_call"] == {"name": "weather", "arguments": "{}"}
    assert "tool_calls" not in told["message"]
    assert told["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    "case", [case for case in transcripts.cases("openai-chat") if "functions" in case.name], ids=str
)
def test_openais_own_answer_to_functions_is_untouched(case: transcripts.Case) -> None:
    recorded = json.loads(case.body)
    assert sent("openai", case.sent) == {**case.sent, "model": "upstream-model"}
    assert OpenAI().response(streams.call(case.sent), case.body).body == {**recorded, "model": "public-model"}
