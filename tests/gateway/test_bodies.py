"""A body is bounded before it is parsed, and again before anything is made of it."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest

from gateway import bodies
from gateway.bodies import aside, parse_object, read_object
from gateway.errors import ApiError

EIGHT = 8 * 1024 * 1024


def refusal(content: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_object(content)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")
    return caught.value


@pytest.mark.parametrize("content", [b"", b"{", b"nope", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 5000])
def test_a_body_that_is_not_a_json_object_is_refused(content: bytes) -> None:
    assert refusal(content).param is None


@pytest.mark.parametrize("inner", [b"[%s]", b'{"a":%s}', b'[{"a":%s}]'])
def test_json_deeper_than_64_levels_is_refused(inner: bytes) -> None:
    def nested(levels: int) -> bytes:
        content = b"1"
        while content.count(b"[") + content.count(b"{") < levels:
            content = inner % content
        return b'{"tools":%s}' % content

    assert parse_object(nested(62))
    error = refusal(nested(65))
    assert error.param == "tools"
    assert "64 levels" in error.message


@pytest.mark.parametrize(
    ("make", "param"),
    [
        (lambda entries: {"stop": [1] * entries}, "stop"),
        (lambda entries: {"a": [{"b": [0] * entries}]}, "a[0].b"),
        (lambda entries: {"logit_bias": dict.fromkeys(map(str, range(entries)), 0)}, "logit_bias"),
    ],
)
def test_a_list_or_an_object_of_more_than_20000_entries_is_refused(make: Any, param: str) -> None:
    assert parse_object(orjson.dumps(make(20_000)))
    error = refusal(orjson.dumps(make(20_001)))
    assert error.param == param
    assert "20001 entries" in error.message
    assert "at most 20000" in error.message


def test_too_many_fields_have_no_name() -> None:
    assert refusal(orjson.dumps(dict.fromkeys(map(str, range(20_001))))).param is None


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":[' + b"[]," * 600_000 + b"1]}",
        b'{"a":[' + b'"",' * 600_000 + b"1]}",
        b'{"a":' + b"[" * 600_000,
        b'{"a":[' + b'{"type":"text","text":"[{,"},' * 200_000 + b"1]}",
        b'{"a":[' + b'"\\",[{",' * 2_100_000 + b"1]}",
    ],
)
def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bodies.orjson.loads", lambda _: pytest.fail("it was parsed"))
    assert "500000 values" in refusal(content).message


@pytest.mark.parametrize("piece", ["a, b, ", "[[{{,,", '\\"', '",', "\\\\", '\\",{', '\\\\",'])
def test_what_looks_like_structure_within_a_text_is_text(piece: str) -> None:
    payload = {"messages": [{"content": piece * 300_000}, {"content": "x\\"}]}
    assert parse_object(orjson.dumps(payload)) == payload


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("messages[0].content", {"content": "x" * (EIGHT + 1)}),
        ("messages[0].content[0].text", {"content": [{"type": "text", "text": "x" * (EIGHT + 1)}]}),
    ],
)
def test_a_text_of_more_than_8_mib_is_refused(path: str, part: dict[str, Any]) -> None:
    error = refusal(orjson.dumps({"messages": [part]}))
    assert error.param == path
    assert "at most 8388608" in error.message


@pytest.mark.parametrize(
    "part",
    [
        {"image_url": {"url": "x" * (EIGHT + 1)}},
        {"image_url": "x" * (EIGHT + 1)},
        {"input_audio": {"data": "x" * (EIGHT + 1)}},
        {"file": {"file_data": "x" * (EIGHT + 1)}},
        {"text": "x" * EIGHT},
    ],
)
def test_images_sound_and_files_may_be_as_large_as_the_body(part: dict[str, Any]) -> None:
    payload = {"messages": [{"content": [part]}]}
    assert parse_object(orjson.dumps(payload)) == payload


async def test_a_large_body_is_read_beside_the_event_loop() -> None:
    here = threading.get_ident()
    assert await aside(bodies.LARGE, lambda _: threading.get_ident(), None) == here
    assert await aside(bodies.LARGE + 1, lambda _: threading.get_ident(), None) != here
    assert await read_object(b'{"a":"%s"}' % (b"x" * bodies.LARGE)) == {"a": "x" * bodies.LARGE}
    assert await read_object(b'{"a":1}') == {"a": 1}
