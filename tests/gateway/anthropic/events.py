"""Anthropic's stream events, for writing a stream down in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]


def start(usage: dict[str, Any] | None = None, message_id: str = "msg_1") -> Event:
    counts = {"input_tokens": 10, "output_tokens": 1} if usage is None else usage
    return {"type": "message_start", "message": {"id": message_id, "role": "assistant", "content": [], "usage": counts}}


def opened(index: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **fields}}


def closed(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def text(index: int, *said: str) -> list[Event]:
    return [opened(index, "text", text=""), *(delta(index, "text", text=part) for part in said), closed(index)]


def thinking(index: int, *said: str, signature: str = "sig") -> list[Event]:
    thoughts = [delta(index, "thinking", thinking=part) for part in said]
    signed = [delta(index, "signature", signature=signature)] if signature else []
    return [opened(index, "thinking", thinking="", signature=""), *thoughts, *signed, closed(index)]


def tool(
    index: int, *parts: str, name: str = "look", at: str = "", kind: str = "tool_use", **fields: Any
) -> list[Event]:
    begun = opened(index, kind, id=at or f"toolu_{index}", name=name, **{"input": {}, **fields})
    return [begun, *(delta(index, "input_json", partial_json=part) for part in ("", *parts)), closed(index)]


def ended(stop: str | None = "end_turn", usage: dict[str, Any] | None = None, **fields: Any) -> list[Event]:
    counts = {"output_tokens": 5} if usage is None else usage
    return [
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None, **fields}, "usage": counts},
        {"type": "message_stop"},
    ]


PING: Event = {"type": "ping"}


def wire(events: Iterable[Event], newline: str = "\n") -> bytes:
    lines = (
        f"event: {event['type']}{newline}data: {json.dumps(event, ensure_ascii=False)} {newline}" for event in events
    )
    return "".join(line + newline for line in lines).encode()
