"""xAI. It counts reasoning beside the completion, and refuses a wrong key with 400: both are read as what they are."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible


class XAI(OpenAICompatible):
    kind: ClassVar[str] = "xai"
    label: ClassVar[str] = "xAI"
    default_base_url: ClassVar[str] = "https://api.x.ai/v1"
    completes: ClassVar[bool] = False
