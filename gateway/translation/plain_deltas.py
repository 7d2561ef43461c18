"""Chunks of a stream that say some words and nothing else are recognised by their bytes.

Nearly all chunks of a stream are alike but for their words. The first is read whole, and what stands around its words
is remembered, on the way in and on the way out; those that follow are passed on by it. Whatever differs in anything
but its words is read whole again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

_WORDS, _PADDING = "\x02words\x03", "\x02padding\x03"  # stand for what differs; never in a chunk that is remembered
_IN_JSON = (orjson.dumps(_WORDS)[1:-1], orjson.dumps(_PADDING)[1:-1])
_KEYS = (b'"content":"', b'"content": "')
_OBFUSCATION = (b'"obfuscation":"', b'"obfuscation": "')  # letters by chance, with which OpenAI hides lengths
TRIES = 4  # chunks that are looked at, in a stream in which none can be remembered


@dataclass(frozen=True, slots=True)
class PlainDelta:
    """What stands around the words of a chunk, and around OpenAI's padding where there is some."""

    before: bytes
    after: bytes  # up to the padding, or to the end
    ending: bytes | None  # behind the padding; none without it
    told_before: bytes
    told_after: bytes
    told_ending: bytes

    @classmethod
    def of(cls, came: bytes, told: dict[str, Any]) -> PlainDelta | None:
        """From a chunk as it came, and what is told of it. None when there is more to it than words."""
        (choice,) = told["choices"]
        words, padding = choice["delta"].get("content"), told.get("obfuscation", "")
        if list(choice["delta"]) != ["content"] or not (_is_simple(words) and isinstance(padding, str)):
            return None
        around = _around(came, words.encode(), _KEYS)
        if around is None:
            return None
        before, after = around
        ending = None
        if padding:
            split = _around(after, padding.encode(), _OBFUSCATION)
            if split is None or not padding.isalnum():
                return None
            after, ending = split
        if not _stands_for(came, (before, after, ending), padding):
            return None
        return cls(before, after, ending, *_told(told, choice, padding))

    def read(self, came: bytes) -> tuple[str, bytes] | None:
        """The words of a chunk that is like the remembered one, and what is told of it."""
        if not came.startswith(self.before):
            return None
        start = len(self.before)
        if self.ending is None:
            end, padding = len(came) - len(self.after), b""
            if not came.endswith(self.after):
                return None
        else:
            end = came.rfind(self.after)
            padding = came[end + len(self.after) : len(came) - len(self.ending)]
            if not (came.endswith(self.ending) and padding.isalnum()):
                return None
        if end <= start:
            return None
        words = came[start:end]
        text = text_of(words)
        if not text:
            return None
        return text, b"".join((self.told_before, words, self.told_after, padding, self.told_ending))


def text_of(quoted: bytes) -> str | None:
    """The text that stands like this between two quotes, or None when that is not one text."""
    try:
        text = quoted.decode()
        if text.isprintable() and '"' not in text and "\\" not in text:
            return text
        found = orjson.loads(b'"%b"' % quoted)
    except ValueError:  # of orjson, too
        return None
    return found if isinstance(found, str) else None


def _is_simple(words: object) -> bool:
    return isinstance(words, str) and bool(words) and words.isprintable() and '"' not in words and "\\" not in words


def _around(came: bytes, value: bytes, keys: tuple[bytes, ...]) -> tuple[bytes, bytes] | None:
    for key in keys:
        before, found, rest = came.partition(key)
        if found and rest.startswith(value + b'"'):
            return before + found, rest[len(value) :]
    return None


def _stands_for(came: bytes, parts: tuple[bytes, bytes, bytes | None], padding: str) -> bool:
    """Whether these are the places of the words and of the padding, and not of others that are equal by chance."""
    before, after, ending = parts
    wanted = orjson.loads(came)
    wanted["choices"][0]["delta"]["content"] = _WORDS
    if padding:
        wanted["obfuscation"] = _PADDING
    content = before + _IN_JSON[0] + after + (b"" if ending is None else _IN_JSON[1] + ending)
    return bool(orjson.loads(content) == wanted)


def _told(told: dict[str, Any], choice: dict[str, Any], padding: str) -> tuple[bytes, bytes, bytes]:
    chunk = {**told, "choices": [{**choice, "delta": {"content": _WORDS}}]}
    if padding:
        chunk["obfuscation"] = _PADDING
    before, _, rest = orjson.dumps(chunk).partition(_IN_JSON[0])
    after, _, ending = rest.partition(_IN_JSON[1])
    return before, after, ending
