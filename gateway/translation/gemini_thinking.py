"""How hard the model shall think, and whether the caller wants to see it.

Said by `reasoning_effort`, or by `thinking` as callers of Claude write it, or by `google.thinking_config` as callers
of Google's own OpenAI endpoint do, inside `extra_body` or not. A `reasoning_effort` is heeded first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway import errors
from gateway.translation.gemini_capabilities import LEVELS, Capabilities

WORDS = ("none", *LEVELS, "xhigh", "max")
DYNAMIC = -1  # a budget that says: as the model sees fit
# What Google's own OpenAI endpoint makes of the words.
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}


@dataclass(frozen=True, slots=True)
class _Asked:
    word: str | None = None
    budget: int | None = None
    shown: bool | None = None  # None: shown to those who ask for an effort


def thinking_config(body: Mapping[str, Any], *, takes: Capabilities) -> dict[str, Any] | None:
    """None leaves the model to its default."""
    asked = _asked(body)
    if takes.thinking == "none" or asked == _Asked():
        return None
    shown = asked.shown if asked.shown is not None else asked.word != "none"
    made: dict[str, Any] = {}
    if asked.word is not None or asked.budget is not None:
        made = _by_budget(asked, takes) if takes.thinking == "budget" else _by_level(asked, takes)
    return {**made, "includeThoughts": shown} if made or asked.shown is not None else None


def _by_budget(asked: _Asked, takes: Capabilities) -> dict[str, Any]:
    if asked.budget == DYNAMIC:
        return {"thinkingBudget": DYNAMIC}
    budget = asked.budget if asked.budget is not None else _budget(str(asked.word), takes)
    return {"thinkingBudget": min(max(budget, takes.min_budget), takes.max_budget)}


def _by_level(asked: _Asked, takes: Capabilities) -> dict[str, Any]:
    if asked.budget == DYNAMIC:
        return {}  # they decide by themselves unless told otherwise
    level = _nearest(asked.word or _word_for(asked.budget), takes.efforts)
    return {"thinkingLevel": level} if level else {}


def _asked(body: Mapping[str, Any]) -> _Asked:
    effort = body.get("reasoning_effort")
    if isinstance(effort, dict):
        effort = effort.get("effort")
    if effort is not None:
        _check_word(effort, "reasoning_effort")
    google = _google(body)
    if effort is not None:
        return replace(google, word=effort, budget=None)
    own = body.get("thinking")
    if google != _Asked() or not isinstance(own, dict):
        return google
    if own.get("type") == "disabled":
        return _Asked("none")
    budget = own.get("budget_tokens")
    return _Asked(budget=budget) if isinstance(budget, int) and budget > 1 else _Asked("medium")


def _google(body: Mapping[str, Any]) -> _Asked:
    """Libraries merge `extra_body` into the body, so the one that Google documents comes one level deeper."""
    for holder, at in ((body, ""), (body.get("extra_body"), "extra_body.")):
        google = holder.get("google") if isinstance(holder, dict) else None
        config = google.get("thinking_config") if isinstance(google, dict) else None
        if isinstance(config, dict):
            return _configured(config, f"{at}google.thinking_config")
    return _Asked()


def _configured(config: Mapping[str, Any], at: str) -> _Asked:
    level, budget, shown = (config.get(name) for name in ("thinking_level", "thinking_budget", "include_thoughts"))
    if level is not None:
        level = str(level).lower()
        _check_word(level, f"{at}.thinking_level")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool) or budget < DYNAMIC):
        raise errors.invalid(
            f"'{at}.thinking_budget' must be a number of tokens, or -1 to leave it to the model.",
            param=f"{at}.thinking_budget",
        )
    if level is not None and budget is not None:
        raise errors.invalid(f"'{at}' must name a level or a budget, not both.", param=at)
    if shown is not None and not isinstance(shown, bool):
        raise errors.invalid(f"'{at}.include_thoughts' must be true or false.", param=f"{at}.include_thoughts")
    if budget == 0:
        return _Asked("none", shown=shown)
    return _Asked(level, budget, shown)


def _check_word(word: object, at: str) -> None:
    if word not in WORDS:
        raise errors.invalid(f"'{at}' must be one of {', '.join(WORDS)}.", param=at, code="unsupported_value")


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
