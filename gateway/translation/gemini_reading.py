"""What is common to reading Gemini's answers, whole or in a stream: JSON, parts, calls, reasons to stop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall
from gateway.translation.gemini_names import FunctionNames
from gateway.translation.gemini_signatures import with_signature

FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "MALFORMED_FUNCTION_CALL": "stop",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "LANGUAGE": "content_filter",
    "OTHER": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "NO_IMAGE": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
MAX_CANDIDATES = 128
UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `ApiError` (502)."""
    payloads = read_objects(data)
    if len(payloads) != 1:
        raise errors.upstream_unavailable(f"Gemini sent {len(payloads)} answers where one was asked for")
    return payloads[0]


def read_objects(data: bytes) -> list[dict[str, Any]]:
    """The JSON object in an event, or several where a server sends its whole stream as a list."""
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise errors.upstream_unavailable("Gemini sent something that is not JSON") from error
    payloads = payload if isinstance(payload, list) else [payload]
    if not all(isinstance(one, dict) for one in payloads):
        raise errors.upstream_unavailable("Gemini sent JSON that is not an object")
    return payloads


def candidates_in(payload: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The candidates by index. An index that is left out is 0, as everywhere in this format. Raises `ApiError` (502)
    for one that nobody can have asked for."""
    found: list[tuple[int, Mapping[str, Any]]] = []
    for candidate in objects(payload.get("candidates")):
        index = candidate.get("index")
        index = index if isinstance(index, int) else 0
        if not 0 <= index < MAX_CANDIDATES:
            raise errors.upstream_unavailable(f"Gemini sent a candidate of index {index}")
        found.append((int(index), candidate))
    return found


def parts_in(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = candidate.get("content")
    return [*objects(content.get("parts"))] if isinstance(content, dict) else []


def blocked(payload: Mapping[str, Any]) -> str | None:
    """Why the prompt was not answered at all, in Gemini's words; None when it was not refused."""
    feedback = payload.get("promptFeedback")
    if not isinstance(feedback, dict) or not feedback.get("blockReason"):
        return None
    return str(feedback.get("blockReasonMessage") or f"The prompt was blocked: {feedback['blockReason']}.")


def refusal(candidate: Mapping[str, Any], finish: str) -> str | None:
    """What Gemini says of an answer that it held back; for other answers it only tells how they ended."""
    said = candidate.get("finishMessage")
    return said if finish == "content_filter" and isinstance(said, str) and said else None


def finish_reason(reason: object, *, called: bool, legacy: bool) -> str:
    """A value that strict clients know, for every reason there is. Gemini says STOP for function calls too."""
    finish = FINISH.get(str(reason), "stop")
    if finish == "stop" and called:
        return "function_call" if legacy else "tool_calls"
    return finish


@dataclass(frozen=True, slots=True)
class Reading:
    """What must be known of a request to read its answer."""

    request_id: str
    names: FunctionNames
    legacy: bool  # the caller speaks `functions` and `function_call`

    @classmethod
    def of(cls, call: ChatCall) -> Reading:
        return cls(call.request_id, FunctionNames.of(call.body), call.legacy_functions)

    def text(self, part: Mapping[str, Any]) -> tuple[str, str] | None:
        """The words of a part and the field of a message they belong to. Other media and code that ran at Google
        are not among them."""
        text = part.get("text")
        if not isinstance(text, str) or not text:
            return None
        return ("reasoning_content" if part.get("thought") is True else "content"), text

    def call(self, part: Mapping[str, Any], *, choice: int, position: int) -> dict[str, Any] | None:
        """The tool call of a part, whole. Gemini may leave the id out: then it is made from the request's, so that
        the same answer has the same ids however it is read."""
        made = part.get("functionCall")
        if not isinstance(made, dict) or not isinstance(made.get("name"), str) or not made["name"]:
            return None
        given = made.get("id")
        call_id = given if isinstance(given, str) and given else self._id(choice, position)
        arguments = made.get("args")
        function = {
            "name": self.names.back(made["name"]),
            "arguments": orjson.dumps(arguments if isinstance(arguments, dict) else {}).decode(),
        }
        return {
            "id": with_signature(call_id, part.get("thoughtSignature")),
            "type": "function",
            "function": function,
        }

    def _id(self, choice: int, position: int) -> str:
        digest = hashlib.sha256(f"{self.request_id}/{choice}/{position}".encode()).hexdigest()
        return f"call_{digest[:24]}"


def logprobs_of(candidate: Mapping[str, Any]) -> dict[str, Any] | None:
    """Gemini's log probabilities in OpenAI's shape, where it gave any."""
    result = candidate.get("logprobsResult")
    if not isinstance(result, dict) or not isinstance(result.get("chosenCandidates"), list):
        return None
    tops = objects(result.get("topCandidates"))
    content = []
    for position, chosen in enumerate(objects(result["chosenCandidates"])):
        top = objects(tops[position].get("candidates")) if position < len(tops) else []
        content.append({**_logprob(chosen), "top_logprobs": [_logprob(one) for one in top]})
    return {"content": content, "refusal": None}


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    text, value = str(token.get("token") or ""), token.get("logProbability")
    return {"token": text, "logprob": value if isinstance(value, int | float) else 0.0, "bytes": list(text.encode())}


def objects(entries: object) -> list[dict[str, Any]]:
    """The objects of a list, whatever else is in it or in its place."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
