"""Tool names in Anthropic's alphabet, and back. Made anew for each request, from the request alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.providers.base import ChatCall
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.chat_request import function_names

MAX_NAME = 128
ANSWER_TOOL = "json_answer"

_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


def legalised(text: str, *, taken: Iterable[str], length: int = MAX_NAME) -> str:
    """`text` with foreign characters replaced, made unlike everything in `taken` by a number at its end."""
    base = _ILLEGAL.sub("_", text)[:length] or "_"
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"_{number}"
        name = base[: length - len(suffix)] + suffix
    return name


class ToolNames:
    """A two-way map. Names that are legal already stay as they are."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = dict.fromkeys(names)
        self._out = {name: name for name in wanted if _LEGAL.fullmatch(name)}
        self._back = dict(self._out)
        for name in wanted:
            if name not in self._out:
                wire = legalised(name, taken=self._back)
                self._out[name], self._back[wire] = wire, name

    def out(self, name: str) -> str:
        return self._out[name]

    def back(self, wire: str) -> str:
        return self._back.get(wire, wire)

    def fresh(self, name: str) -> str:
        """A wire name that no tool of the caller has."""
        return legalised(name, taken=self._back)


@dataclass(frozen=True, slots=True)
class Reading:
    """What must be known of a request to read its answer."""

    names: ToolNames
    answer_tool: str | None  # the tool whose input is the answer, for models without structured output
    legacy: bool  # the caller speaks `functions` and `function_call`

    @classmethod
    def of(cls, call: ChatCall, takes: Capabilities) -> Reading:
        names = ToolNames(function_names(call.body))
        wanted = call.body.get("response_format")
        schema = isinstance(wanted, dict) and wanted.get("type") == "json_schema"
        answer_tool = names.fresh(ANSWER_TOOL) if schema and not takes.json_schema else None
        return cls(names, answer_tool, call.legacy_functions)
