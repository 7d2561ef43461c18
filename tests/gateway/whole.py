"""What a vendor would have answered without streaming, put together from what it streamed; and what that says.

Written apart from the translation, which is compared with it. It reads nothing but streams that came to their end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.gateway.transcripts import Case
from tests.invariants import Call

Json = dict[str, Any]


def whole_of(case: Case) -> bytes:
    """The body of the answer as a completion: as somebody wrote it down, or put together."""
    if not case.stream:
        return case.body
    return case.whole.read_bytes() if case.whole else json.dumps(WHOLE[case.dialect](_payloads(case.body))).encode()


def spoken_in(dialect: str, whole: bytes) -> list[tuple[str, str, list[Call]]]:
    """What the vendor's own answer says, choice by choice: its text, its reasoning and its calls."""
    return SPOKEN[dialect](json.loads(whole))


def _payloads(stream: bytes) -> list[Json]:
    lines = stream.replace(b"\r\n", b"\n").split(b"\n")
    data = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    return [json.loads(text) for text in data if text != b"[DONE]"]


# -- Anthropic ---------------------------------------------------------------------------------------


def _message(events: Iterable[Json]) -> Json:
    message: Json = {}
    blocks: dict[int, Json] = {}
    for event in events:
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "written": ""}
        elif event["type"] == "content_block_delta":
            _extend(blocks[event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] = message.get("usage", {}) | event["usage"]
    return {**message, "content": [_finished(block) for block in blocks.values()]}


def _extend(block: Json, delta: Json) -> None:
    for key in ("text", "thinking", "signature"):
        if key in delta:
            block[key] = block.get(key, "") + delta[key]
    if delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
    block["written"] += delta.get("partial_json", "")


def _finished(block: Json) -> Json:
    written = block.pop("written")
    return {**block, "input": json.loads(written)} if written else block


def _spoken_by_anthropic(message: Json) -> list[tuple[str, str, list[Call]]]:
    blocks = message["content"]
    calls = [Call(block["name"], block["input"], block["id"]) for block in blocks if block["type"] == "tool_use"]
    return [(_joined(blocks, "text"), _joined(blocks, "thinking"), calls)]


def _joined(blocks: Iterable[Json], kind: str) -> str:
    return "".join(block[kind] for block in blocks if block["type"] == kind)


# -- OpenAI and those who speak its language ---------------------------------------------------------


def _completion(chunks: Iterable[Json]) -> Json:
    head: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        head |= {key: value for key, value in chunk.items() if key != "choices" and (value or key not in head)}
        for choice in chunk["choices"]:
            index = choice.get("index", 0)
            made = choices.setdefault(index, {"index": index, "message": {"role": "assistant", "content": None}})
            made["finish_reason"] = choice.get("finish_reason") or made.get("finish_reason")
            _merge(made["message"], choice.get("delta") or {})
    return {**head, "object": "chat.completion", "choices": list(choices.values())}


def _merge(message: Json, delta: Json) -> None:
    for key in ("content", "reasoning", "reasoning_content", "refusal"):
        if delta.get(key):
            message[key] = _added(message.get(key), delta[key])
    for part in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        same = [call for call in calls if call["index"] == part["index"]]
        if not same:
            calls.append({**part, "function": {"arguments": "", **part["function"]}})
        else:
            same[0]["function"]["arguments"] += part["function"].get("arguments") or ""


def _added(before: Any, more: Any) -> Any:
    """Text is joined. Where one of the two is a list of parts, so is the whole."""
    if isinstance(before or "", str) and isinstance(more, str):
        return (before or "") + more
    return [*_parts(before), *_parts(more)]


def _parts(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def _spoken_by_openai(completion: Json) -> list[tuple[str, str, list[Call]]]:
    return [_spoken_in_message(choice["message"]) for choice in completion["choices"]]


def _spoken_in_message(message: Json) -> tuple[str, str, list[Call]]:
    parts = _parts(message["content"])
    thoughts = [inner["text"] for part in parts if part["type"] == "thinking" for inner in part["thinking"]]
    reasoning = message.get("reasoning_content") or message.get("reasoning") or "".join(thoughts)
    calls = [
        Call(call["function"]["name"], json.loads(call["function"]["arguments"] or "{}"), call["id"])
        for call in message.get("tool_calls") or ()
    ]
    return "".join(part["text"] for part in parts if part["type"] == "text"), reasoning, calls


# -- Gemini ------------------------------------------------------------------------------------------


def _generated(items: Iterable[Json]) -> Json:
    whole: Json = {}
    candidates: dict[int, Json] = {}
    for item in items:
        whole |= item
        for candidate in item.get("candidates", ()):
            index = candidate.get("index", 0)
            made = candidates.setdefault(index, {"content": {"role": "model", "parts": []}})
            made |= {key: value for key, value in candidate.items() if key != "content"}
            made["content"]["parts"] += candidate.get("content", {}).get("parts", ())
    return {**whole, "candidates": list(candidates.values())}


def _spoken_by_gemini(answer: Json) -> list[tuple[str, str, list[Call]]]:
    return [_spoken_in_parts(candidate.get("content", {}).get("parts", ())) for candidate in answer["candidates"]]


def _spoken_in_parts(parts: Iterable[Json]) -> tuple[str, str, list[Call]]:
    parts = list(parts)
    text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
    thoughts = "".join(part.get("text", "") for part in parts if part.get("thought"))
    made = [part["functionCall"] for part in parts if "functionCall" in part]
    return text, thoughts, [Call(call["name"], call.get("args") or {}, call.get("id") or "") for call in made]


WHOLE: Mapping[str, Callable[[list[Json]], Json]] = {
    "anthropic": _message,
    "openai-chat": _completion,
    "openai-compatible": _completion,
    "gemini": _generated,
}
SPOKEN: Mapping[str, Callable[[Json], list[tuple[str, str, list[Call]]]]] = {
    "anthropic": _spoken_by_anthropic,
    "openai-chat": _spoken_by_openai,
    "openai-compatible": _spoken_by_openai,
    "gemini": _spoken_by_gemini,
}
