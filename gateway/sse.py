"""Server-sent events, read from bytes that may be cut anywhere, by the rules of the HTML standard."""

from __future__ import annotations

from typing import NamedTuple

from gateway import errors

MAX_LINE = 1024 * 1024
MAX_EVENT = 4 * 1024 * 1024
DONE = b"[DONE]"


class Event(NamedTuple):
    """One event: its name (empty when the stream gives none) and its `data` lines joined by newlines."""

    name: str
    data: bytes


class Parser:
    """Feed it bytes as they come; it gives back the events that are complete.

    Lines end with CR, LF or CRLF. Comments, `id` and `retry` are passed over, as is an event without data.
    Raises `ApiError` (502) when a line or an event is larger than the limits above.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of the line that is not complete: joined once, however many pieces it came in
        self._rest_size = 0
        self._after_cr = False
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        between = not (self._rest_size or self._after_cr or self._data or self._name)
        if between and len(chunk) <= MAX_LINE and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            return self._whole(chunk)
        return self._pieces(chunk)

    def _whole(self, chunk: bytes) -> list[Event]:
        """Events from beginning to end, as most packets have them: those of the usual form need no lines."""
        events: list[Event] = []
        for block in chunk[:-2].split(b"\n\n"):
            name, data = b"", block
            if block.startswith(b"event: "):
                name, _, data = block[7:].partition(b"\n")
            if data.startswith(b"data: ") and b"\n" not in data:
                events.append(Event(name.decode("utf-8", "replace"), data[6:]))
            else:
                events += self._pieces(block + b"\n\n")
        return events

    def _pieces(self, chunk: bytes) -> list[Event]:
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]  # the second half of a CRLF that was cut in two
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        first, *lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._hold(first)
        if not lines:
            return []
        lines.insert(0, b"".join(self._rest))
        self._rest, self._rest_size = [], 0
        self._hold(lines.pop())
        events = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(Event(self._name, b"\n".join(self._data)))
                self._reset()
            else:
                self._reset()
        return events

    def end(self) -> list[Event]:
        """What is left when the body ends. A last event without its empty line counts: some servers close early."""
        events = self.feed(b"\n\n") if self._rest_size or self._data else []
        self._reset()
        return events

    def _hold(self, piece: bytes) -> None:
        self._rest.append(piece)
        self._rest_size += len(piece)
        if self._rest_size > MAX_LINE:
            raise errors.upstream_unavailable(f"a line of the stream is longer than {MAX_LINE} bytes")

    def _reset(self) -> None:
        self._name, self._data, self._size = "", [], 0

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1  # an empty line too takes room, and there may be many
            if self._size > MAX_EVENT:
                raise errors.upstream_unavailable(f"an event of the stream is larger than {MAX_EVENT} bytes")
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
