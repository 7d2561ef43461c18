"""The ways in which a provider's answer goes wrong, and the moments at which it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.fakes.answers import GARBAGE, HTML, NO_ANSWER, Answer, Ending
from tests.gateway.transcripts import Case, fixtures

STREAM = {"content-type": "text/event-stream"}
KILOBYTES = b"x" * 65536
PAGE = b"<html>\n<body><h1>Please sign in</h1></body>\n</html>\n"

# How many events of the written answer with text and two calls have come at each moment.
MOMENTS: Mapping[str, Mapping[str, int]] = {
    "openai-chat": {
        "before the first event": 0,
        "in the text": 2,
        "in a call": 5,
        "after the finish": 9,
        "after the usage": 10,
        "after the end": 11,
    },
    "openai-compatible": {
        "before the first event": 0,
        "in the text": 1,
        "in a call": 4,
        "after the finish": 7,
        "after the usage": 8,
        "after the end": 9,
    },
    "anthropic": {
        "before the first event": 0,
        "before the text": 1,
        "in the text": 3,
        "in a call": 8,
        "after the usage": 14,
        "after the end": 15,
    },
    "gemini": {"before the first event": 0, "in the text": 1, "after a call": 3, "after the finish": 5},
}
SAID_NOTHING = {"before the first event", "before the text"}
COULD_BE_WHOLE = {"after the finish", "after the usage"}  # all was said: that the body ends there is no failure
NEEDS_ITS_END = {"anthropic"}  # whose last event is a part of the answer
QUIET = {"it ends", "it turns into a page", "it turns to bytes"}  # no event follows, and no connection breaks

ERRORS: Mapping[str, bytes] = {
    "openai-chat": b'data: {"error": {"message": "It failed.", "type": "server_error", "param": null}}\n\n',
    "openai-compatible": b'data: {"error": "It failed."}\n\n',
    "anthropic": b'event: error\ndata: {"type": "error", "error": {"type": "api_error", "message": "It failed."}}\n\n',
    "gemini": b'data: {"error": {"code": 500, "message": "It failed.", "status": "INTERNAL"}}\r\n\r\n',
}


@dataclass(frozen=True)
class Trouble:
    """One way to fail, at one moment of one answer."""

    dialect: str
    moment: str
    fault: str
    answer: Answer

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the answer is missing, though it did not end as usual."""
        if self.moment == "after the end":
            return True
        return self.fault in QUIET and self.moment in COULD_BE_WHOLE and self.dialect not in NEEDS_ITS_END

    def __str__(self) -> str:
        return f"{self.dialect}: {self.fault} {self.moment}"


Fault = Callable[[bytes, bytes], Answer]  # what came before, and what would have come


def _then(junk: bytes, *, rest: bool = True) -> Fault:
    return lambda before, after: Answer(body=before + junk + (after if rest else b""), headers=STREAM)


def _ends(ending: Ending) -> Fault:
    return lambda before, after: Answer(body=before, headers=STREAM, ending=ending)


def _endless(piece: bytes, *, begins: bytes = b"") -> Fault:
    return lambda before, after: Answer(body=before + begins, headers=STREAM, endlessly=piece)


FAULTS: Mapping[str, Fault] = {
    "it ends": _ends(Ending.WHOLE),
    "it ends within an event": _then(b'data: {"id": "x', rest=False),
    "it is closed": _ends(Ending.CLOSE),
    "it is reset": _ends(Ending.RESET),
    "it falls silent": _ends(Ending.SILENCE),
    "it is no JSON": _then(b"data: {not json}\n\n"),
    "it is a list": _then(b"data: [1, 2]\n\n"),
    "it is a number": _then(b"data: 7\n\n"),
    "it is no UTF-8": _then(b'data: {"id": "\xff\xfe"}\n\n'),
    "it turns into a page": _then(PAGE, rest=False),
    "it turns to bytes": _then(bytes(range(256)), rest=False),
    "a line does not end": _endless(KILOBYTES, begins=b"data: "),
    "an event does not end": _endless(b"data: " + KILOBYTES + b"\n"),
}

BEFORE_THE_HEADERS: Mapping[str, Answer] = {
    "it is closed": Answer(raw=b""),
    "it is not HTTP": GARBAGE,
    "it is silent": NO_ANSWER,
    "it is a page with an error": HTML,
    "it is a page": Answer(body=PAGE, headers={"content-type": "text/html"}),
    "it leads elsewhere": Answer(status=302, body=b"", headers={"location": "http://127.0.0.1:9/"}),
    "it is compressed": Answer(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    "it is empty": Answer(body=b""),
}


def tools_of(dialect: str) -> Case:
    """The written answer with a text and two calls."""
    (case,) = (case for case in fixtures(dialect) if case.name.endswith("/tools"))
    return case


def events_of(body: bytes) -> list[bytes]:
    """The events of a stream, each with the empty line that ends it."""
    return re.findall(rb".+?\n\r?\n", body, flags=re.DOTALL)


def streams(dialect: str) -> Iterator[Trouble]:
    """Everything that happens to a stream which had begun, at every moment."""
    events = events_of(tools_of(dialect).body)
    faults = {**FAULTS, "it is an error": _then(ERRORS[dialect], rest=False)}
    for moment, count in MOMENTS[dialect].items():
        before, after = b"".join(events[:count]), b"".join(events[count:])
        for fault, made in faults.items():
            yield Trouble(dialect, moment, fault, made(before, after))
    half = len(events[0]) // 2
    yield Trouble(dialect, "before the first event", "it ends half way", Answer(body=events[0][:half], headers=STREAM))


def headers(dialect: str) -> Iterator[Trouble]:
    for fault, answer in BEFORE_THE_HEADERS.items():
        yield Trouble(dialect, "before the headers", fault, answer)


def answers(dialect: str, whole: bytes) -> Iterator[Trouble]:
    """What happens to an answer that is not streamed."""
    half = len(whole) // 2
    bodies = {
        "it is cut": whole[:half],
        "it is no JSON": b"{not json}",
        "it is a list": b"[]",
        "it is a number": b"7",
        "it is null": b"null",
        "it is an empty object": b"{}",
        "it is no UTF-8": whole.replace(b"Let me", b"\xff\xfe"),
        "it has odd choices": b'{"choices": [7], "content": 7, "candidates": 7}',
        "it is an error": ERRORS[dialect].partition(b"data: ")[2],
        "it is a page": PAGE,
    }
    for fault, body in bodies.items():
        yield Trouble(dialect, "in the body", fault, Answer(body=body))
    for ending in (Ending.CLOSE, Ending.RESET, Ending.SILENCE):
        yield Trouble(dialect, "in the body", ending.value, Answer(body=whole, keep=half, ending=ending))
    yield Trouble(dialect, "in the body", "it does not end", Answer(body=b"", endlessly=b" " * 1024 * 1024))
