"""A provider that answers at once and says what it always says. It must never be what a measurement waits for.

    python -m benchmarks.provider PORT

It speaks just enough HTTP for keep-alive connections, straight on the sockets. Everything that it sends is made once
and kept. The path tells what to do: `/d50_e100/v1/messages` waits 50 ms and streams 100 deltas, see `Behaviour`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import cast

import orjson
import uvloop

from benchmarks.shapes import Behaviour

MODEL, ID, CREATED = "bench-1", "bench-0001", 1_790_000_000
STAMP = "@" + "0" * 16  # replaced by the microseconds of the monotonic clock, which every process here shares
WORDS = ("word", "once", "upon", "time", "that", "with", "from")
HEADER_END, CHUNKED_END = b"\r\n\r\n", b"0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
STREAM = re.compile(rb'"stream": *true')
KEPT = 4096  # bytes of either end of a request's body that are looked at
HIGH_WATER = 64 * 1024
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent for one path: the whole of a plain answer, and a stream's events, framed as chunks."""

    behaviour: Behaviour
    plain: bytes
    opening: bytes
    deltas: tuple[bytes, ...]  # in turn: gateways take a model that repeats itself for one that is stuck
    closing: bytes

    def delta_now(self, turn: int) -> bytes:
        delta = self.deltas[turn % len(self.deltas)]
        if not self.behaviour.times:
            return delta
        before, _, after = delta.partition(STAMP.encode())
        return b"%b@%016d%b" % (before, time.monotonic_ns() // 1000, after)

    def together(self, turn: int, number: int) -> bytes:
        """So many deltas in one piece."""
        if self.behaviour.times:
            return b"".join([self.delta_now(turn - place) for place in range(number)])
        return _together(self, turn % len(self.deltas), number)


@cache
def _together(script: Script, turn: int, number: int) -> bytes:
    return b"".join([script.delta_now(turn + place) for place in range(number)])


@cache
def script(path: str) -> Script:
    _, word, *rest = path.split("/")
    behaviour = Behaviour.read(word)
    return _anthropic(behaviour) if rest[-1:] == ["messages"] else _openai(behaviour)


def _openai(behaviour: Behaviour) -> Script:
    usage = {"prompt_tokens": 30, "completion_tokens": behaviour.events, "total_tokens": 30 + behaviour.events}
    head = {"id": f"chatcmpl-{ID}", "created": CREATED, "model": MODEL}

    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event({**head, "object": "chat.completion.chunk", "choices": [choice]})

    message = {"role": "assistant", "content": _words(behaviour.size), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    last = _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return Script(
        behaviour=behaviour,
        plain=_plain({**head, "object": "chat.completion", "choices": [choice], "usage": usage}),
        opening=_framed(chunk({"role": "assistant", "content": ""})),
        deltas=tuple(_framed(chunk({"content": text})) for text in _deltas(behaviour)),
        closing=_framed(chunk({}, "stop")) + _framed(last) + _framed(b"data: [DONE]\n\n") + CHUNKED_END,
    )


def _anthropic(behaviour: Behaviour) -> Script:
    usage = {"input_tokens": 30, "output_tokens": behaviour.events}
    head = {"id": f"msg_{ID}", "type": "message", "role": "assistant", "model": MODEL}

    def event(name: str, **fields: object) -> bytes:
        return b"event: %b\n%b" % (name.encode(), _event({"type": name, **fields}))

    begun: dict[str, object] = {
        **head,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    block = {"type": "text", "text": ""}
    texts = [{"type": "text_delta", "text": text} for text in _deltas(behaviour)]
    over = {"stop_reason": "end_turn", "stop_sequence": None}
    whole: dict[str, object] = {
        **head,
        "content": [{"type": "text", "text": _words(behaviour.size)}],
        **over,
        "usage": usage,
    }
    return Script(
        behaviour=behaviour,
        plain=_plain(whole),
        opening=_framed(event("message_start", message=begun))
        + _framed(event("content_block_start", index=0, content_block=block)),
        deltas=tuple(_framed(event("content_block_delta", index=0, delta=text)) for text in texts),
        closing=_framed(event("content_block_stop", index=0))
        + _framed(event("message_delta", delta=over, usage={"output_tokens": behaviour.events}))
        + _framed(event("message_stop"))
        + CHUNKED_END,
    )


def _words(size: int, word: str = "word") -> str:
    return (f"{word} " * (size // 5 + 1))[:size]


def _deltas(behaviour: Behaviour) -> list[str]:
    stamp = f" {STAMP} " if behaviour.times else ""
    return [stamp + _words(behaviour.size, word) for word in WORDS]


def _event(data: dict[str, object]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(data)


def _framed(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _plain(body: dict[str, object], status: str = "200 OK") -> bytes:
    content = orjson.dumps(body)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


class Counters:
    """What `/stats` tells."""

    def __init__(self) -> None:
        self.requests = self.aborted = self.open = self.most_open = 0

    def opened(self) -> None:
        self.requests += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)


class Connection(asyncio.Protocol):
    """One connection, with one request after the other."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.path = ""
        self.missing = 0  # bytes of the body that are still to come; -1 while its end is told by a chunk
        self.kept = b""
        self.answering = False
        self.writable = True
        self.timer: asyncio.Handle | None = None
        self.go_on: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.go_on = None
        if self.answering:
            self.counters.aborted += 1
            self.counters.open -= 1
            self.answering = False

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.go_on is not None:
            resumed, self.go_on = self.go_on, None
            resumed()

    def data_received(self, data: bytes) -> None:
        if self.path:
            self._body(data)
            return
        self.buffer = self.buffer + data if self.buffer else data
        end = self.buffer.find(HEADER_END)
        if end < 0:
            return
        head, rest = self.buffer[: end + 2], self.buffer[end + 4 :]
        self.buffer = b""
        self.path = head.split(b" ", 2)[1].partition(b"?")[0].decode()
        length = LENGTH.search(head)
        self.missing = int(length[1]) if length else -1 if CHUNKED.search(head) else 0
        self._body(rest)

    def _body(self, data: bytes) -> None:
        if len(self.kept) + len(data) <= 2 * KEPT:
            self.kept = self.kept + data if self.kept else data
        else:  # of a large body the middle is not looked at
            self.kept = (self.kept + data[:KEPT])[:KEPT] + (self.kept[KEPT:] + data[-KEPT:])[-KEPT:]
        if self.missing < 0:
            if not self.kept.endswith(CHUNKED_END):
                return
        else:
            self.missing -= len(data)
            if self.missing > 0:
                return
        path, kept, self.path, self.kept = self.path, self.kept, "", b""
        self._answer(path, kept)

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/stats":
            self.transport.write(_plain(dict(vars(self.counters))))
            return
        self.answering = True
        self.counters.opened()
        played = script(path)
        begin = partial(self._begin_stream if STREAM.search(body) else self._send_plain, played)
        if played.behaviour.delay:
            self.timer = self.loop.call_later(played.behaviour.delay / 1000, begin)
        else:
            begin()

    def _send_plain(self, played: Script) -> None:
        self.transport.write(played.plain)
        self._finished()

    def _begin_stream(self, played: Script) -> None:
        self.transport.write(STREAM_HEAD + played.opening)
        left, rate = played.behaviour.events, played.behaviour.rate
        if rate:
            began = time.monotonic()
            self.timer = self.loop.call_later(1 / rate, self._paced, played, left, began, count(2))
        else:
            self.timer = self.loop.call_soon(self._at_once, played, left)

    def _paced(self, played: Script, left: int, began: float, turns: count[int]) -> None:
        if not left:
            self._close_stream(played)
            return
        self.transport.write(played.delta_now(left))
        due = began + next(turns) / played.behaviour.rate
        self.timer = self.loop.call_later(due - time.monotonic(), self._paced, played, left - 1, began, turns)

    def _at_once(self, played: Script, left: int) -> None:
        """One packet a turn of the loop, because else they become one; never more than is taken."""
        if not self.writable:
            self.go_on = partial(self._at_once, played, left)
        elif left:
            together = min(left, played.behaviour.packet)
            self.transport.write(played.together(left, together))
            self.timer = self.loop.call_soon(self._at_once, played, left - together)
        else:
            self._close_stream(played)

    def _close_stream(self, played: Script) -> None:
        self.transport.write(played.closing)
        self._finished()

    def _finished(self) -> None:
        self.answering = False
        self.counters.open -= 1


async def serve(port: int) -> None:
    counters = Counters()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counters), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
