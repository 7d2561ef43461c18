"""The function calls of one candidate as tool calls, also where their arguments come in pieces.

Some of Google's servers stream arguments: first the name, then pieces of values with the path each belongs to, last
an empty call. They are put together here, since pieces of values are no pieces of JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gateway import errors
from gateway.translation.gemini_reading import Reading, objects

MAX_STEPS = 64

_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,6})\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]")


@dataclass(slots=True)
class _Open:
    """A call whose arguments are still to come."""

    part: Mapping[str, Any]
    arguments: dict[str, Any]
    unfinished: set[str] = field(default_factory=set)  # paths of strings that go on


class Calls:
    """Takes a candidate's parts one by one, in one answer or over many, and numbers the calls in them."""

    def __init__(self, reading: Reading, choice: int) -> None:
        self.count = 0
        self._reading = reading
        self._choice = choice
        self._open: _Open | None = None

    def take(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The tool calls that are whole now, each with all its arguments. Raises `ApiError` (502) for pieces that fit
        nowhere."""
        given = part.get("functionCall")
        if not isinstance(given, dict):
            return []
        named, goes_on = bool(given.get("name")), given.get("willContinue") is True
        pieces = objects(given.get("partialArgs"))
        if named and not goes_on and not pieces:
            return [*self.close(), *self._made(part)]
        done = self.close() if named else []
        if named:
            begun = given.get("args")
            self._open = _Open(part, dict(begun) if isinstance(begun, dict) else {})
        if self._open is None:
            return done
        for piece in pieces:
            _put(self._open, piece)
        return done if goes_on else [*done, *self.close()]

    def close(self) -> list[dict[str, Any]]:
        """The call that was never closed, when the answer ends or the next one begins."""
        if self._open is None:
            return []
        part, arguments, self._open = self._open.part, self._open.arguments, None
        return self._made({**part, "functionCall": {**part["functionCall"], "args": arguments}})

    def _made(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        made = self._reading.call(part, choice=self._choice, position=self.count)
        if made is None:
            return []
        self.count += 1
        return [made]


def _put(call: _Open, piece: Mapping[str, Any]) -> None:
    """Write a value where its path says, or add to the string that stands there unfinished."""
    path = str(piece.get("jsonPath") or "")
    steps = _steps(path)
    at: Any = call.arguments
    for step, following in pairwise(steps):
        at = _within(at, step, [] if isinstance(following, int) else {})
    last = steps[-1]
    value = _value(piece)
    if isinstance(value, str) and path in call.unfinished:
        value = str(_within(at, last, "")) + value
    _within(at, last, None)
    at[last] = value
    if piece.get("willContinue") is True:
        call.unfinished.add(path)
    else:
        call.unfinished.discard(path)


def _within(at: Any, step: str | int, otherwise: Any) -> Any:
    """What stands at a step, made if it is missing. Lists grow at their end only."""
    if isinstance(at, dict) and isinstance(step, str):
        return at.setdefault(step, otherwise)
    if isinstance(at, list) and isinstance(step, int) and step <= len(at):
        if step == len(at):
            at.append(otherwise)
        return at[step]
    raise errors.upstream_unavailable("Gemini sent a piece of an argument that fits nowhere")


def _steps(path: str) -> list[str | int]:
    """`$.a[0]['b']` as a, 0, b."""
    found: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or len(found) == MAX_STEPS:
            break
        found.append(int(step["index"]) if step["index"] else step["name"] or step["key"] or "")
        at = step.end()
    if not path.startswith("$") or at < len(path) or not found:
        raise errors.upstream_unavailable("Gemini sent a piece of an argument whose path cannot be read")
    return found


def _value(piece: Mapping[str, Any]) -> Any:
    number = piece.get("numberValue")
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return int(number)  # it knows doubles only, and whoever declared an integer wants one
    for name in ("stringValue", "numberValue", "boolValue"):
        if piece.get(name) is not None:
            return piece[name]
    return None if "nullValue" in piece else ""
