"""Gemini's answers, whole and in streams."""

from __future__ import annotations

import json
from typing import Any


def item(*parts: dict[str, Any], finish: str | None = None, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    """One answer or one item of a stream, with one candidate."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate], "modelVersion": "gemini", "responseId": "r", **fields}


def counts(prompt: int, candidates: int, **more: int) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}}


def words(text: str, **fields: Any) -> dict[str, Any]:
    return {"text": text, **fields}


def calls(name: str, **args: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args}}


def failure(code: int, status: str, message: str = "It failed.", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def body_of(*items: dict[str, Any]) -> bytes:
    """A stream as Google writes it."""
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + b"\r\n\r\n" for one in items)
