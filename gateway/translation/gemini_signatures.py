"""Thought signatures, carried in tool call ids.

Gemini signs the thought behind a tool call and wants the signature back on the same call. OpenAI clients keep
only a call's id, name and arguments, so the signature travels as a suffix of the id.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

MARK = "__thought__"
# Google's own value for calls that were not made by Gemini: its check is then left out.
SKIP_VALIDATOR = base64.b64encode(b"skip_thought_signature_validator").decode()

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_TO_URL, _FROM_URL = str.maketrans("+/", "-_", "="), str.maketrans("-_", "+/", "=")


def with_signature(call_id: str, signature: object) -> str:
    """The id with the signature in it, in letters that are harmless in a URL."""
    if not isinstance(signature, str) or not _is_base64(signature):
        return call_id
    return f"{call_id}{MARK}{signature.translate(_TO_URL)}"


def strip_signature(call_id: str) -> str:
    """The id as it was before a signature was added. For other providers, which refuse long ids."""
    return call_id.partition(MARK)[0] or call_id


def signature_in(call_id: str) -> str | None:
    """The signature as Gemini sent it, or None when the id has none, or one that was cut off."""
    encoded = call_id.partition(MARK)[2]
    return _restored(encoded) if _is_base64(encoded) else None


def signature_of(call: Mapping[str, Any]) -> str | None:
    """Of a tool call that a client sent back: from where Google's own OpenAI endpoint puts it, else from the id."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    given = google.get("thought_signature") if isinstance(google, dict) else None
    if isinstance(given, str) and _is_base64(given):
        return _restored(given)
    return signature_in(str(call.get("id") or ""))


def _is_base64(text: str) -> bool:
    return bool(_BASE64.fullmatch(text)) and len(text.rstrip("=")) % 4 != 1


def _restored(encoded: str) -> str:
    text = encoded.translate(_FROM_URL)
    return text + "=" * (-len(text) % 4)
