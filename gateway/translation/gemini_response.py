"""Gemini's whole answer as a `chat.completion`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.providers.base import ChatCall, Completion
from gateway.translation.gemini_calls import Calls
from gateway.translation.gemini_errors import error_in_body
from gateway.translation.gemini_reading import (
    Reading,
    blocked,
    candidates_in,
    finish_reason,
    logprobs_of,
    parts_in,
    read_object,
    refusal,
)
from gateway.translation.gemini_usage import usage_of


def completion(call: ChatCall, body: bytes) -> Completion:
    """Raises `ApiError` when the body is an error after all or cannot be read."""
    answer = read_object(body)
    if answer.get("error"):
        raise error_in_body(call, answer["error"])
    reading = Reading.of(call)
    choices = [_choice(candidate, index, reading) for index, candidate in candidates_in(answer)]
    if not choices:
        choices = [_refused(call, answer)]
    choices.sort(key=lambda choice: int(choice["index"]))
    metadata = answer.get("usageMetadata")
    usage = usage_of(metadata) if isinstance(metadata, dict) else None
    made = {
        "id": f"chatcmpl-{call.request_id}",
        "object": "chat.completion",
        "created": call.created,
        "model": call.target.model,
        "choices": choices,
    }
    if usage is not None:
        made["usage"] = usage.to_openai()
    return Completion(made, usage, choices[0]["finish_reason"])


def _refused(call: ChatCall, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt was blocked: an answer, with nothing in it."""
    why = blocked(answer)
    if why is None:
        raise errors.upstream_unavailable(f"{call.target.provider} answered 200 without candidates")
    message = {"role": "assistant", "content": "", "refusal": why}
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": "content_filter"}


def _choice(candidate: Mapping[str, Any], index: int, reading: Reading) -> dict[str, Any]:
    words = {"content": "", "reasoning_content": ""}
    taken, calls = Calls(reading, index), []
    for part in parts_in(candidate):
        said = reading.text(part)
        if said is not None:
            words[said[0]] += said[1]
        calls += taken.take(part)
    calls += taken.close()
    reason = finish_reason(candidate.get("finishReason"), called=bool(calls), legacy=reading.legacy)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": words["content"] or (None if calls else ""),
        "refusal": refusal(candidate, reason),
    }
    if words["reasoning_content"]:
        message["reasoning_content"] = words["reasoning_content"]
    if calls and reading.legacy:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs_of(candidate),
        "finish_reason": reason,
    }
