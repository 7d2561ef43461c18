"""Server-sent events come out the same however their bytes were cut."""

from __future__ import annotations

import random

import pytest

from gateway import sse
from gateway.errors import ApiError
from gateway.sse import MAX_EVENT, MAX_LINE, Event, Parser


def parse(*pieces: bytes) -> list[Event]:
    parser = Parser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.end()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: one\n\n", [Event("", b"one")]),
        (b"data:one\n\n", [Event("", b"one")]),
        (b"data:  one\n\n", [Event("", b" one")]),  # only one space belongs to the format
        (b"data: a\ndata: b\n\n", [Event("", b"a\nb")]),
        (b"event: ping\ndata: {}\n\n", [Event("ping", b"{}")]),
        (b"data: 1\n\nevent: x\n\ndata: 2\n\n", [Event("", b"1"), Event("", b"2")]),  # a name without data is no event
        (b": a comment\n\ndata: 1\n\n", [Event("", b"1")]),
        (b"id: 7\nretry: 10\ndata: 1\n\n", [Event("", b"1")]),
        (b"data\n\n", [Event("", b"")]),
        (b"data: a: b\n\n", [Event("", b"a: b")]),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [Event("", b"1"), Event("", b"2")]),
        (b"data: 1\r\rdata: 2\r\r", [Event("", b"1"), Event("", b"2")]),
        (b"\n\n\ndata: 1\n\n\n\n", [Event("", b"1")]),
        (b"data: cut off", [Event("", b"cut off")]),
        (b"data: 1\n", [Event("", b"1")]),
        (b"data: [DONE]\n\n", [Event("", b"[DONE]")]),
        ("data: grüße 👋\n\n".encode(), [Event("", "grüße 👋".encode())]),
        (b"", []),
    ],
)
def test_a_stream_is_read_by_the_rules_of_the_standard(stream: bytes, expected: list[Event]) -> None:
    assert parse(stream) == expected


STREAM = (
    b': hello\r\nevent: message_start\r\ndata: {"a":\r\ndata: 1}\r\n\r\n'
    + "data: grüße 👋\n\n".encode()
    + b"event: x\ndata:\n\ndata: two\r\rdata: [DONE]\n\n"
)


def test_every_place_to_cut_gives_the_same_events() -> None:
    whole = parse(STREAM)
    assert len(whole) == 5
    for cut in range(len(STREAM) + 1):
        assert parse(STREAM[:cut], STREAM[cut:]) == whole, cut


def test_byte_by_byte_gives_the_same_events() -> None:
    assert parse(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == parse(STREAM)


def test_any_pieces_give_the_same_events() -> None:
    dice = random.Random(2389)  # noqa: S311 - the same cuts every time
    whole = parse(STREAM)
    for _ in range(300):
        cuts = sorted(dice.choices(range(len(STREAM)), k=dice.randrange(1, 12)))
        pieces = [STREAM[start:end] for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert parse(*pieces) == whole, cuts


def test_events_come_as_soon_as_they_are_complete() -> None:
    parser = Parser()
    assert parser.feed(b"data: 1\n") == []
    assert parser.feed(b"\ndata: 2") == [Event("", b"1")]
    assert parser.feed(b"\n\n") == [Event("", b"2")]
    assert parser.end() == []


def test_the_name_of_one_event_does_not_stick_to_the_next() -> None:
    assert parse(b"event: a\ndata: 1\n\ndata: 2\n\n") == [Event("a", b"1"), Event("", b"2")]


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(ApiError) as caught:
        parse(*[b"x" * 65536] * (MAX_LINE // 65536 + 2))
    assert caught.value.status == 502


def test_a_large_line_that_keeps_to_the_limit_is_read() -> None:
    assert parse(b"data: " + b"x" * (MAX_LINE - 6), b"\n\n") == [Event("", b"x" * (MAX_LINE - 6))]


def test_an_event_of_endless_lines_is_refused() -> None:
    line = b"data: " + b"x" * (MAX_LINE // 2) + b"\n"
    with pytest.raises(ApiError) as caught:
        parse(*[line] * (2 * MAX_EVENT // MAX_LINE + 2))
    assert caught.value.status == 502


def test_an_event_of_endless_empty_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 1000)
    with pytest.raises(ApiError) as caught:
        parse(b"data:\n" * 1001)
    assert caught.value.status == 502
