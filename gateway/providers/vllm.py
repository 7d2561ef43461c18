"""vLLM. Which roles there are is up to the model's chat template, and most know no `developer`."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible


class VLLM(OpenAICompatible):
    kind: ClassVar[str] = "vllm"
    label: ClassVar[str] = "vLLM"
    default_base_url: ClassVar[str] = "http://127.0.0.1:8000/v1"
