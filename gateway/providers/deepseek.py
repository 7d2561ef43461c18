"""DeepSeek. What it thought comes as `reasoning_content`, and goes back to it in the history as it came."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible
from gateway.translation.openai_repairs import Endings


class DeepSeek(OpenAICompatible):
    kind: ClassVar[str] = "deepseek"
    label: ClassVar[str] = "DeepSeek"
    default_base_url: ClassVar[str] = "https://api.deepseek.com/v1"
    completes: ClassVar[bool] = False
    endings: ClassVar[Endings] = Endings(failures=frozenset({"error", "insufficient_system_resource"}))
