"""A request that is too large or too slow is refused while it arrives, not after it was taken in."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import live
from tests.end_to_end.conftest import MEGABYTE, Caller

POST = "POST /v1/chat/completions HTTP/1.1"


@dataclass(frozen=True)
class Refusal:
    """What came back over a raw connection, and when."""

    status: int
    headers: dict[str, str]
    error: dict[str, Any]
    seconds: float
    sent: int  # bytes of the body that the server let us send


def send(caller: Caller, *lines: str, body: Iterable[bytes] = (), pause: float = 0.0) -> Refusal:
    """Send a request by hand, the body piece by piece until the server answers."""
    host, port = urlsplit(caller.base_url).netloc.split(":")
    head = "\r\n".join([POST, f"host: {host}", f"authorization: Bearer {caller.secret}", *lines, "", ""])
    started, sent = time.monotonic(), 0
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        try:
            for piece in body:
                if select.select([connection], [], [], pause)[0]:
                    break  # it has answered
                connection.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered and does not listen any more
        return _read(connection, started, sent)


def _read(connection: socket.socket, started: float, sent: int) -> Refusal:
    reader = connection.makefile("rb")
    status = int(reader.readline().split()[1])
    headers: dict[str, str] = {}
    while line := reader.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    content = reader.read(int(headers["content-length"]))
    return Refusal(status, headers, json.loads(content)["error"], time.monotonic() - started, sent)


def assert_told(refusal: Refusal, status: int, code: str) -> None:
    assert (refusal.status, refusal.error["code"]) == (status, code)
    assert set(refusal.error) == {"message", "type", "param", "code"}
    assert refusal.headers["content-type"] == "application/json"
    assert refusal.headers["x-request-id"]


JSON = "content-type: application/json"


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(caller: Caller) -> None:
    refusal = send(caller, JSON, f"content-length: {MEGABYTE + 1}")
    assert_told(refusal, 413, "request_too_large")
    assert refusal.seconds < 1


def test_a_body_that_hides_its_size_is_refused_as_soon_as_it_is_too_large(caller: Caller) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    refusal = send(caller, JSON, "transfer-encoding: chunked", body=(chunk for _ in range(1000)))
    assert_told(refusal, 413, "request_too_large")
    assert refusal.sent < 20 * MEGABYTE  # of 64: what lies in the sockets' buffers, not all of it


def test_the_largest_body_that_is_allowed_is_taken(caller: Caller) -> None:
    room = MEGABYTE - 200
    answer = caller.chat(said="x" * room, max_tokens=1)
    assert answer.status_code == 200


def test_a_stranger_cannot_make_us_read_a_body(gateway: live.Gateway, caller: Caller) -> None:
    nobody = Caller(caller.organization, caller.key, "sk-2389-nobody", gateway.base_url)
    refusal = send(nobody, JSON, f"content-length: {MEGABYTE}", body=[b"x"])
    assert refusal.status == 401
    assert refusal.seconds < 1


def test_a_body_that_stops_arriving_is_408(caller: Caller) -> None:
    refusal = send(caller, JSON, "content-length: 1000", body=[b"{"])
    assert_told(refusal, 408, "request_timeout")
    assert 2.9 < refusal.seconds < 4.9  # before all the time that a body has is over


def test_a_body_that_drips_is_408_in_the_end(caller: Caller) -> None:
    refusal = send(caller, JSON, "content-length: 1000", body=[b" "] * 60, pause=0.15)
    assert_told(refusal, 408, "request_timeout")
    assert refusal.sent < 1000


@pytest.mark.parametrize(
    "lines",
    [[f"x-large: {'y' * 33_000}"], [f"x-{number}: y" for number in range(94)]],
    ids=["one large header", "many headers"],
)
def test_headers_without_measure_are_431(caller: Caller, lines: list[str]) -> None:
    assert_told(send(caller, JSON, "content-length: 0", *lines), 431, "headers_too_large")


def test_a_caller_who_leaves_before_the_body_is_sent_costs_nothing(gateway: live.Gateway, caller: Caller) -> None:
    host, port = urlsplit(caller.base_url).netloc.split(":")
    head = f"{POST}\r\nhost: {host}\r\nauthorization: Bearer {caller.secret}\r\n{JSON}\r\ncontent-length: 99\r\n\r\n{{"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
    assert caller.chat().status_code == 200
    assert caller.row().status == 200
