"""The server by itself, over real sockets: what it makes of HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config import protocol
from tests.sockets import GET, HELLO, LAST, ask, echo, greet, serving, stream


async def test_an_answer_with_a_length() -> None:
    async with serving(greet) as where:
        answer = await ask(where, GET + LAST)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        *(b"HTTP/1.1 200 OK", b"content-type: text/plain", b"content-length: 5", b"connection: close"),
    ]
    assert body == b"hello"


async def test_an_answer_without_one_comes_in_chunks() -> None:
    async with serving(stream) as where:
        answer = await ask(where, GET + LAST)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_an_older_client_gets_no_chunks_and_no_second_turn() -> None:
    async with serving(stream) as where:
        answer = await ask(where, b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body == b"one two"


async def test_a_head_is_answered_without_a_body() -> None:
    async with serving(greet) as where:
        answer = await ask(where, GET.replace(b"GET", b"HEAD") + LAST)
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 5" in answer


async def test_the_scope_says_what_was_asked() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await greet(scope, receive, send)

    async with serving(app) as where:
        await ask(where, GET + b"X-Two: 2\r\n" + LAST)
    (scope,) = seen
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("GET", "/a b", b"/a%20b")
    assert (scope["query_string"], scope["http_version"], scope["scheme"]) == (b"c=d", "1.1", "http")
    assert (b"x-two", b"2") in scope["headers"]


async def test_requests_that_come_together_are_answered_in_turn() -> None:
    async with serving(echo) as where:
        one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"
        answer = await ask(where, one + b"\r\none" + one + b"\r\ntwo" + one + LAST + b"end")
    assert [part[-3:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"one", b"two", b"end"]


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
async def test_a_body_arrives_whole_however_large(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with serving(echo) as where:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % size
        answer = await ask(where, head + LAST + body)
    assert answer.partition(b"\r\n\r\n")[2] == body


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async with serving(echo) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n" + LAST)
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"ok")
        assert (await reader.read()).endswith(b"\r\n\r\nok")
        writer.close()


async def test_an_offer_to_speak_something_newer_is_no_obstacle(caplog: pytest.LogCaptureFixture) -> None:
    newer = b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\nconnection: upgrade, http2-settings\r\n"
    async with serving(echo) as where:
        reader, writer = await asyncio.open_connection(*where)
        for word in (b"one", b"two"):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n" + newer + b"\r\n" + word)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(3) == word
        writer.close()
    assert not caplog.records


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"what is this\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ],
    ids=["no HTTP", "a space in a name", "two lengths", "two different lengths", "a body without an end"],
)
async def test_what_could_be_read_in_two_ways_is_refused(request_bytes: bytes) -> None:
    served = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.append(await receive())
        await greet(scope, receive, send)

    async with serving(app) as where:
        answer = await ask(where, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"code":"invalid_http"' in answer
    assert not [message for message in served if message["type"] == "http.request"]


async def test_headers_have_a_size() -> None:
    async with serving(greet) as where:
        answer = await ask(where, GET + b"x-long: " + b"y" * (protocol.HEAD_BYTES * 5))
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_headers_have_a_time(settings: Any) -> None:
    settings.GATEWAY_HEADER_SECONDS = 0.1
    async with serving(greet) as where:
        assert await ask(where, b"") == b""
        assert await ask(where, GET) == b""
        reader, writer = await asyncio.open_connection(*where)
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"hello")
        writer.write(GET)  # and once more, for the second request of a connection
        async with asyncio.timeout(2):
            assert await reader.read() == b""
        writer.close()


async def test_a_request_that_is_being_answered_has_more_time_than_its_headers(settings: Any) -> None:
    settings.GATEWAY_HEADER_SECONDS = 0.05

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await greet(scope, receive, send)

    async with serving(app) as where:
        assert (await ask(where, GET + LAST)).endswith(b"hello")


@pytest.mark.parametrize(
    ("headers", "bodies"),
    [
        ([(b"x", b"one\r\ntwo: 2")], [b""]),
        (HELLO, [b"longer than that"]),
        (HELLO, [b"no"]),
    ],
    ids=["two lines", "too long", "too short"],
)
async def test_an_application_cannot_answer_in_a_way_that_could_be_misread(
    headers: list[tuple[bytes, bytes]], bodies: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for place, body in enumerate(bodies):
            await send({"type": "http.response.body", "body": body, "more_body": place < len(bodies) - 1})

    async with serving(app) as where:
        answer = await ask(where, GET + LAST)
    assert answer == b""
    assert any(record.exc_info for record in caplog.records)
