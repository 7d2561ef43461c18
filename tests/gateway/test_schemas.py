"""Every refused body names its field and says what would be right; what is not known goes through."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import ApiError
from gateway.schemas import ChatCompletionRequest, check_chat

# Where OpenAI is known to answer with another code than the general one.
RECORDED = {("messages", "at least one"): "empty_array", ("messages[1].role", "'system'"): "unsupported_value"}
USER = {"role": "user", "content": "hi"}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "sandbox/echo", "messages": [USER], **fields}


TOOL = {"type": "function", "function": {"name": "look"}}
URL = {"url": "https://example.com/cat.png"}
DETAIL = "messages[0].content[0].image_url.detail"
SOUND = "messages[0].content[0].input_audio.format"


OPTIONAL = set(ChatCompletionRequest.model_fields) - {"model", "messages"}


def said(**message: Any) -> dict[str, Any]:
    return body(messages=[message])


def part(role: str, **fields: Any) -> dict[str, Any]:
    return said(role=role, content=[fields])


def call(**fields: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}, **fields}


def choose(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def schema(**fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, **fields}}


@pytest.mark.parametrize(
    ("payload", "param", "says"),
    [
        ({"messages": [USER]}, "model", "missing"),
        ({"model": "m"}, "messages", "missing"),
        (body(model=""), "model", "empty"),
        (body(model=5), "model", "be a string, not 5"),
        (body(messages=[]), "messages", "at least one"),
        (body(messages=[USER] * 2049), "messages", "it must have at most 2048 items, not a list of 2049"),
        (body(messages="hi"), "messages", "be a list"),
        (body(messages=[{"content": "hi"}]), "messages[0].role", "missing"),
        (body(messages=[USER, {"role": "sytem", "content": "x"}]), "messages[1].role", "'system'"),
        (body(messages=[{"role": "user", "content": 5}]), "messages[0].content", "be a string or be a list, not 5"),
        (body(messages=[{"role": "user", "content": [{"text": "x"}]}]), "messages[0].content[0].type", "missing"),
        (body(messages=[{"role": "user", "content": [{"type": 1}]}]), "messages[0].content[0].type", "be a string"),
        (body(messages=["hi"]), "messages[0]", "not 'hi'"),
        (body(temperature="hot"), "temperature", "be a number, not 'hot'"),
        (body(temperature=2.1), "temperature", "less than or equal to 2"),
        (body(temperature=True), "temperature", "not true"),
        (body(max_tokens="5"), "max_tokens", "be an integer"),
        (body(max_tokens=0), "max_tokens", "greater than or equal to 1"),
        (body(max_tokens=1.5), "max_tokens", "not 1.5"),
        (body(stream="yes"), "stream", "be a boolean"),
        (body(stream=True, stream_options={"include_usage": 1}), "stream_options.include_usage", "be a boolean"),
        (body(n=9), "n", "less than or equal to 8"),
        (body(max_tokens=2**63), "max_tokens", "less than or equal to"),
        (body(seed=-(2**63)), "seed", "greater than or equal to"),
        (body(stop=5), "stop", "be a string or be a list"),
        (body(stop=["a", "b", "c", "d", "e"]), "stop", "at most 4"),
        (body(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "missing"),
        (body(tools={}), "tools", "be a list"),
        (body(tool_choice=3), "tool_choice", "not 3"),
        (body(response_format="json"), "response_format", "be an object, not 'json'"),
        (body(response_format={}), "response_format.type", "missing"),
        (body(response_format={"type": "json_schema"}), "response_format.json_schema", "missing"),
        (body(response_format=schema(name=None)), "response_format.json_schema.name", "be a string"),
        (body(response_format=schema(name="two words")), "response_format.json_schema.name", "'^[a-zA-Z0-9_-]+$'"),
        (body(response_format=schema(name="x" * 65)), "response_format.json_schema.name", "at most 64 characters"),
        (body(response_format=schema(schema=[])), "response_format.json_schema.schema", "be an object"),
        (body(response_format=schema(strict="yes")), "response_format.json_schema.strict", "be a boolean"),
        (body(top_p=1.01), "top_p", "less than or equal to 1"),
        (body(presence_penalty=-2.1), "presence_penalty", "greater than or equal to -2"),
        (body(frequency_penalty="0"), "frequency_penalty", "be a number"),
        (body(logit_bias={"50256": 101}), "logit_bias.50256", "less than or equal to 100"),
        (body(logit_bias="x"), "logit_bias", "be an object"),
        (body(top_logprobs=21, logprobs=True), "top_logprobs", "less than or equal to 20"),
        (body(top_logprobs=2), "top_logprobs", "set 'logprobs' to true"),
        (body(top_logprobs=2, logprobs=False), "top_logprobs", "set 'logprobs' to true"),
        (body(logprobs=1), "logprobs", "be a boolean"),
        (body(max_completion_tokens=0), "max_completion_tokens", "greater than or equal to 1"),
        (body(n=0), "n", "greater than or equal to 1"),
        (body(seed="x"), "seed", "be an integer"),
        (body(user=5), "user", "be a string"),
        (body(store="yes"), "store", "be a boolean"),
        (body(reasoning_effort="huge"), "reasoning_effort", "'minimal', 'low'"),
        (body(verbosity="loud"), "verbosity", "'low', 'medium' or 'high'"),
        (body(service_tier=1), "service_tier", "be a string"),
        (body(metadata={"k": 5}), "metadata.k", "be a string, not 5"),
        (body(metadata={"k": "v" * 513}), "metadata.k", "at most 512"),
        (body(metadata={"k" * 65: "v"}), "metadata", "at most 64 characters"),
        (body(metadata={str(n): "v" for n in range(17)}), "metadata", "at most 16"),
        (body(modalities=["smell"]), "modalities[0]", "'text', 'audio' or 'image'"),
        (body(modalities=["text", "audio"]), "audio", "the voice and the format"),
        (body(audio={"voice": "alloy"}), "audio.format", "such as 'wav'"),
        (body(audio={"format": "wav"}), "audio.voice", "name of a voice"),
        (body(stream_options={"include_usage": True}), "stream_options", "set 'stream' to true"),
        (body(stream_options={}, stream=False), "stream_options", "set 'stream' to true"),
        (body(parallel_tool_calls="no"), "parallel_tool_calls", "be a boolean"),
        (body(tools=[TOOL] * 129), "tools", "at most 128 items"),
        (body(tools=[{"type": "function"}]), "tools[0].function", "missing"),
        (body(tools=[{"type": "custom"}]), "tools[0].custom.name", "the tool's name"),
        (body(tools=[{"type": "function", "function": {"name": ""}}]), "tools[0].function.name", "one character"),
        (body(tools=[{"type": "function", "function": {"name": "x" * 257}}]), "tools[0].function.name", "at most 256"),
        (body(tool_choice="required"), "tool_choice", "with 'tools'"),
        (body(tools=[TOOL], tool_choice="maybe"), "tool_choice", "not 'maybe'"),
        (body(tools=[TOOL], tool_choice=choose("other")), "tool_choice", "names 'other', which is not among"),
        (body(tools=[TOOL], tool_choice={"type": {}}), "tool_choice.type", "be a string"),
        (body(tools=[TOOL], tool_choice={"type": "function"}), "tool_choice", "must name one of the 'tools'"),
        (body(tools=[TOOL], functions=[TOOL["function"]]), "functions", "cannot be used together"),
        (body(functions=[TOOL["function"]], function_call={"name": "x"}), "function_call", "not among the 'functions'"),
        (body(functions=[TOOL["function"]], function_call="always"), "function_call", "not 'always'"),
        (body(function_call={"name": "look"}), "function_call", "not among the 'functions'"),
        (said(role="user"), "messages[0].content", "not null"),
        (said(role="system", content=None), "messages[0].content", "not null"),
        (said(role="assistant"), "messages[0].content", "unless the message has 'tool_calls'"),
        (said(role="tool", content="x"), "messages[0].tool_call_id", "missing"),
        (said(role="tool", tool_call_id="x"), "messages[0].content", "not null"),
        (said(role="function", content="x"), "messages[0].name", "missing"),
        (said(role="user", content="x", name=5), "messages[0].name", "be a string"),
        (said(role="assistant", tool_calls=[{"id": "c"}]), "messages[0].tool_calls[0].function", "missing"),
        (said(role="assistant", tool_calls=[call(id=None)]), "messages[0].tool_calls[0].id", "be a string"),
        (said(role="assistant", function_call={"name": "x"}), "messages[0].function_call.arguments", "missing"),
        (part("user", type="text"), "messages[0].content[0].text", "be a string"),
        (part("user", type="refusal", refusal="x"), "messages[0].content[0].type", "a user message cannot have"),
        (part("system", type="image_url", image_url=URL), "messages[0].content[0].type", "a system message cannot"),
        (part("assistant", type="input_audio"), "messages[0].content[0].type", "an assistant message cannot"),
        (part("user", type="image_url"), "messages[0].content[0].image_url.url", "a URL or a data URL"),
        (part("user", type="image_url", image_url={}), "messages[0].content[0].image_url.url", "a URL"),
        (part("user", type="image_url", image_url={**URL, "detail": 1}), DETAIL, "auto, low or high"),
        (part("user", type="input_audio", input_audio={"data": "x"}), SOUND, "wav or mp3"),
        (part("user", type="file", file={"filename": "x"}), "messages[0].content[0].file", "file_data or file_id"),
    ],
)
def test_a_wrong_field_is_named(payload: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_chat(payload)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert caught.value.code == RECORDED.get((param, says), "invalid_request_error")
    assert caught.value.param == param
    assert says in caught.value.message
    assert param in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"some_new_parameter": {"a": 1}},
        {"temperature": None, "max_tokens": None, "stop": None, "tools": None},
        {"temperature": 1, "top_p": 0, "n": 1, "stop": ["a"]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "custom"}]}]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
        {
            "tools": [{"type": "custom", "custom": {"name": "x"}}],
            "tool_choice": {"type": "custom", "custom": {"name": "x"}},
        },
        dict.fromkeys(OPTIONAL),
        {"tools": [TOOL], "tool_choice": choose("look"), "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}}},
        {"tool_choice": "auto", "function_call": "none", "parallel_tool_calls": True, "top_logprobs": 0},
        {"functions": [TOOL["function"]], "function_call": {"name": "look"}},
        {"response_format": schema(description=None, strict=None)},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "a type of next year"}},
        {"modalities": ["text", "audio"], "audio": {"voice": {"id": "v"}, "format": "pcm16"}},
        {"stream": True, "stream_options": {"include_usage": None}},
        {"logprobs": True, "top_logprobs": 20, "logit_bias": {"50256": -100, "11": 0.5}, "seed": -1},
        {"metadata": {str(n): "v" * 512 for n in range(16)}},
        said(role="user", content=""),
        said(role="user", content=[]),
        said(role="user", content="x", name="Ada", tool_calls=None),
        said(role="assistant", content=""),
        said(role="assistant", content=None, refusal="No."),
        said(role="assistant", refusal=None, audio={"id": "a"}),
        said(role="assistant", content=[{"type": "refusal", "refusal": "No."}]),
        said(role="assistant", tool_calls=[call(function={"name": "look", "arguments": ""})]),
        said(role="assistant", content=None, function_call={"name": "look", "arguments": "{}"}),
        said(role="assistant", content="x", tool_calls=[], function_call=None),
        said(role="assistant", reasoning_content="Hm."),
        said(role="tool", content=[{"type": "text", "text": ""}], tool_call_id="c"),
        said(role="function", name="look", content=None),
        part("user", type="image_url", image_url="https://example.com/cat.png"),
        part("user", type="image_url", image_url={**URL, "detail": None}),
        part("user", type="input_audio", input_audio={"data": "x", "format": "wav"}),
        part("user", type="file", file={"file_id": "f", "file_data": None}),
        part("assistant", type="a kind of next year", anything={"a": 1}),
        {"metadata": {"k": "v"}, "store": True, "reasoning_effort": "low", "service_tier": "flex"},
        {"reasoning_effort": {"effort": "high", "summary": "auto"}},
    ],
)
def test_what_openai_takes_is_taken(fields: dict[str, Any]) -> None:
    check_chat(body(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [1] * 50_000}]},
        {"messages": [{"role": "assistant", "tool_calls": [1] * 50_000}]},
        {"stop": [1] * 50_000},
        {"tools": [1] * 50_000},
        {"functions": [1] * 50_000},
    ],
)
def test_a_body_full_of_faults_is_refused_at_the_first(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        check_chat(body(**fields))
    assert isinstance(caught.value.__cause__, ValidationError)
    assert caught.value.__cause__.error_count() < 10
