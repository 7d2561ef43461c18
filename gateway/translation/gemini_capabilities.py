"""What one Gemini model accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEVELS = ("minimal", "low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The registry's words for a model. A model it says nothing about is taken for one of the newest generation."""

    thinking: str = "level"  # level (Gemini 3 and later), budget (2.5: a number of tokens) or none
    efforts: tuple[str, ...] = ("low", "medium", "high")  # the levels that the model knows: the newest not minimal
    min_budget: int = 0  # 0 where thinking can be turned off
    max_budget: int = 24576
    sampling: str = "both"  # or none
    n: bool = True  # whether it gives several answers to one request
    logprobs: bool = True
    vision: bool = True
    image_urls: bool = True  # whether it reads public URLs by itself
    audio: bool = False  # whether it listens: most models have a price of its own for audio, which is not metered apart
    tools: bool = True
    json_schema: bool = True
    tools_with_json: bool | None = None  # tools and a JSON answer in one request: since Gemini 3
    prefill: bool | None = None  # whether it goes on from a last assistant message: before Gemini 3

    @classmethod
    def of(cls, capabilities: Mapping[str, Any]) -> Capabilities:
        known = {name: value for name, value in capabilities.items() if name in cls.__slots__ and value is not None}
        if "efforts" in known:
            known["efforts"] = tuple(known["efforts"])
        newer = known.get("thinking", "level") == "level"
        return cls(**{"tools_with_json": newer, "prefill": not newer, **known})

    @property
    def signs_calls(self) -> bool:
        """Whether a tool call that is sent back must bear a thought signature."""
        return self.thinking == "level"

    @property
    def resolutions(self) -> bool:
        """Whether each image can say how closely it is to be looked at: since Gemini 3."""
        return self.thinking == "level"
