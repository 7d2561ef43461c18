"""Gemini's token counts in buckets that never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.usage import Usage


def usage_of(metadata: Mapping[str, Any]) -> Usage:
    """Cached tokens are part of its prompt count. What tools that ran at Google read is not, and neither are the
    thoughts part of the candidates' count. Details tell how much of each is audio or images."""
    prompt = _count(metadata, "promptTokenCount") + _count(metadata, "toolUsePromptTokenCount")
    cached = min(_count(metadata, "cachedContentTokenCount"), prompt)
    candidates = _count(metadata, "candidatesTokenCount")
    heard, seen = _media(metadata, "promptTokensDetails", within=prompt - cached, but="cacheTokensDetails")
    spoken, drawn = _media(metadata, "candidatesTokensDetails", within=candidates)
    return Usage(
        input=prompt - cached - heard - seen,
        cache_read=cached,
        audio_input=heard,
        image_input=seen,
        output=candidates - spoken - drawn,
        reasoning=_count(metadata, "thoughtsTokenCount"),
        audio_output=spoken,
        image_output=drawn,
    )


def _media(metadata: Mapping[str, Any], name: str, *, within: int, but: str = "") -> tuple[int, int]:
    """Tokens of audio and of images, without those that came from the cache, and together never more than `within`."""
    audio, image = (
        max(0, _modality(metadata.get(name), kind) - _modality(metadata.get(but), kind)) for kind in ("AUDIO", "IMAGE")
    )
    audio = min(audio, within)
    return audio, min(image, within - audio)


def _modality(details: object, kind: str) -> int:
    found = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return sum(_count(one, "tokenCount") for one in found if one.get("modality") == kind)


def _count(metadata: Mapping[str, Any], name: str) -> int:
    value = metadata.get(name)
    return max(value, 0) if isinstance(value, int) else 0
