"""An error that comes as bare JSON inside a stream of events, made an event of its own.

A reader of server-sent events passes over lines that are no fields, and Google writes the error of a stream that
fails half way as such lines. No field name begins with a brace or a bracket, so such a line is where it begins.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from gateway import errors
from gateway.providers.base import Answer

MAX_BARE = 1024 * 1024

_BARE = re.compile(rb"[\r\n][ \t]*[\[{]")
_BREAKS = bytes.maketrans(b"\r\n", b"  ")  # between the words of JSON a line break is a space; inside there is none


class EventsOnly:
    """An answer whose bare JSON, from where it begins to the end of the body, is one last event."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    async def read(self) -> bytes:
        return await self._answer.read()

    async def aclose(self) -> None:
        await self._answer.aclose()

    async def chunks(self) -> AsyncGenerator[bytes]:
        bare = bytearray()
        before = b"\n"  # the break before a line that is blank so far: JSON may begin in the next chunk
        async with aclosing(self._answer.chunks()) as chunks:
            async for chunk in chunks:
                if bare:
                    bare += chunk
                    if len(bare) > MAX_BARE:
                        raise errors.upstream_unavailable(f"Gemini sent more than {MAX_BARE} bytes outside its events")
                    continue
                start = _BARE.search(before + chunk)
                if start is None:
                    before = _blank_end(before + chunk)
                    yield chunk
                    continue
                cut = max(start.end() - 1 - len(before), 0)
                bare += chunk[cut:]
                if cut:
                    yield chunk[:cut]
        if bare:
            yield b"\n\ndata: " + bytes(bare).translate(_BREAKS) + b"\n\n"


def _blank_end(read: bytes) -> bytes:
    """The break before the last line, when nothing but blanks stand in that so far."""
    line = read[max(read.rfind(b"\n"), read.rfind(b"\r"), 0) :]
    return line[:1] if line[:1] in (b"\r", b"\n") and not line[1:].strip(b" \t") else b""
