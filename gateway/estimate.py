"""The most that a chat request can use, before it is sent: what money is held by.

Text is counted with OpenAI's vocabulary and multiplied by what other vendors' tokenizers need at most, but no text
has more tokens than bytes. Media are taken at their vendor's worst case. Nothing can have more tokens of input than
the model's context window holds, because its provider refuses that.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from gateway import errors, tokens
from gateway.providers.base import Target
from gateway.registry import Entry

LARGE = 40_000  # characters that are counted in a thread, so that the event loop goes on
PER_MESSAGE, PER_PART, PER_CALL, PER_REQUEST = 8, 4, 16, 64
FOR_TOOLS = 1000  # vendors explain tools to their models in words of their own
FACTORS = {
    "openai": 1.1,
    "azure_openai": 1.1,
    "sandbox": 1.1,
    "anthropic": 1.7,
    "gemini": 1.4,
}  # tokens for one of OpenAI's, at most
OTHER_FACTOR = 2.0
IMAGES = {"openai": 4096, "azure_openai": 4096, "anthropic": 5000, "gemini": 8000}  # tokens of one image, at most
OTHER_IMAGE = 16_384
TEXTUAL = {"text", "refusal", "thinking"}
# Fields that make a call cost what no price of ours says: other models, several answers for one, tools that the
# provider runs and charges by itself.
UNPRICED_FIELDS = ("models", "best_of", "plugins", "web_search_options")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of one answer to a request; `choices` of them are asked for."""

    input_tokens: int
    output_tokens: int
    choices: int
    named: bool  # the caller gave the limit of output
    model_limit: int | None
    hour_cache: bool

    @property
    def all_output(self) -> int:
        return self.output_tokens * self.choices

    @property
    def least_output(self) -> int:
        """What the answer must be able to have: all of it when the caller said so, else a useful floor."""
        if self.named:
            return self.all_output
        return min(self.output_tokens, settings.GATEWAY_OUTPUT_FLOOR_TOKENS) * self.choices


async def chat_estimate(body: Mapping[str, Any], entry: Entry) -> Estimate:
    """Raises `ApiError` (400) for a request whose cost nobody can bound."""
    _check_bounded(body)
    text, overhead, images, unknown = _contents(body)
    window = entry.context_window
    counted, size = await count(text, entry), tokens.size(text)
    most = max((_input(target, counted, size, overhead, images) for target in entry.targets), default=counted)
    if unknown and window is None:
        raise errors.invalid(
            f"'{unknown}' cannot be priced with this model: it states no context window. Send text or images.",
            param=unknown,
            code="unbounded_cost",
        )
    named = _named_limit(body)
    limit = entry.max_output_tokens
    return Estimate(
        input_tokens=window if unknown and window else min(most, window or most),
        output_tokens=_output(named, limit),
        choices=int(body.get("n") or 1),
        named=named is not None,
        model_limit=limit,
        hour_cache=_caches_for_an_hour(body),
    )


async def count(text: str, entry: Entry | None = None) -> int:
    """Tokens by our own vocabulary; of a long text about that many, and no more than fill the model's context."""
    if len(text) > LARGE:
        return await asyncio.to_thread(tokens.count_long, text, enough=_enough(entry) if entry else None)
    return tokens.count(text)


def _enough(entry: Entry) -> int | None:
    """Tokens of ours that fill the context window by every vendor's count: more need not be counted."""
    if entry.context_window is None:
        return None
    return math.ceil(entry.context_window / min(1.0, *map(factor, entry.targets)))


def factor(target: Target) -> float:
    """Tokens of this vendor's for one of OpenAI's, at most."""
    return float(target.options.get("token_factor") or FACTORS.get(target.kind, OTHER_FACTOR))


def _check_bounded(body: Mapping[str, Any]) -> None:
    if body.get("service_tier") == "priority":
        raise errors.invalid(
            "'service_tier' must be auto, default or flex: priority has a price that this gateway does not know.",
            param="service_tier",
            code="unbounded_cost",
        )
    for place, tool in enumerate(body.get("tools") or ()):
        if isinstance(tool, dict) and tool.get("type") not in {"function", "custom"}:
            raise errors.invalid(
                f"'tools[{place}].type' must be function or custom: what other tools cost, the provider alone knows.",
                param=f"tools[{place}].type",
                code="unbounded_cost",
            )


def check_fields(body: Mapping[str, Any], unpriced: Iterable[str] = UNPRICED_FIELDS) -> None:
    """Raises `ApiError` (400) for fields that lead to what nobody priced: also with free models, for those who pay."""
    for name in unpriced:
        if body.get(name) not in (None, []):  # an empty object switches web search on
            raise errors.invalid(
                f"'{name}' makes a request cost what this gateway has no price for. Leave it out.",
                param=name,
                code="unbounded_cost",
            )


def _contents(body: Mapping[str, Any]) -> tuple[str, int, int, str]:
    """All text, tokens for what stands around it, how many images, and where something is that cannot be counted."""
    texts: list[str] = []
    overhead, images, unknown = PER_REQUEST, 0, ""
    for place, message in enumerate(body["messages"]):
        overhead += PER_MESSAGE
        texts += [str(message[name]) for name in ("name", "reasoning_content", "refusal") if message.get(name)]
        content = message.get("content")
        if isinstance(content, str):
            texts.append(content)
        for position, part in enumerate(content if isinstance(content, list) else ()):
            overhead += PER_PART
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in TEXTUAL:
                texts += [value for value in part.values() if isinstance(value, str)]
            elif kind == "image_url":
                images += 1
            else:
                unknown = unknown or f"messages[{place}].content[{position}]"
        if message.get("tool_calls") or message.get("function_call"):
            for call in (*(message.get("tool_calls") or ()), message.get("function_call")):
                if call:
                    overhead += PER_CALL
                    texts.append(orjson.dumps(call).decode())
    for name in ("tools", "functions", "response_format", "prediction", "tool_choice"):
        if body.get(name):
            overhead += FOR_TOOLS if name in {"tools", "functions"} else PER_MESSAGE
            texts.append(orjson.dumps(body[name]).decode())
    return "\n".join(texts), overhead, images, unknown


def _input(target: Target, counted: int, size: int, overhead: int, images: int) -> int:
    image = int(target.options.get("image_tokens") or IMAGES.get(target.kind, OTHER_IMAGE))
    prompt = tokens.count(target.default_system_prompt) if target.default_system_prompt else 0
    rate = factor(target)
    return min(math.ceil(counted * rate), size) + overhead + images * image + math.ceil(prompt * rate)


def _named_limit(body: Mapping[str, Any]) -> int | None:
    """The larger of the two names, because providers differ in which of them they heed."""
    given = [body[name] for name in ("max_tokens", "max_completion_tokens") if isinstance(body.get(name), int)]
    return max(given) if given else None


def _output(named: int | None, limit: int | None) -> int:
    if named is not None:
        return min(named, limit) if limit is not None else named
    return limit if limit is not None else int(settings.GATEWAY_MAX_OUTPUT_TOKENS)


def _caches_for_an_hour(body: Mapping[str, Any]) -> bool:
    messages = body["messages"]
    if _hour(body) or any(map(_hour, messages)) or any(map(_hour, body.get("tools") or ())):
        return True
    return any(any(map(_hour, content)) for message in messages if isinstance(content := message.get("content"), list))


def _hour(marked: object) -> bool:
    mark = marked.get("cache_control") if isinstance(marked, dict) else None
    return isinstance(mark, dict) and mark.get("ttl") == "1h"
