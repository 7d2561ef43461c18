"""Customers cannot make us call what only we can reach."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

import pytest
from pytest_django import Settings

from gateway import destinations, guarded

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104 - refused
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1",
    "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2002:808:808::1", "2002:c0a8:101::1", "2001:0:7f00:1::1", "100::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111"]
SPELLINGS = [
    "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://localhost/",
    "https://LOCALHOST./", "https://0/", "https://[::ffff:7f00:1]/", "https://[::1]:8443/x", "https://[fe80::1%25lo]/",
]  # fmt: skip


def post(url: str) -> guarded.Reply:
    return asyncio.run(guarded.post_guarded(url, headers={}, body=b"{}"))


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not destinations.is_public(ipaddress.ip_address(address))
    assert not destinations.may_connect(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ValueError, match="not a public address"):
        destinations.check_url(f"https://{host}/hook")
    with pytest.raises(guarded.UnreachableError, match="not a public address"):
        post(f"https://{host}/hook")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert destinations.may_connect(address)


@pytest.mark.parametrize("url", SPELLINGS)
def test_a_private_address_is_refused_however_it_is_spelled(url: str) -> None:
    """None of these is ever connected to: the guard speaks, or the name is no name at all."""
    with pytest.raises(guarded.UnreachableError, match=r"not a public address|could not be reached"):
        post(url)


def test_a_name_is_judged_by_the_address_that_it_has_when_it_is_called() -> None:
    destinations.check_url("https://localhost/")  # nothing can be said of a name beforehand
    with pytest.raises(guarded.UnreachableError, match=r"leads to (127\.0\.0\.1|::1), which is not a public address"):
        post("https://localhost/")


def test_the_guard_looks_at_the_address_itself_not_at_what_the_url_says() -> None:
    with pytest.raises(OSError, match=r"leads to 10\.0\.0\.1"):
        guarded._guarded_socket((2, 1, 6, "", ("10.0.0.1", 443)))
    with pytest.raises(OSError, match="leads to ::ffff:127"):
        guarded._guarded_socket((10, 1, 6, "", ("::ffff:127.0.0.1", 443, 0, 0)))
    guarded._guarded_socket((2, 1, 6, "", ("1.1.1.1", 443))).close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://example.com/", "Use https"),
        ("ftp://example.com/", "Give an address such as"),
        ("file:///etc/passwd", "Give an address such as"),
        ("https://", "Give an address such as"),
        ("example.com", "Give an address such as"),
        ("https://user:word@example.com/", "Leave user and password out"),
        ("https://example.com/a b", "without spaces"),
        ("https://example.com/\nx", "without spaces"),
        ("https://exämple.com/", "in ASCII"),
        ("https://[::1/", "not an address"),
        ("https://example.com:99999/", "not an address"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_with_a_reason(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        destinations.check_url(url)


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9/x"),
        ("10.0.0.0/8", "http://10.1.2.3/"),
        ("receiver", "http://Receiver:8080/"),
        ("::1", "http://[::1]/"),
    ],
)
def test_the_operator_may_exempt_hosts_addresses_and_networks(settings: Settings, listed: str, url: str) -> None:
    settings.GATEWAY_WEBHOOK_HOSTS = [listed]
    destinations.check_url(url)
    settings.GATEWAY_WEBHOOK_HOSTS = ["other.example", "192.168.0.0/16"]
    with pytest.raises(ValueError, match="Use https"):
        destinations.check_url(url)


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def replied(head: bytes, body: bytes = b"", pause: float = 0) -> guarded.Reply:
    """What `post_guarded` makes of a loopback server's answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(pause)
            writer.write(head + body)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async def main() -> guarded.Reply:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await guarded.post_guarded(f"http://127.0.0.1:{port}/", headers={}, body=b"{}")

    return asyncio.run(main())


def test_no_redirect_is_followed(settings: Settings) -> None:
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1"]
    head = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n"
    assert replied(head).status == 302


def test_no_more_than_the_beginning_of_an_answer_is_read(settings: Settings) -> None:
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1"]
    reply = replied(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n", b"x" * 3_000_000)
    assert (reply.status, len(reply.body)) == (200, 64 * 1024)


def test_an_address_that_does_not_answer_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.GATEWAY_WEBHOOK_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(guarded, "GUARDED_SECONDS", 0.2)
    with pytest.raises(guarded.UnreachableError, match="did not answer"):
        replied(b"", pause=3)
