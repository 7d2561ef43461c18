"""The most that embeddings and completions of the older kind can use, as `gateway.estimate` has it for chat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gateway import tokens
from gateway.errors import invalid
from gateway.estimate import Estimate, count, factor
from gateway.providers.base import DEFAULT_COMPLETION_TOKENS
from gateway.registry import Entry

PER_INPUT = 4  # what providers put around each text


async def embeddings_estimate(body: Mapping[str, Any], entry: Entry) -> Estimate:
    """Input only: an embedding has no tokens of output."""
    inputs = await _inputs(body["input"], entry)
    return Estimate(inputs, 0, choices=1, named=True, model_limit=None, hour_cache=False)


async def completion_estimate(body: Mapping[str, Any], entry: Entry) -> Estimate:
    """Raises `ApiError` (400) for a `best_of` that could not be charged."""
    prompts, choices = _prompts(body["prompt"]), body.get("n") or 1
    tries = max(choices, body.get("best_of") or 1)
    if tries > choices and body.get("stream"):
        raise invalid("'best_of' cannot be used with 'stream'. Leave one of them out.", param="best_of")
    suffix = await _inputs(body.get("suffix") or "", entry) * prompts
    return Estimate(
        await _inputs(body["prompt"], entry) + suffix,
        output_tokens=body.get("max_tokens") or DEFAULT_COMPLETION_TOKENS,
        choices=prompts * tries,
        named=True,
        model_limit=None,
        hour_cache=False,
    )


async def _inputs(inputs: Any, entry: Entry) -> int:
    """Tokens of all inputs, at most: no text has more tokens than bytes, and tokens are themselves."""
    texts, given = _apart(inputs)
    text = "\n".join(texts)
    counted, size = await count(text), tokens.size(text)
    most = max((min(math.ceil(counted * factor(target)), size) for target in entry.targets), default=counted)
    return most + given + PER_INPUT * _prompts(inputs)


def _apart(inputs: Any) -> tuple[list[str], int]:
    """The texts, and how many tokens were given as numbers."""
    if isinstance(inputs, str):
        return [inputs], 0
    texts = [one for one in inputs if isinstance(one, str)]
    return texts, sum(len(one) if isinstance(one, list) else 1 for one in inputs if not isinstance(one, str))


def _prompts(inputs: Any) -> int:
    """One text, or one list of tokens, is one prompt."""
    return 1 if isinstance(inputs, str) or isinstance(inputs[0], int) else len(inputs)
