"""Tool names in Anthropic's alphabet, and back. Made anew for each request, from the request alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.providers.base import ChatCall
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.chat_request import custom_names, function_names

MAX_NAME = 128
ANSWER_TOOL = "json_answer"
WEB_SEARCH = "web_search"  # the provider's own tool has this name and no other

_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


class Distinct:
    """Hands out words in Anthropic's alphabet, no two alike. However many collide, each costs the same."""

    def __init__(self, taken: Iterable[str] = (), *, length: int) -> None:
        self._taken = set(taken)
        self._length = length
        self._last: dict[str, int] = {}  # the number that a word was last told apart by

    def take(self, text: str) -> str:
        """`text` with foreign characters replaced, and a number at its end where that is taken."""
        base = _ILLEGAL.sub("_", text[: self._length]) or "_"
        word, number = base, self._last.get(base, 1)
        while word in self._taken:
            number += 1
            suffix = f"_{number}"
            word = base[: self._length - len(suffix)] + suffix
        self._last[base] = number
        self._taken.add(word)
        return word


class ToolNames:
    """A two-way map. Names that are legal already stay as they are; those in `reserved` are nobody's."""

    def __init__(self, names: Iterable[str], *, reserved: Iterable[str] = ()) -> None:
        kept = frozenset(reserved)
        wanted = dict.fromkeys(names)
        self._out = {name: name for name in wanted if _LEGAL.fullmatch(name) and name not in kept}
        self._back = dict(self._out)
        self._distinct = Distinct({*self._out, *kept}, length=MAX_NAME)
        for name in wanted:
            if name not in self._out:
                wire = self._distinct.take(name)
                self._out[name], self._back[wire] = wire, name

    def out(self, name: str) -> str:
        return self._out[name]

    def back(self, wire: str) -> str:
        return self._back.get(wire, wire)

    def fresh(self, name: str) -> str:
        """A wire name that no tool of the caller has."""
        return self._distinct.take(name)


@dataclass(frozen=True, slots=True)
class Reading:
    """What must be known of a request to read its answer."""

    names: ToolNames
    answer_tool: str | None  # the tool whose input is the answer, for models without structured output
    legacy: bool  # the caller speaks `functions` and `function_call`
    custom: frozenset[str] = frozenset()  # wire names of the tools that take free text

    @classmethod
    def of(cls, call: ChatCall, takes: Capabilities) -> Reading:
        names = ToolNames(function_names(call.body), reserved=(WEB_SEARCH,) if searches(call) else ())
        wanted = call.body.get("response_format")
        schema = isinstance(wanted, dict) and wanted.get("type") == "json_schema"
        answer_tool = names.fresh(ANSWER_TOOL) if schema and not takes.json_schema else None
        custom = frozenset(names.out(name) for name in custom_names(call.body))
        return cls(names, answer_tool, call.legacy_functions, custom)


def searches(call: ChatCall) -> bool:
    """Whether the model may search the web in this call."""
    return bool(call.target.options.get("web_search")) and isinstance(call.body.get("web_search_options"), dict)
