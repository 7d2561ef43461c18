"""Function names in Gemini's alphabet, and back. Made anew for each request, from the request alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.translation.chat_request import function_names

MAX_NAME = 64

_LEGAL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.:-]")


class FunctionNames:
    """A two-way map. Names that are legal already stay as they are."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(names))
        self._back = {name: name for name in wanted if _LEGAL.fullmatch(name)}
        for name in wanted:
            if not _LEGAL.fullmatch(name):
                self._back[self._unlike_any(name)] = name
        self._out = {name: wire for wire, name in self._back.items()}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> FunctionNames:
        return cls(function_names(body))

    def out(self, name: str) -> str:
        return self._out[name]

    def back(self, wire: str) -> str:
        return self._back.get(wire, wire)

    def _unlike_any(self, name: str) -> str:
        base = _ILLEGAL.sub("_", name)[:MAX_NAME]
        if not _LEGAL.fullmatch(base):
            base = f"_{base}"[:MAX_NAME]  # it began with a digit or a sign
        wire, number = base, 1
        while wire in self._back:
            number += 1
            suffix = f"_{number}"
            wire = base[: MAX_NAME - len(suffix)] + suffix
        return wire
