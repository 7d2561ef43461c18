"""What is written down of a request and its answer: their JSON, without files, and no more of it than fits.

A stream is written as the answer that it adds up to. Pure, and for a thread: nobody waits for it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

MOST_BYTES = 256 * 1024  # of the request, and of the answer
LONG = 2000  # characters without a space: an image, a sound, a file
NUMBERS = 64  # in a row: a vector
DEPTH = 100
_DATA_URL = re.compile(r"data:[^,]{0,200},")
_BASE64 = re.compile(r"[A-Za-z0-9+/=_\-\r\n]+")


def written(path: str, body: Mapping[str, Any], answer: bytes, *, streamed: bool, whole: bool) -> dict[str, Any]:
    """As it is kept. `whole` is false when more came than was taken down."""
    return {
        "path": path,
        "request": _text(body),
        "answer": _text(assembled(answer) if streamed else _read(answer)),
        "streamed": streamed,
        "whole": whole,
    }


def assembled(stream: bytes) -> dict[str, Any]:
    """The answer that the events of a stream add up to, as it would have been without `stream`."""
    answer = _Answer()
    for payload in _payloads(stream):
        answer.add(payload)
    return answer.to_dict()


def lean(value: Any, depth: int = 0) -> Any:
    """Without what is a file and no text: each is named, with its length, and left out."""
    if depth > DEPTH:
        return "(too deep, not stored)"
    if isinstance(value, str):
        return _lean_text(value) if len(value) > LONG else value
    if isinstance(value, Mapping):
        return {str(name): lean(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        if len(value) > NUMBERS and all(isinstance(one, int | float) for one in value):
            return f"({len(value)} numbers, not stored)"
        return [lean(one, depth + 1) for one in value]
    return value


def _lean_text(text: str) -> str:
    kind = _DATA_URL.match(text)
    if kind:
        return f"{kind.group()} ({len(text) - kind.end():,} characters, not stored)"
    if _BASE64.fullmatch(text):
        return f"({len(text):,} characters of base64, not stored)"
    return text


def _text(value: Any) -> dict[str, Any]:
    """JSON, cut where it is too long; with its length before that."""
    leaner = lean(value)
    try:
        encoded = orjson.dumps(leaner)
    except TypeError:  # integers beyond 64 bits, halves of characters
        encoded = json.dumps(leaner, default=str).encode()
    cut = len(encoded) > MOST_BYTES
    return {"text": encoded[:MOST_BYTES].decode("utf-8", "ignore"), "bytes": len(encoded), "cut": cut}


def _read(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)
    except ValueError:
        return answer.decode("utf-8", "replace") or None


def _payloads(stream: bytes) -> Iterator[dict[str, Any]]:
    for line in stream.split(b"\n"):
        if line.startswith(b"data: {"):
            try:
                payload = orjson.loads(line.removeprefix(b"data: "))
            except ValueError:  # the last one, where taking down ended
                continue
            yield payload


@dataclass(slots=True)
class _Said:
    """Texts that come piece by piece, by name, and whatever else is said."""

    parts: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rest: dict[str, Any] = field(default_factory=dict)
    tools: dict[int, _Said] = field(default_factory=dict)

    def add(self, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls" and isinstance(value, list):
                self._add_tools(value)
            elif name == "function" and isinstance(value, Mapping):
                function = self.rest.setdefault(name, _Said())
                function.add(value)
            elif isinstance(value, str) and name not in {"role", "id", "type"}:
                self.parts[name].append(value)
            elif isinstance(value, list) and isinstance(self.rest.get(name), list):
                self.rest[name] += value
            elif value is not None and name != "index":
                self.rest[name] = value

    def _add_tools(self, calls: list[Any]) -> None:
        for call in calls:
            if isinstance(call, Mapping):
                self.tools.setdefault(call.get("index", 0), _Said()).add(call)

    def to_dict(self) -> dict[str, Any]:
        said = {name: one.to_dict() if isinstance(one, _Said) else one for name, one in self.rest.items()}
        said |= {name: "".join(parts) for name, parts in self.parts.items()}
        if self.tools:
            said["tool_calls"] = [self.tools[index].to_dict() for index in sorted(self.tools)]
        return said


class _Answer:
    """What the chunks of a stream add up to."""

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._messages: defaultdict[int, _Said] = defaultdict(_Said)
        self._texts: defaultdict[int, list[str]] = defaultdict(list)
        self._finish: dict[int, Any] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        for choice in chunk.get("choices") or []:
            self._add_choice(choice)
        for name in ("id", "model", "created", "system_fingerprint", "service_tier", "usage", "error"):
            if chunk.get(name) is not None:
                self._top[name] = chunk[name]

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index", 0)
        self._finish[index] = choice.get("finish_reason") or self._finish.get(index)
        if isinstance(choice.get("text"), str):
            self._texts[index].append(choice["text"])
        if isinstance(choice.get("delta"), Mapping):
            self._messages[index].add(choice["delta"])

    def to_dict(self) -> dict[str, Any]:
        choices = [
            {
                "index": index,
                **({"message": self._messages[index].to_dict()} if index in self._messages else {}),
                **({"text": "".join(self._texts[index])} if index in self._texts else {}),
                "finish_reason": self._finish[index],
            }
            for index in sorted(self._finish)
        ]
        return {**self._top, **({"choices": choices} if choices else {})}
