"""The sandbox's embeddings and completions of the older kind: the same answer every time, as its chat gives."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from gateway import tokens, vectors
from gateway.providers.base import DEFAULT_COMPLETION_TOKENS, Answer, Egress, EmbeddingsCall, PromptCall
from gateway.providers.openai_prompts import CompatibleCompletions, OpenAIEmbeddings
from gateway.providers.sandbox import LocalAnswer, words

DIMENSIONS = 256
MOST_DIMENSIONS = 4096
ECHO, EMBEDDING = "echo", "embedding"  # the models that there are for it
JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}


class SandboxEmbeddings(OpenAIEmbeddings):
    """A direction for each text, made from its digest: equal texts are equal, all others far apart."""

    async def send(self, call: EmbeddingsCall, egress: Egress) -> Answer:
        if call.target.upstream_model != EMBEDDING:
            return _refusal(f"sandbox/{call.target.upstream_model} makes no embeddings. Use sandbox/embedding.")
        dimensions = call.body.get("dimensions") or DIMENSIONS
        if dimensions > MOST_DIMENSIONS:
            return _refusal(f"'dimensions' must be at most {MOST_DIMENSIONS}.", param="dimensions")
        encoding = call.body.get("encoding_format") or "float"
        found = [vectors.encoded(_direction(one, dimensions), encoding) for one in _each(call.body["input"])]
        count = call.count_prompt(call.body)
        payload = {
            "object": "list",
            "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(found)],
            "model": call.target.upstream_model,
            "usage": {"prompt_tokens": count, "total_tokens": count},
        }
        return LocalAnswer(200, JSON, [orjson.dumps(payload)])


class SandboxCompletions(CompatibleCompletions):
    """Goes on by saying what was said."""

    async def send(self, call: PromptCall, egress: Egress) -> Answer:
        if call.target.upstream_model != ECHO:
            return _refusal(f"sandbox/{call.target.upstream_model} has no completions. Use sandbox/echo.")
        prompts = [one if isinstance(one, str) else f"{len(one)} tokens" for one in _each(call.body["prompt"])]
        answers = [answer for prompt in prompts for answer in [_continued(call, prompt)] * (call.body.get("n") or 1)]
        if call.streaming:
            return LocalAnswer(200, EVENTS, _events(call, answers))
        choices = [_choice(index, text, finish) for index, (text, finish) in enumerate(answers)]
        payload = {**_head(call), "choices": choices, "usage": _usage(call, answers)}
        return LocalAnswer(200, JSON, [orjson.dumps(payload)])


def _each(inputs: Any) -> Sequence[Any]:
    return [inputs] if isinstance(inputs, str) or isinstance(inputs[0], int) else inputs


def _direction(one: object, dimensions: int) -> list[float]:
    digest = hashlib.shake_256(orjson.dumps(one)).digest(2 * dimensions)
    numbers = array("h", digest)
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return array("f", (number / length for number in numbers)).tolist()


def _continued(call: PromptCall, prompt: str) -> tuple[str, str]:
    """The text, and why it ends."""
    whole = f"You said: {prompt}"
    limit = call.body.get("max_tokens") or DEFAULT_COMPLETION_TOKENS
    said = ""
    for word in words(whole):
        if tokens.count(said + word) > limit:
            return _echoed(call, prompt, said), "length"
        said += word
    return _echoed(call, prompt, said), "stop"


def _echoed(call: PromptCall, prompt: str, said: str) -> str:
    return prompt + said if call.body.get("echo") else said


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _head(call: PromptCall) -> dict[str, Any]:
    identity = f"cmpl-{call.request_id.replace('-', '')}"
    return {
        "id": identity,
        "object": "text_completion",
        "created": call.created,
        "model": call.target.upstream_model,
    }


def _usage(call: PromptCall, answers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    prompt, completion = call.count_prompt(call.body), sum(tokens.count(text) for text, _ in answers)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _events(call: PromptCall, answers: Sequence[tuple[str, str]]) -> Iterable[bytes]:
    for index, (text, finish) in enumerate(answers):
        pieces = [_choice(index, word, None) for word in words(text)]
        for choice in (*pieces, _choice(index, "", finish)):
            yield b"data: " + orjson.dumps({**_head(call), "choices": [choice]}) + b"\n\n"
    usage = {**_head(call), "choices": [], "usage": _usage(call, answers)}
    yield b"data: " + orjson.dumps(usage) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _refusal(message: str, *, param: str = "model") -> LocalAnswer:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return LocalAnswer(400, JSON, [orjson.dumps({"error": error})])
