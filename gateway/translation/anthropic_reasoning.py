"""How hard the model shall think: `reasoning_effort`, or Anthropic's own `thinking` when the caller sends that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import errors
from gateway.translation.anthropic_capabilities import Capabilities

WORDS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
MIN_BUDGET = 1024


@dataclass(frozen=True, slots=True)
class Reasoning:
    thinking: dict[str, Any] | None = None
    effort: str | None = None


def reasoning(body: Mapping[str, Any], *, takes: Capabilities, max_tokens: int, may_think: bool) -> Reasoning:
    """`may_think` is false where the rest of the request rules thinking out; the effort then stands alone."""
    word = _word(body)
    own = body.get("thinking")
    asked: Mapping[str, Any] = own if isinstance(own, dict) else {}
    if asked.get("type") == "disabled" or word == "none" or not (asked or word) or takes.thinking == "none":
        return Reasoning()
    if takes.thinking == "manual":
        thinking = _budgeted(asked, word, max_tokens) if may_think else None
        return Reasoning(thinking)
    word = word or _word_for(asked.get("budget_tokens"))
    display = asked.get("display") or "summarized"  # without it newer models think in silence
    thinking = {"type": "adaptive", "display": display} if may_think else None
    return Reasoning(thinking, _nearest(word, takes.efforts) if word else None)


def _word(body: Mapping[str, Any]) -> str | None:
    asked = body.get("reasoning_effort")
    if isinstance(asked, dict):
        asked = asked.get("effort")
    if asked is None:
        return None
    if asked not in WORDS:
        raise errors.invalid(
            f"'reasoning_effort' must be one of {', '.join(WORDS)}.", param="reasoning_effort", code="unsupported_value"
        )
    return str(asked)


def _budgeted(asked: Mapping[str, Any], word: str | None, max_tokens: int) -> dict[str, Any] | None:
    """A budget must be at least 1024 and leave room in `max_tokens` for an answer."""
    budget = asked.get("budget_tokens")
    if not isinstance(budget, int):
        budget = BUDGETS[word or "medium"]
    if max_tokens <= MIN_BUDGET:
        return None
    return {"type": "enabled", "budget_tokens": min(max(budget, MIN_BUDGET), max_tokens - 1)}


def _word_for(budget: object) -> str | None:
    """The effort that stands for a budget, for a model that takes no budgets."""
    if not isinstance(budget, int):
        return None
    return "low" if budget < BUDGETS["medium"] else "medium" if budget < BUDGETS["high"] else "high"


def _nearest(word: str, efforts: tuple[str, ...]) -> str | None:
    """The word itself, else the next lower one that the model knows, else its lowest."""
    known = [effort for effort in WORDS if effort in efforts]
    within = [effort for effort in known if WORDS.index(effort) <= WORDS.index(word)]
    return within[-1] if within else next(iter(known), None)
