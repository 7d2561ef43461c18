"""What an error means and what to do about it, in the words of docs/errors.md: they are written once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from gateway import documentation

_ROW = re.compile(r"^\| (\d{3}) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True)
class Words:
    """What it means, and what to do."""

    meaning: str
    remedy: str = ""


# What only the ledger says, of requests that nobody was answered.
OURS = {
    "interrupted": Words("The process that served it died. It was charged what it had last reported.", "Try again."),
    "superseded": Words("It died half way, and a retry with the same Idempotency-Key took its place."),
    "cancelled": Words("The caller hung up before the provider answered."),
}


def explain(status: int, code: str) -> Words | None:
    """None for a code that is a provider's own."""
    return _known().get((status, code)) or OURS.get(code)


@cache
def _known() -> dict[tuple[int, str], Words]:
    page = documentation.find("errors")
    words: dict[tuple[int, str], Words] = {}
    for found in filter(None, map(_ROW.match, page.lines if page else ())):
        status, codes, meaning, remedy = found.groups()
        for code in _CODE.findall(codes):
            words.setdefault((int(status), code), Words(_plain(meaning), _plain(remedy)))
    return words


def _plain(text: str) -> str:
    """Without links and marks: where it leads is for the page of errors to say."""
    return _LINK.sub(r"\1", text).replace("`", "").strip()
