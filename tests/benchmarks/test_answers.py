"""The generator reads answers right wherever the network cuts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.answers import BadAnswerError, Events, Reader

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
EVENTS = b'data: {"a": 1}\n\n: keep-alive\n\nevent: b\ndata: {"b": 2}\n\ndata: [DONE]\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = HEAD + b"%x\r\n%b\r\n" % (20, EVENTS[:20]) + b"%x\r\n%b\r\n" % (len(EVENTS) - 20, EVENTS[20:]) + b"0\r\n\r\n"


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize(("answer", "body"), [(PLAIN, b"hello"), (STREAM, EVENTS)])
def test_a_body_is_read_however_it_is_cut(answer: bytes, body: bytes, size: int) -> None:
    reader, got, done = Reader(), b"", []
    for piece in pieces(answer, size):
        got += reader.feed(piece)
        done.append(reader.done)
    assert (reader.status, got, done[-1]) == (200, body, True)
    assert not any(done[: -5 * max(1, 5 // size)])


@pytest.mark.parametrize("size", range(1, len(EVENTS) + 1))
def test_events_are_counted_and_comments_are_none(size: int) -> None:
    events = Events()
    for piece in pieces(EVENTS, size):
        events.feed(piece)
    assert events.count == 3
    assert events.complete


@pytest.mark.parametrize("cut", [EVENTS[:-2], EVENTS[: -len(b"data: [DONE]\n\n")], b""])
def test_a_stream_that_stops_early_is_not_complete(cut: bytes) -> None:
    events = Events()
    events.feed(cut)
    assert not events.complete


def test_the_next_answer_begins_anew() -> None:
    reader = Reader()
    reader.feed(STREAM)
    reader.begin()
    assert not reader.done
    assert reader.feed(PLAIN.replace(b"200 OK", b"429 No")) == b"hello"
    assert (reader.status, reader.done) == (429, True)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_has_no_status_or_no_end_is_refused(answer: bytes) -> None:
    with pytest.raises(BadAnswerError):
        Reader().feed(answer)
