"""What one Claude model accepts: they differ, and what one of them needs another answers with 400."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The registry's words for a model. A model it says nothing about is taken for one of the newest generation."""

    sampling: str = "none"  # both, one (not temperature and top_p together) or none
    thinking: str = "adaptive"  # adaptive, manual (a budget of tokens) or none
    efforts: tuple[str, ...] = EFFORTS
    forced_tool_choice: bool = True
    mid_conversation_system: bool = True
    prefill: bool = False
    json_schema: bool = True
    vision: bool = True
    tools: bool = True
    pdf: bool = True

    @classmethod
    def of(cls, capabilities: Mapping[str, Any]) -> Capabilities:
        known = {name: value for name, value in capabilities.items() if name in cls.__slots__ and value is not None}
        if "efforts" in known:
            known["efforts"] = tuple(known["efforts"])
        return cls(**known)
