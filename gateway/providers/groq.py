"""Groq, which refuses a message that has a key it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from gateway.providers.openai_compatible import COMPATIBLE, OpenAICompatible
from gateway.translation.openai_errors import Told
from gateway.translation.openai_request import Refusals


class Groq(OpenAICompatible):
    kind: ClassVar[str] = "groq"
    label: ClassVar[str] = "Groq"
    default_base_url: ClassVar[str] = "https://api.groq.com/openai/v1"
    completes: ClassVar[bool] = False
    refuses: ClassVar[Refusals] = replace(
        COMPATIBLE,
        drop_from_messages=("name", "reasoning_content", "reasoning_details", "refusal", "annotations", "audio"),
    )

    def meaning(self, status: int, said: Told) -> int:
        """A request larger than the account may send in a minute is refused as too large: another route may take it."""
        return 429 if status == 413 and said.code == "rate_limit_exceeded" else super().meaning(status, said)
