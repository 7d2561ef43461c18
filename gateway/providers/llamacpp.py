"""llama.cpp's server."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible


class LlamaCpp(OpenAICompatible):
    kind: ClassVar[str] = "llamacpp"
    label: ClassVar[str] = "llama.cpp"
    default_base_url: ClassVar[str] = "http://127.0.0.1:8080/v1"
