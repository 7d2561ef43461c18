"""Anthropic's token counts in buckets that never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.usage import Usage


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """Its `input_tokens` leaves both caches out, its `output_tokens` has the thinking in it.

    When the provider made several passes, listed as `iterations`, the outer counts are of the last one only:
    what is billed is the sum of all.
    """
    passes = counts.get("iterations")
    made = [one for one in passes if isinstance(one, dict)] if isinstance(passes, list) else []
    if not made:
        return _of_one(counts)
    each = [_of_one(one) for one in made]
    output = sum(one.output + one.reasoning for one in each)
    reasoning = sum(one.reasoning for one in each) or min(_thinking(counts), output)
    return Usage(
        input=sum(one.input for one in each),
        cache_read=sum(one.cache_read for one in each),
        cache_write_5m=sum(one.cache_write_5m for one in each),
        cache_write_1h=sum(one.cache_write_1h for one in each),
        output=output - reasoning,
        reasoning=reasoning,
    )


def _of_one(counts: Mapping[str, Any]) -> Usage:
    parts = _object(counts.get("cache_creation"))
    hour, minutes = _count(parts.get("ephemeral_1h_input_tokens")), _count(parts.get("ephemeral_5m_input_tokens"))
    written = counts.get("cache_creation_input_tokens")
    total = _count(written) if written is not None else hour + minutes
    output = _count(counts.get("output_tokens"))
    reasoning = min(_thinking(counts), output)
    return Usage(
        input=_count(counts.get("input_tokens")),
        cache_read=_count(counts.get("cache_read_input_tokens")),
        cache_write_5m=total - min(hour, total),
        cache_write_1h=min(hour, total),
        output=output - reasoning,
        reasoning=reasoning,
    )


def _thinking(counts: Mapping[str, Any]) -> int:
    return _count(_object(counts.get("output_tokens_details")).get("thinking_tokens"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0
