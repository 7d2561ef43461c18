"""Gemini's token counts in buckets that never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.usage import Usage


def usage_of(metadata: Mapping[str, Any]) -> Usage:
    """Cached tokens are part of its prompt count. What tools that ran at Google read is not, and neither are the
    thoughts part of the candidates' count."""
    prompt = _count(metadata, "promptTokenCount") + _count(metadata, "toolUsePromptTokenCount")
    cached = min(_count(metadata, "cachedContentTokenCount"), prompt)
    return Usage(
        input=prompt - cached,
        cache_read=cached,
        output=_count(metadata, "candidatesTokenCount"),
        reasoning=_count(metadata, "thoughtsTokenCount"),
    )


def _count(metadata: Mapping[str, Any], name: str) -> int:
    value = metadata.get(name)
    return max(value, 0) if isinstance(value, int) else 0
