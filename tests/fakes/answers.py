"""What a fake does with one request: the vendor's ordinary answer, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from tests.gateway.transcripts import Case


class Ending(StrEnum):
    """How the body ends, after `keep` bytes or after all of them."""

    WHOLE = "whole"  # as HTTP ends a body
    CLOSE = "close"  # the connection is closed, the body is not complete
    RESET = "reset"  # the connection is broken
    SILENCE = "silence"  # nothing more comes, and the connection stays


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Without `body` it is what the vendor would have said, with `text` as the model's words."""

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = "Hello from the other side."
    delay: float = 0.0  # seconds before anything is sent
    pause: float = 0.0  # seconds between two pieces of the body
    piece: int | None = None  # bytes in a piece; an event at a time when it is not said
    keep: int | None = None  # bytes of the body that are sent
    ending: Ending = Ending.WHOLE
    endlessly: bytes = b""  # sent after the body, over and over, until the caller has had enough
    fails_after: int | None = None  # events of a stream before the vendor's error event
    raw: bytes | None = None  # bytes on the socket where HTTP was expected

    @classmethod
    def recorded(cls, case: Case, *, piece: int | None = None) -> Self:
        """What the vendor really sent, once, in pieces of so many bytes."""
        kind = "text/event-stream; charset=utf-8" if case.stream else "application/json"
        return cls(status=case.status, body=case.body, headers={"content-type": kind, **case.headers}, piece=piece)


NO_ANSWER = Answer(delay=3600)
HTML = Answer(
    status=502,
    body=b"<html><body><h1>502 Bad Gateway</h1>internal-host-17</body></html>",
    headers={"content-type": "text/html"},
)
GARBAGE = Answer(raw=b"\x00\xffnot http at all\r\n\r\n")
