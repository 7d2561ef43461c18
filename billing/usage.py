"""What one request consumed, in buckets that never overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter


class UsageSource(StrEnum):
    """Where the counts came from."""

    PROVIDER = "provider"
    COUNTED = "counted"
    SWEPT = "swept"  # nobody told us: the request was found unfinished, long after it must have ended
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by bucket. The buckets are disjoint: a cached token or one of audio is not also an input token,
    and a reasoning token is not also an output token."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    image_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All input, as OpenAI counts it: caches, audio and images included."""
        cached = self.cache_read + self.cache_write_5m + self.cache_write_1h
        return self.input + cached + self.audio_input + self.image_input

    @property
    def completion_tokens(self) -> int:
        """All output, as OpenAI counts it: reasoning, audio and images included."""
        return self.output + self.reasoning + self.audio_output + self.image_output

    def to_openai(self) -> dict[str, object]:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {
                "cached_tokens": self.cache_read,
                "cache_write_tokens": self.cache_write_5m + self.cache_write_1h,
                "audio_tokens": self.audio_input,
                "image_tokens": self.image_input,
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": self.audio_output,
                "image_tokens": self.image_output,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


BUCKETS = tuple(bucket.name for bucket in fields(Usage))
# What is in each bucket, in the order of `BUCKETS`: asked several times a request, so without a copy of anything.
counts_of: Callable[[Usage], tuple[int, ...]] = attrgetter(*BUCKETS)
