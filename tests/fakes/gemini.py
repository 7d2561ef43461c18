"""A fake Gemini: `generateContent` and its stream as Google's API sends them today, refusals included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from tests.fakes.acting import Finish, Question, Tool, Turn, words
from tests.fakes.answers import Answer
from tests.fakes.server import FakeVendor, Received

PROMPT_TOKENS = 9
SIGNATURE = "c2lnbmVkIHRob3VnaHQ="
PATH = re.compile(r"/v1beta/models/([^/:?]+):(generateContent|streamGenerateContent\?alt=sse)")
FUNCTION_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
CHOICES = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
FINISH_REASONS = {Finish.STOP: "STOP", Finish.LENGTH: "MAX_TOKENS", Finish.CALLS: "STOP"}
FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}
CONFIG = {
    *("maxOutputTokens", "candidateCount", "stopSequences", "seed", "thinkingConfig", "temperature", "topP", "topK"),
    *("presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType", "responseJsonSchema"),
}


class FakeGemini(FakeVendor):
    credential = "gemini-credential-for-tests"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1beta"

    def refusal(self, received: Received) -> tuple[int, dict[str, Any]] | None:
        if received.headers.get("x-goog-api-key") != self.credential:
            reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            return 400, _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason)
        found = PATH.fullmatch(received.path)
        if received.method != "POST" or found is None:
            return 404, _error(404, "NOT_FOUND", "Requested entity was not found.")
        model = unquote(found[1])
        if model not in self.known:
            said = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
            return 404, _error(404, "NOT_FOUND", said)
        complaint = _complaint(received.json)
        return (400, _error(400, "INVALID_ARGUMENT", complaint)) if complaint else None

    def asked(self, received: Received) -> dict[str, Any]:
        """Model and streaming are in the path here."""
        found = PATH.fullmatch(received.path)
        assert found is not None, "refused before"
        return {**received.json, "model": unquote(found[1]), "stream": found[2].startswith("stream")}

    def question(self, body: Mapping[str, Any]) -> Question:
        config, contents = body.get("generationConfig") or {}, body["contents"]
        as_json = config.get("responseMimeType") == "application/json"
        return Question(
            said=_said(contents),
            instructed="".join(part.get("text", "") for part in (body.get("systemInstruction") or {}).get("parts", ())),
            tools=tuple(Tool(one["name"], one.get("parametersJsonSchema") or {}) for one in _declared(body)),
            choice=_choice(body),
            called=_called(contents),
            results=tuple(_result(part) for part in contents[-1]["parts"] if "functionResponse" in part),
            schema=config.get("responseJsonSchema"),
            wants_json=as_json,
            thinks=bool((config.get("thinkingConfig") or {}).get("includeThoughts")),
            limit=config.get("maxOutputTokens"),
            stops=tuple(config.get("stopSequences") or ()),
        )

    def whole(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        turn = self.turn(body, answer)
        return _item(body, _joined(list(_parts(turn))), turn, last=True)

    def events(self, body: Mapping[str, Any], answer: Answer) -> list[bytes]:
        turn = self.turn(body, answer)
        parts = list(_parts(turn)) or [{"text": ""}]
        items = [_item(body, [part], turn, last=number == len(parts)) for number, part in enumerate(parts, start=1)]
        return [b"data: %s\r\n\r\n" % json.dumps(item).encode() for item in items]

    def error_event(self) -> bytes:
        return b"data: %s\r\n\r\n" % json.dumps(_error(503, "UNAVAILABLE", "The model is overloaded.")).encode()


def _error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


# -- reading the request ----------------------------------------------------------------------------


def _complaint(body: Mapping[str, Any]) -> str:
    """What is wrong with the request, in the vendor's words; empty when it is taken."""
    config = body.get("generationConfig") or {}
    unknown = [*sorted(set(body) - FIELDS), *(f"generation_config.{name}" for name in sorted(set(config) - CONFIG))]
    if unknown:
        return f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
    if not body.get("contents"):
        return "* GenerateContentRequest.contents: contents is not specified"
    for declaration in _declared(body):
        if not FUNCTION_NAME.fullmatch(declaration["name"]):
            return f"* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid: {declaration['name']}"
    return _misplaced(body["contents"])


def _misplaced(contents: list[Mapping[str, Any]]) -> str:
    """Calls are signed, and each turn with calls is followed by one with as many results."""
    for turn, following in zip(contents, [*contents[1:], {"parts": []}], strict=True):
        calls = [part for part in turn["parts"] if "functionCall" in part]
        results = [part for part in following["parts"] if "functionResponse" in part]
        if calls and "thoughtSignature" not in calls[0]:
            return f"Function call `{calls[0]['functionCall']['name']}` is missing a `thought_signature`."
        if len(calls) != len(results):
            said = "the number of function response parts is equal to the number of function call parts"
            return f"Please ensure that {said} of the function call turn."
    return ""


def _declared(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()]


def _choice(body: Mapping[str, Any]) -> str:
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    only: list[str] = calling.get("allowedFunctionNames") or []
    return str(only[0]) if len(only) == 1 else CHOICES[calling.get("mode", "AUTO")]


def _words_of(content: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content["parts"]) if content.get("role") == "user" else ""


def _said(contents: list[dict[str, Any]]) -> str:
    return next((said for content in reversed(contents) if (said := _words_of(content))), "")


def _called(contents: list[dict[str, Any]]) -> frozenset[str]:
    since = contents[max((at for at, content in enumerate(contents) if _words_of(content)), default=0) :]
    return frozenset(part["functionCall"]["name"] for one in since for part in one["parts"] if "functionCall" in part)


def _result(part: Mapping[str, Any]) -> str:
    return str(part["functionResponse"]["response"].get("result", ""))


# -- writing the answer -----------------------------------------------------------------------------


def _parts(turn: Turn) -> Iterator[dict[str, Any]]:
    """As a stream brings them. Of calls made together only the first is signed, and none has an id."""
    for word in words(turn.thought):
        yield {"text": word, "thought": True}
    for number, call in enumerate(turn.calls):
        signed = {"thoughtSignature": SIGNATURE} if number == 0 else {}
        yield {"functionCall": {"name": call.name, "args": call.arguments}, **signed}
    if not turn.calls:
        yield from ({"text": word} for word in words(turn.text))


def _joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a whole answer has them: all thoughts in one part, all words in another."""
    made: list[dict[str, Any]] = []
    for part in parts:
        if made and "text" in part and "text" in made[-1] and part.get("thought") == made[-1].get("thought"):
            made[-1]["text"] += part["text"]
        else:
            made.append(part)
    return made


def _item(body: Mapping[str, Any], parts: list[dict[str, Any]], turn: Turn, *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = FINISH_REASONS[turn.finish]
    spoken = turn.tokens - turn.thought_tokens
    counts = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": spoken}
    if turn.thought_tokens:
        counts["thoughtsTokenCount"] = turn.thought_tokens
    counts["totalTokenCount"] = PROMPT_TOKENS + turn.tokens
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": body["model"],
        "responseId": "fake-response",
    }
