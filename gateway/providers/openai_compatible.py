"""Servers that speak OpenAI's format, more or less: any that has no module of its own here, by its `base_url`.

What they are known to get wrong is mended, so that a caller's library never meets it. A vendor that is known better is
a file beside this one: a subclass that says what it takes otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from billing.usage import Usage
from gateway.providers.base import ChatCall, Dialect
from gateway.providers.openai import OpenAI, OpenAIStream
from gateway.translation.openai_errors import Told
from gateway.translation.openai_repairs import Endings, StreamRepairs, mend_answer, mend_usage
from gateway.translation.openai_request import NEWER_LIMIT, OLDER_LIMIT, Refusals

# What nearly all of them know, whichever newer words they know besides.
COMPATIBLE = Refusals(
    limit=OLDER_LIMIT, rename={NEWER_LIMIT: OLDER_LIMIT}, roles={"developer": "system"}, functions=False
)
STATUSES = {498: 503, 522: 504, 524: 504}  # of Groq and of Cloudflare, before a server
_BAD_KEY = re.compile(r"(?:incorrect|invalid) api key", re.IGNORECASE)


class CompatibleStream(OpenAIStream):
    def __init__(self, call: ChatCall, provider: OpenAICompatible) -> None:
        super().__init__(call, provider)
        self._repairs = StreamRepairs(call, provider.endings)

    def take_usage(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        """Groq says it in a field of its own too, where it would be seen by those who did not ask."""
        usage, own = super().take_usage(chunk), chunk.get("x_groq")
        told = own.pop("usage", None) if isinstance(own, dict) else None
        return usage or (told if isinstance(told, dict) else None)

    def repair(self, chunk: dict[str, Any]) -> None:
        self._repairs.mend(chunk)

    def unfinished(self) -> list[bytes]:
        """A server that says it is done, and of its last chunk that it finishes without a reason, was not cut."""
        if not self.done:
            return []
        closing = []
        for index, reason in self._repairs.unsaid().items():
            if self._finished.get(index):
                continue
            choice: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": reason}
            if self._as_function and reason == "tool_calls":
                choice["finish_reason"] = "function_call"
            self.note(choice)
            closing.append(self._dumps(self._repairs.chunk([choice])))
        return closing


class OpenAICompatible(OpenAI):
    kind: ClassVar[str] = "openai_compatible"
    label: ClassVar[str] = "OpenAI-compatible server"
    default_base_url: ClassVar[str] = ""
    needs_base_url: ClassVar[bool] = True
    refuses: ClassVar[Refusals] = COMPATIBLE
    completes: ClassVar[bool] = True  # whether all its models go on with a text too, as open models do
    endings: ClassVar[Endings] = Endings()

    def stream(self, call: ChatCall) -> CompatibleStream:
        return CompatibleStream(call, self)

    def other_dialects(self) -> Mapping[str, Dialect[Any]]:
        from gateway.providers.openai_prompts import CompatibleCompletions

        others = super().other_dialects()
        return {**others, "completions": CompatibleCompletions(self)} if self.completes else others

    def usage(self, usage: Mapping[str, Any]) -> Usage:
        return super().usage(self.repair_usage(dict(usage)))

    def meaning(self, status: int, said: Told) -> int:
        if status == 400 and _BAD_KEY.search(said.message):  # xAI's way to refuse a credential, which is ours
            return 401
        return STATUSES.get(status) or super().meaning(status, said)

    def mend_answer(self, payload: dict[str, Any], call: ChatCall) -> None:
        mend_answer(payload, call, self.endings)

    def repair_usage(self, usage: dict[str, Any]) -> dict[str, Any]:
        return mend_usage(usage)
