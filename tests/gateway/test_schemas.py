"""Every refused body names its field and says what would be right; what is not known goes through."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from gateway.errors import ApiError
from gateway.schemas import check_chat, parse_object

USER = {"role": "user", "content": "hi"}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "sandbox/echo", "messages": [USER], **fields}


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
        (body(stream_options={"include_usage": 1}), "stream_options.include_usage", "be a boolean"),
        (body(n=9), "n", "less than or equal to 8"),
        (body(max_tokens=2**63), "max_tokens", "less than or equal to"),
        (body(seed=-(2**63)), "seed", "greater than or equal to"),
        (body(stop=5), "stop", "be a string or be a list"),
        (body(stop=["a", "b", "c", "d", "e"]), "stop", "at most 4"),
        (body(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "missing"),
        (body(tools={}), "tools", "be a list"),
        (body(tool_choice=3), "tool_choice", "not 3"),
        (body(response_format="json"), "response_format", "not 'json'"),
    ],
)
def test_a_wrong_field_is_named(payload: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_chat(payload)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert caught.value.code == "invalid_request_error"
    assert caught.value.param == param
    assert says in caught.value.message
    assert param in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"nope", b"[]", b'"text"', b"null", b"\xff\xfe"])
def test_a_body_that_is_not_a_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse_object(content)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "fields",
    [
        {"some_new_parameter": {"a": 1}},
        {"temperature": None, "max_tokens": None, "stop": None, "tools": None},
        {"temperature": 1, "top_p": 0, "n": 1, "stop": ["a"]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "custom"}]}]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}], "tool_choice": {"type": "custom"}},
        {"metadata": {"k": "v"}, "store": True, "reasoning_effort": "low", "service_tier": "flex"},
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


@pytest.mark.parametrize("inner", [b"[%s]", b'{"a":%s}', b'[{"a":%s}]'])
def test_json_too_deep_to_be_passed_on_is_refused(inner: bytes) -> None:
    content = b"1"
    while content.count(b"[") + content.count(b"{") < 150:
        content = inner % content
    shallow = parse_object(b'{"metadata":%s}' % content)
    assert orjson.loads(orjson.dumps(shallow)) == shallow
    while content.count(b"[") + content.count(b"{") < 300:
        content = inner % content
    with pytest.raises(ApiError, match="200 levels") as caught:
        parse_object(b'{"metadata":%s}' % content)
    assert caught.value.status == 400
