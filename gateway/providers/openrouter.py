"""OpenRouter. What the provider behind it said is read from its error; comment lines and its own fields pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from gateway.errors import ApiError
from gateway.providers.base import Call
from gateway.providers.openai_compatible import COMPATIBLE, OpenAICompatible
from gateway.translation import openai_errors
from gateway.translation.openai_request import Refusals

_FLAGGED = {"reasons", "flagged_input"}


class OpenRouter(OpenAICompatible):
    kind: ClassVar[str] = "openrouter"
    label: ClassVar[str] = "OpenRouter"
    default_base_url: ClassVar[str] = "https://openrouter.ai/api/v1"
    refuses: ClassVar[Refusals] = replace(COMPATIBLE, rename={}, roles={})

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        said = openai_errors.read(body)
        if status == 403 and _FLAGGED & set(said.more.get("metadata") or ()):  # the caller's words, not our account
            hint = f"{call.target.provider} flagged what it was sent"
            return openai_errors.to_caller(replace(said, code="content_filter"), 400, hint=hint)
        return super().error(call, status, headers, body)
