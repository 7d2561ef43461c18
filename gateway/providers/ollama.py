"""Ollama's OpenAI endpoint. It passes over `max_completion_tokens`, so that an answer would have no limit."""

from __future__ import annotations

from typing import ClassVar

from gateway.providers.openai_compatible import OpenAICompatible


class Ollama(OpenAICompatible):
    kind: ClassVar[str] = "ollama"
    label: ClassVar[str] = "Ollama"
    default_base_url: ClassVar[str] = "http://127.0.0.1:11434/v1"
