"""Images that callers name are fetched through the guard, whole and in time, or refused by their place."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pytest_django import Settings

from gateway import destinations, guarded, images
from gateway.errors import ApiError
from tests.gateway.test_destinations import REFUSED, SPELLINGS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MEDIA = frozenset({"image/png", "image/jpeg"})
Handler = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = ["127.0.0.1"]


def answer(body: bytes = PNG, media: str | None = "image/png", status: str = "200 OK", **headers: object) -> bytes:
    given = {"content-type": media, "content-length": len(body), "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def serving(pages: Mapping[str, bytes] | Handler) -> AsyncIterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and the paths that it was asked for."""
    asked: list[str] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            asked.append(path)
            if callable(pages):
                await pages(path, reader, writer)
            else:
                writer.write(pages[path])
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


def asking(*urls: str, start: int = 0) -> list[images.Link]:
    return [images.Link(url, f"messages[0].content[{place}]") for place, url in enumerate(urls, start)]


async def fetched(*urls: str) -> dict[str, str]:
    return await images.fetch(asking(*urls), media=MEDIA)


async def refusal(*urls: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await fetched(*urls)
    error = caught.value
    assert (error.status, error.code) == (400, "invalid_image_url")
    assert error.param is not None
    assert error.message.startswith(f"'{error.param}'")
    return error


async def test_an_image_becomes_a_data_url() -> None:
    async with serving({"/a": answer(), "/b": answer(b"jpeg", "image/JPEG; q=1")}) as (base, _):
        found = await fetched(f"{base}/a", f"{base}/b")
    assert found == {
        f"{base}/a": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        f"{base}/b": f"data:image/jpeg;base64,{base64.b64encode(b'jpeg').decode()}",
    }


@pytest.mark.parametrize("address", [address for address in REFUSED if not address.startswith("127.0.0.1")])
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for scheme in ("http", "https"):
        assert "not a public address" in (await refusal(f"{scheme}://{host}/a.png")).message


@pytest.mark.parametrize("url", SPELLINGS)
async def test_a_private_address_is_refused_however_it_is_spelled(url: str, settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = []
    for spelled in (url, url.replace("https:", "http:")):
        message = (await refusal(spelled)).message
        assert "not a public address" in message or "cannot be reached on the public internet" in message


async def test_a_name_that_leads_to_a_private_address_is_never_connected_to(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = []
    async with serving({"/a": answer()}) as (base, asked):
        error = await refusal(f"{base.replace('127.0.0.1', 'localhost')}/a")
    assert asked == []
    assert "127.0.0.1" not in error.message
    assert "::1" not in error.message


async def test_nobody_learns_whether_a_private_name_exists(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.GATEWAY_IMAGE_HOSTS = []

    def look(host: str, port: int, *_: object, **__: object) -> list[Any]:
        if host == "db.internal":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", port))]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look)
    there, not_there = await refusal("http://db.internal/"), await refusal("http://no.internal/")
    assert there.message.replace("db.", "no.") == not_there.message


async def test_a_name_may_not_change_its_address_between_look_and_call(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GATEWAY_IMAGE_HOSTS = []
    looked: list[str] = []
    async with serving({"/a": answer()}) as (base, asked):
        port = int(base.rpartition(":")[2])

        def look(host: str, *_: object, **__: object) -> list[Any]:
            looked.append(host)
            address = "127.0.0.1" if len(looked) > 1 else "203.0.113.9"  # the first answer is no good either
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        for _ in range(3):
            await refusal(f"http://rebound.example:{port}/a")
    assert asked == []


async def test_what_webhooks_may_call_is_not_what_images_may_be_fetched_from(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = []
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1", "localhost"]
    async with serving({"/a": answer()}) as (base, asked):
        await refusal(f"{base}/a")
        await refusal(f"{base.replace('127.0.0.1', 'localhost')}/a")
    assert asked == []


async def test_a_redirect_is_followed_where_it_may_lead() -> None:
    pages = {
        "/a": answer(b"", status="302 Found", location="/b?x=1"),
        "/b?x=1": answer(b"", status="308 Permanent Redirect", location="c"),
        "/c": answer(),
    }
    async with serving(pages) as (base, asked):
        assert len(await fetched(f"{base}/a")) == 1
    assert asked == ["/a", "/b?x=1", "/c"]


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]/", "http://127.0.0.1:{port}/c",
     "//127.0.0.1:{port}/c", "http://127.1:{port}/c", "http://2130706433:{port}/c", "file:///etc/passwd",
     "ftp://example.com/a", "http://user:word@localhost:{port}/c", "http://[bad"],
)  # fmt: skip
async def test_a_redirect_to_where_nothing_may_be_fetched_is_refused(location: str, settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = ["localhost"]
    pages = {"/c": answer()}
    async with serving(pages) as (base, asked):
        port = base.rpartition(":")[2]
        pages["/a"] = answer(b"", status="302 Found", location=location.format(port=port))
        await refusal(f"http://localhost:{port}/a")
    assert asked == ["/a"]


async def test_a_circle_of_redirects_ends() -> None:
    async with serving({"/a": answer(b"", status="307 x", location="/a")}) as (base, asked):
        assert "redirected more than 3 times" in (await refusal(f"{base}/a")).message
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer(media="text/html"), "sent 'text/html'. It must be one of image/jpeg, image/png."),
        (answer(media="image/svg+xml"), "sent 'image/svg+xml'"),
        (answer(media=None), "sent ''"),
        (answer(status="404 Not Found"), "answered 404"),
        (answer(status="500 Oh"), "answered 500"),
        (answer(status="302 Found"), "answered 302"),
        (answer(b""), "sent nothing"),
        (answer(content_encoding="gzip"), "compressed"),
        (answer()[:-9], "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be reached"),
        (b"", "cannot be reached"),
    ],
)  # fmt: skip
async def test_what_is_no_image_is_refused(reply: bytes, says: str) -> None:
    async with serving({"/a": reply}) as (base, _):
        assert says in (await refusal(f"{base}/a")).message


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/a", "https://", "https://user:word@example.com/a", "https://example.com/a b", "https://[bad",
     "https://example.com:99999/", "https://exämple.com/", "http://example.com/\nx", f"http://a.example/{'a' * 9000}"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(url: str) -> None:
    await refusal(url)


async def test_images_that_are_too_large_are_refused_before_they_are_read(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_MAX_BYTES = 1000
    async with serving({"/a": answer(b"x" * 1001)}) as (base, _):
        assert "more than the 1000 bytes" in (await refusal(f"{base}/a")).message


async def test_the_bytes_of_a_request_are_counted_together_and_whatever_the_server_says(settings: Settings) -> None:
    async def endless(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    settings.GATEWAY_IMAGE_MAX_BYTES = 100_000
    async with serving(endless) as (base, _):
        assert "more than the 100000 bytes" in (await refusal(f"{base}/a")).message
    pages = {f"/{name}": answer(b"x" * 40_000) for name in "abc"}
    async with serving(pages) as (base, _):
        assert len(await fetched(f"{base}/a", f"{base}/b")) == 2
        assert "more than the 100000 bytes" in (await refusal(*(f"{base}/{name}" for name in "abc"))).message


@pytest.mark.parametrize("begun", [b"", answer()[:40], answer()[:-1]])
async def test_an_image_that_does_not_arrive_is_given_up(settings: Settings, begun: bytes) -> None:
    gone = asyncio.Event()

    async def slow(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()
        gone.set()

    settings.GATEWAY_IMAGE_SECONDS = 0.2
    async with serving(slow) as (base, _):
        assert "did not arrive within 0.2 seconds" in (await refusal(f"{base}/a")).message
        async with asyncio.timeout(5):
            await gone.wait()


async def test_several_are_fetched_at_once_and_no_more_than_a_few() -> None:
    together, most, met = 0, 0, asyncio.Event()

    async def page(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        if together == images.AT_ONCE:
            met.set()
        await met.wait()  # nobody is answered before as many are there as may be
        together -= 1
        writer.write(answer())

    async with serving(page) as (base, asked):
        async with asyncio.timeout(5):
            found = await fetched(*(f"{base}/{number}" for number in range(10)))
    assert len(found) == len(asked) == 10
    assert most == images.AT_ONCE


async def test_one_that_fails_gives_up_the_others_and_is_the_one_that_is_named() -> None:
    gone = asyncio.Event()

    async def page(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if path == "/bad":
            writer.write(answer(status="404 Not Found"))
            return
        await reader.read()
        gone.set()

    async with serving(page) as (base, _):
        assert (await refusal(f"{base}/slow", f"{base}/bad")).param == "messages[0].content[1]"
        async with asyncio.timeout(5):
            await gone.wait()


async def test_too_many_are_refused_before_any_is_fetched() -> None:
    async with serving({}) as (base, asked):
        with pytest.raises(ApiError) as caught:
            await fetched(*(f"{base}/{number}" for number in range(images.MOST + 1)))
    assert caught.value.param == f"messages[0].content[{images.MOST}]"
    assert asked == []


def test_images_are_found_wherever_they_stand_and_placed_there() -> None:
    url, other = "https://example.com/a.png", "HTTP://example.com/b.png"
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "plain"},
        {"role": "user", "content": [
            {"type": "text", "text": url},
            {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": images.PIXEL}},
            {"type": "image_url"}, {"type": "image_url", "image_url": 7}, 7,
        ]},
        {"role": "tool", "content": [
            {"type": "image_url", "image_url": other}, {"type": "image_url", "image_url": url},
        ]},
    ]  # fmt: skip
    found = images.linked(said)
    assert found == [images.Link(url, "messages[1].content[1]"), images.Link(other, "messages[2].content[0]")]
    made = images.placed({"messages": said, "x": 1}, {url: "data:a", other: "data:b"})
    assert made["messages"][0] is said[0]
    assert made["messages"][1]["content"][1] == {"type": "image_url", "image_url": {"url": "data:a"}}
    assert made["messages"][1]["content"][2:] == said[1]["content"][2:]
    assert [part["image_url"]["url"] for part in made["messages"][2]["content"]] == ["data:b", "data:a"]
    assert said[2]["content"][0]["image_url"] == other


def test_a_host_that_is_exempt_for_images_is_not_for_webhooks(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = ["10.0.0.0/8"]
    destinations.check_image_url("http://10.0.0.1/a.png")
    with pytest.raises(ValueError, match="Use https"):
        destinations.check_url("http://10.0.0.1/")
    with pytest.raises(OSError, match="not a public address"):
        guarded._guarded_socket((2, 1, 6, "", ("10.0.0.1", 443)))
