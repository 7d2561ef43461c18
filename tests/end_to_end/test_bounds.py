"""A request that is too large or too slow is refused while it arrives, not after it was taken in."""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from accounts import keys
from tests import live
from tests.end_to_end.conftest import MEGABYTE, Caller, MakeCaller
from tests.end_to_end.registry import GPT
from tests.fakes.openai import FakeOpenAI
from tests.faults.servers import workers

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


def test_headers_that_stop_arriving_end_the_connection(
    live_database: str, live_settings: dict[str, Any], tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    settings = {**live_settings, "GATEWAY_HEADER_SECONDS": 0.5}
    with live.serving(database=live_database, log=log, **settings) as narrow:
        host, port = urlsplit(narrow.base_url).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{POST}\r\nhost: {host}\r\nx-slow: ".encode())
            assert connection.recv(100)[:12] in {b"", b"HTTP/1.1 408"}  # or it would have timed out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process had at most")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_large_image_costs_about_three_times_its_size_and_arrives_as_it_was(
    live_database: str,
    live_settings: dict[str, Any],
    tmp_path: Path,
    make_caller: MakeCaller,
    fake_openai: FakeOpenAI,
    committed: None,
    streamed: bool,
) -> None:
    settings = {
        **live_settings,
        "GATEWAY_MAX_BODY_BYTES": 25 * MEGABYTE,
        "GATEWAY_BODY_IDLE_SECONDS": 10,
        "GATEWAY_BODY_TOTAL_SECONDS": 20,
    }
    url = "data:image/png;base64," + "iVBORw0K" * (20 * MEGABYTE // 8)
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with live.serving(database=live_database, log=tmp_path / "gateway.log", **settings) as roomy:
        caller = make_caller(at=roomy)
        assert caller.chat(GPT, max_tokens=5).status_code == 200
        (worker,) = workers(roomy)
        before = _memory(worker, "VmRSS", forget_peak=True)
        messages = [{"role": "user", "content": content}]
        answer = caller.http.post(
            "/chat/completions", json={"model": GPT, "messages": messages, "max_tokens": 5, "stream": streamed}
        )
        assert answer.status_code == 200
        needed = _memory(worker, "VmHWM") - before
    assert fake_openai.requests[-1].json["messages"] == messages
    assert needed < 3.4 * 20 * MEGABYTE  # the server keeps a part of a body on its way to us


def _memory(process: int, field: str, *, forget_peak: bool = False) -> int:
    if forget_peak:
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def test_a_caller_who_leaves_before_the_body_is_sent_costs_nothing(gateway: live.Gateway, caller: Caller) -> None:
    host, port = urlsplit(caller.base_url).netloc.split(":")
    head = f"{POST}\r\nhost: {host}\r\nauthorization: Bearer {caller.secret}\r\n{JSON}\r\ncontent-length: 99\r\n\r\n{{"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
    assert caller.chat().status_code == 200
    assert caller.row().status == 200


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [("wrong", "/chat/completions", 401), ("right", "/nowhere", 404), ("right", "/models", 405)],
)
def test_a_refusal_reaches_a_client_that_is_still_sending(caller: Caller, key: str, path: str, status: int) -> None:
    """And the connection serves the next request, because nothing of the body is left on it."""
    headers = {"authorization": f"Bearer {keys.generate()}"} if key == "wrong" else {}
    for _ in range(5):
        refused = caller.http.post(path, content=b"x" * (3 * MEGABYTE), headers=headers)
        assert refused.status_code == status
        assert caller.http.get("/models").status_code == 200
