"""The thoughts of earlier answers, which the caller sends back so that the model can go on from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.translation.anthropic_content import Block

KINDS = frozenset({"thinking", "redacted_thinking"})
_DETAILS = {"reasoning.text": "thinking", "reasoning.encrypted": "redacted_thinking"}


def thinking_blocks(message: Mapping[str, Any]) -> list[Block]:
    """The signed thoughts of an assistant message, as they were. What has no signature is of no use upstream."""
    found = [
        thought(block.get("type"), block.get("thinking"), block.get("signature"), block.get("data"))
        for block in _objects(message.get("thinking_blocks"))
    ]
    if not found:
        for detail in _objects(message.get("reasoning_details")):
            if str(detail.get("format") or "anthropic").startswith("anthropic"):
                kind = _DETAILS.get(str(detail.get("type")))
                found.append(thought(kind, detail.get("text"), detail.get("signature"), detail.get("data")))
    return [block for block in found if block is not None]


def thought(kind: object, text: object, signature: object, data: object) -> Block | None:
    """A block that Anthropic will know again, or None."""
    if kind == "thinking" and isinstance(signature, str) and signature:
        return {"type": "thinking", "thinking": text if isinstance(text, str) else "", "signature": signature}
    if kind == "redacted_thinking" and isinstance(data, str) and data:
        return {"type": "redacted_thinking", "data": data}
    return None


def _objects(entries: object) -> list[dict[str, Any]]:
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
