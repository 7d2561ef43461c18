"""How hard the model shall think: `reasoning_effort`, or `thinking` as callers of Claude write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.translation.gemini_capabilities import LEVELS, Capabilities

WORDS = ("none", *LEVELS, "xhigh", "max")
# What Google's own OpenAI endpoint makes of the words.
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}


def thinking_config(body: Mapping[str, Any], *, takes: Capabilities) -> dict[str, Any] | None:
    """None leaves the model to its default. Thoughts are shown to callers who ask for an effort."""
    word, budget = _asked(body)
    if takes.thinking == "none" or (word is None and budget is None):
        return None
    shown = word != "none"
    if takes.thinking == "budget":
        if budget is None:
            budget = _budget(str(word), takes)
        return {"thinkingBudget": min(max(budget, takes.min_budget), takes.max_budget), "includeThoughts": shown}
    level = _nearest(word or _word_for(budget), takes.efforts)
    return {"thinkingLevel": level, "includeThoughts": shown} if level else None


def _asked(body: Mapping[str, Any]) -> tuple[str | None, int | None]:
    asked = body.get("reasoning_effort")
    if isinstance(asked, dict):
        asked = asked.get("effort")
    if asked is not None and asked not in WORDS:
        raise errors.invalid(
            f"'reasoning_effort' must be one of {', '.join(WORDS)}.", param="reasoning_effort", code="unsupported_value"
        )
    own = body.get("thinking")
    if asked is not None or not isinstance(own, dict):
        return asked, None
    if own.get("type") == "disabled":
        return "none", None
    budget = own.get("budget_tokens")
    return (None, budget) if isinstance(budget, int) and budget > 1 else ("medium", None)


def _budget(word: str, takes: Capabilities) -> int:
    if word == "none":
        return takes.min_budget
    return takes.max_budget if word == "max" else BUDGETS[word]


def _word_for(budget: int | None) -> str:
    """The effort that stands for a budget, for a model that takes no budgets."""
    tokens = budget or 0
    return "low" if tokens < BUDGETS["medium"] else "medium" if tokens < BUDGETS["high"] else "high"


def _nearest(word: str, efforts: tuple[str, ...]) -> str | None:
    """The word itself, else the next lower one that the model knows, else its lowest. These models cannot not think."""
    known = [level for level in LEVELS if level in efforts]
    within = [level for level in known if WORDS.index(level) <= WORDS.index(word)]
    return within[-1] if within else next(iter(known), None)
