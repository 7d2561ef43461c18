"""Reading answers off a connection: HTTP framing, and the events of a stream, with as little work as that takes."""

from __future__ import annotations

import re

HEADER_END = b"\r\n\r\n"
STAMP = re.compile(rb"@(\d{16})")
LAST = (b"data: [DONE]\n\n", b'"message_stop"}\n\n')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_ENDS = 32  # bytes that tell whether a stream came to its end


class BadAnswerError(Exception):
    """What came is not HTTP."""


class Reader:
    """The answer to one request after the other. `feed` gives the pieces of bodies; `done` says that one is whole."""

    __slots__ = ("_buffer", "_chunked", "_in_body", "_left", "done", "status")

    def __init__(self) -> None:
        self._buffer = b""
        self.begin()

    def begin(self) -> None:
        self.status = 0
        self.done = False
        self._in_body = self._chunked = False
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """The part of the body that `data` brings."""
        buffer = self._buffer + data if self._buffer else data
        if not self._in_body:
            end = buffer.find(HEADER_END)
            if end < 0:
                self._buffer = buffer
                return b""
            self._read_head(buffer[: end + 2])
            buffer = buffer[end + 4 :]
        self._buffer = b""
        return self._read_chunks(buffer) if self._chunked else self._read_length(buffer)

    def _read_head(self, head: bytes) -> None:
        try:
            self.status = int(head[9:12])
        except ValueError as error:
            raise BadAnswerError(head[:60].decode("latin-1").strip()) from error
        self._in_body = True
        length = _LENGTH.search(head)
        self._chunked = length is None and _CHUNKED.search(head) is not None
        if length is None and not self._chunked:
            raise BadAnswerError("an answer without a length")
        self._left = int(length[1]) if length else 0

    def _read_length(self, data: bytes) -> bytes:
        self._left -= len(data)
        self.done = self._left <= 0
        return data

    def _read_chunks(self, buffer: bytes) -> bytes:
        at = 0
        parts: list[bytes] = []
        while True:
            line = buffer.find(b"\r\n", at)
            if line < 0:
                break
            size = int(buffer[at:line].partition(b";")[0], 16)
            end = line + 2 + size
            if len(buffer) < end + 2:
                break
            if not size:
                self.done = True
                return b"".join(parts)
            parts.append(buffer[line + 2 : end])
            at = end + 2
        self._buffer = buffer[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Events:
    """Counts a stream's events, wherever the network cuts it. Comments are none."""

    __slots__ = ("_rest", "_tail", "count")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.count = 0
        self._rest = self._tail = b""

    def feed(self, piece: bytes) -> bytes:
        """The whole events that are there now, as they came."""
        text = self._rest + piece if self._rest else piece
        end = text.rfind(b"\n\n") + 2
        if end < 2:
            self._rest = text
            return b""
        self._rest, text = text[end:], text[:end]
        self.count += text.count(b"\ndata:") + text.startswith(b"data:")
        self._tail = text[-_ENDS:]
        return text

    @property
    def complete(self) -> bool:
        return self._tail.endswith(LAST)
