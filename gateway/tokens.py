"""Counting tokens ourselves, with OpenAI's o200k vocabulary: exact for its models, an estimate for others'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from rs_bpe import bpe

PER_MESSAGE = 3  # <|start|>role<|message|> ... <|end|>, as OpenAI's own recipe counts a message
PER_REPLY = 3  # every reply is primed with the start of an assistant message
PIECE = 65_536  # characters, about a millisecond


@cache
def _vocabulary() -> Any:
    return bpe.openai.o200k_base()


def count(text: str) -> int:
    """Tokens in `text`."""
    return int(_vocabulary().count(text)) if text else 0


def count_long(text: str, *, enough: int | None = None) -> int:
    """As `count`, for a thread beside an event loop: piece by piece, because nothing else runs while one is counted.

    Where a piece ends a word may be counted as two. Stops when it has come to `enough`.
    """
    found = 0
    for start in range(0, len(text), PIECE):
        found += count(text[start : start + PIECE])
        if enough is not None and found >= enough:
            break
    return found


def size(text: str) -> int:
    """Bytes of `text`, without a second copy of it where that is easy to say."""
    return len(text) if text.isascii() else len(text.encode())


def count_messages(messages: Iterable[Mapping[str, Any]]) -> int:
    """Tokens of a chat prompt's text. Images and other media are not in it."""
    total = PER_REPLY
    for message in messages:
        total += PER_MESSAGE + count(str(message.get("role", ""))) + count(text_of(message.get("content")))
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            total += count(str(function.get("name", ""))) + count(str(function.get("arguments", "")))
    return total


def count_inputs(inputs: object) -> int:
    """Tokens of what embeddings and older completions take: a text, a list of them, tokens, or lists of tokens."""
    if isinstance(inputs, str):
        return count(inputs)
    if not isinstance(inputs, list):
        return 0
    return sum(1 if isinstance(one, int) else count_inputs(one) for one in inputs)


def text_of(content: object) -> str:
    """The text of a message's content, whether a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""
