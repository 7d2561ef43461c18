"""`./dev up --once` believes an answer only when it is whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from config.stack import once
from config.stack.state import StackError

USAGE = {"prompt_tokens": 9, "completion_tokens": 2}
PLAIN = {"choices": [{"message": {"content": "Paris."}}], "usage": USAGE}
CHUNKS: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "Par"}}]},
    {"choices": [{"delta": {"content": "is."}}]},
    {"choices": [], "usage": USAGE},
]


def sse(chunks: list[dict[str, Any]], end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + end).encode()


@contextmanager
def gateway(*, stream: bytes, plain: dict[str, Any], status: int = 200) -> Iterator[str]:
    """Answers like a gateway that has only these two answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
            self.end_headers()
            self.wfile.write(stream if body.get("stream") else json.dumps(plain).encode())

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()


def test_whole_answers_are_shown_with_their_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    with gateway(stream=sse(CHUNKS), plain=PLAIN) as url:
        once.ask(url, "sk-test", "local/model")
    said = capsys.readouterr().out
    assert "local/model is asked: What is the capital of France?" in said
    assert said.count("Paris.   [9 tokens in, 2 out]") == 2


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (sse(CHUNKS, end=""), r"did not end with \[DONE\]"),
        (sse([]), "answered with nothing"),
        (sse([CHUNKS[0], CHUNKS[3]]), "answered with nothing"),
        (sse(CHUNKS[:3]), "without its token counts"),
        (sse([CHUNKS[1], {"error": {"message": "upstream broke"}}]), "upstream broke"),
        (b"", r"did not end with \[DONE\]"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(stream: bytes, reason: str) -> None:
    with gateway(stream=stream, plain=PLAIN) as url, pytest.raises(StackError, match=reason):
        once.ask(url, "sk-test", "local/model")


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ({**PLAIN, "choices": [{"message": {"content": None}}]}, "answered with nothing"),
        ({**PLAIN, "usage": {"prompt_tokens": 9, "completion_tokens": 0}}, "without its token counts"),
    ],
)
def test_a_plain_answer_that_is_not_whole_is_refused(plain: dict[str, Any], reason: str) -> None:
    with gateway(stream=sse(CHUNKS), plain=plain) as url, pytest.raises(StackError, match=reason):
        once.ask(url, "sk-test", "local/model")


def test_what_the_gateway_refuses_is_shown() -> None:
    with gateway(stream=b'{"error": "no"}', plain={}, status=503) as url, pytest.raises(StackError, match=r"503.*no"):
        once.ask(url, "sk-test", "local/model")
