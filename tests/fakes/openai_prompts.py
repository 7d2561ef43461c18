"""The fake OpenAI's embeddings and completions of the older kind."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Mapping
from typing import Any

from tests.fakes.answers import Answer

PER_INPUT = 7  # tokens that it says each input had
VECTOR = (0.25, -0.5, 1.0)  # exact as 32-bit floats


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same vector for each input, in the encoding that was asked for."""
    count = len(_each(body["input"]))
    size = body.get("dimensions", len(VECTOR))
    vector: Any = list((VECTOR * size)[:size])
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    usage = {"prompt_tokens": PER_INPUT * count, "total_tokens": PER_INPUT * count}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def completion(body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    choices = [_choice(index, answer.text, "stop") for index in range(_answers(body))]
    return {**_head(body), "choices": choices, "usage": _usage(body, answer)}


def completion_events(body: Mapping[str, Any], answer: Answer) -> list[bytes]:
    chunks = []
    for index in range(_answers(body)):
        chunks += [_choice(index, word, None) for word in re.findall(r"\S+\s*", answer.text)]
        chunks.append(_choice(index, "", "stop"))
    payloads: list[dict[str, Any]] = [{**_head(body), "choices": [choice]} for choice in chunks]
    if (body.get("stream_options") or {}).get("include_usage"):
        payloads = [{**payload, "usage": None} for payload in payloads]
        payloads.append({**_head(body), "choices": [], "usage": _usage(body, answer)})
    return [b"data: %s\n\n" % json.dumps(payload).encode() for payload in payloads] + [b"data: [DONE]\n\n"]


def _each(inputs: Any) -> list[Any]:
    return [inputs] if isinstance(inputs, str) or isinstance(inputs[0], int) else inputs


def _answers(body: Mapping[str, Any]) -> int:
    return len(_each(body["prompt"])) * int(body.get("n") or 1)


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _head(body: Mapping[str, Any]) -> dict[str, Any]:
    model = f"{body['model']}-2026-01-01"
    return {"id": "cmpl-fake", "object": "text_completion", "created": 1767225600, "model": model}


def _usage(body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    prompt = PER_INPUT * len(_each(body["prompt"]))
    completion = len(answer.text.split()) * _answers(body)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
