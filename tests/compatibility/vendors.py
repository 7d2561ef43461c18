"""Vendors that do what they are asked, as far as their wire formats can say it: their answer to a request's body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.gateway.anthropic import events
from tests.gateway.gemini import answers

TEXT, AS_JSON, THOUGHT, SIGNATURE = "Hello there.", '{"a": 1}', "They greet me.", "c2lnbmVk"
JSON, EVENTS = "application/json", "text/event-stream"

Body = Mapping[str, Any]


def answer(kind: str, url: str, body: Body) -> tuple[str, bytes]:
    """Content type and bytes of what the vendor of that kind answers."""
    if kind == "anthropic":
        return _anthropic_stream(body) if body.get("stream") else (JSON, _dumps(_anthropic(body)))
    if kind == "gemini" and url.endswith(":batchEmbedContents"):
        return JSON, _dumps({"embeddings": [{"values": [1.0, 0.0]}]})
    if kind == "gemini":
        item = _gemini(body)
        return (EVENTS, answers.body_of(item)) if ":stream" in url else (JSON, _dumps(item))
    if url.endswith("/embeddings"):
        return JSON, _dumps(_embeddings(body))
    if not url.endswith("/chat/completions"):
        return _text_stream(body) if body.get("stream") else (JSON, _dumps(_text(body)))
    whole = _openai(body, thinks_aloud=kind == "openai_compatible")
    return (EVENTS, _openai_stream(body, whole)) if body.get("stream") else (JSON, _dumps(whole))


def _dumps(payload: object) -> bytes:
    return json.dumps(payload).encode()


# -- OpenAI's format ------------------------------------------------------------------------------


def _openai(body: Body, *, thinks_aloud: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None}
    finish = "stop"
    if body.get("response_format", {}).get("type", "text") != "text":
        message["content"] = AS_JSON
    if thinks_aloud and body.get("reasoning_effort"):
        message["reasoning"] = THOUGHT
    if calls := _openai_calls(body):
        message |= {"content": None, "tool_calls": calls}
        finish = "tool_calls"
    elif body.get("functions"):
        message |= {"content": None, "function_call": {"name": "add", "arguments": "{}"}}
        finish = "function_call"
    probable = [{"token": "Hello", "logprob": -0.1, "bytes": None, "top_logprobs": []}]
    logprobs = {"content": probable, "refusal": None} if body.get("logprobs") else None
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}
            for index in range(body.get("n") or 1)
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }


def _openai_calls(body: Body) -> list[dict[str, Any]]:
    if not body.get("tools") or body.get("tool_choice") == "none" or body["messages"][-1]["role"] == "tool":
        return []
    first, count = body["tools"][0], 1 if body.get("parallel_tool_calls") is False else 2
    if first["type"] == "custom":
        custom = {"name": first["custom"]["name"], "input": "x"}
        return [{"id": f"call_{number}", "type": "custom", "custom": custom} for number in range(count)]
    function = {"name": first["function"]["name"], "arguments": "{}"}
    return [{"id": f"call_{number}", "type": "function", "function": function} for number in range(count)]


def _openai_stream(body: Body, whole: dict[str, Any]) -> bytes:
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": whole["model"]}
    chunks: list[dict[str, Any]] = []
    for choice in whole["choices"]:
        chunks.append({"choices": [{"index": choice["index"], "delta": choice["message"], "finish_reason": None}]})
        finish = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        chunks.append({"choices": [finish]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({"choices": [], "usage": whole["usage"]})
    return b"".join(b"data: " + _dumps(head | chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def _text(body: Body, finish: str | None = "stop") -> dict[str, Any]:
    choice = {"index": 0, "text": TEXT, "logprobs": None, "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 7, "total_tokens": 8}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}
    return {**head, "choices": [choice], "usage": usage}


def _text_stream(body: Body) -> tuple[str, bytes]:
    said, last = _text(body, None), _text(body)
    last["choices"][0]["text"] = ""
    return EVENTS, b"".join(b"data: " + _dumps(one) + b"\n\n" for one in (said, last)) + b"data: [DONE]\n\n"


def _embeddings(body: Body) -> dict[str, Any]:
    in_base64 = body.get("encoding_format") == "base64"
    found = [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAAA=" if in_base64 else [1.0, 0.0]}]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": found, "model": body["model"], "usage": usage}


# -- Anthropic ------------------------------------------------------------------------------------


def _anthropic(body: Body) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if body.get("thinking"):
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    if calls := _anthropic_calls(body):
        content += calls
    else:
        structured = "format" in body.get("output_config", {}) or "JSON" in json.dumps(body.get("system", ""))
        content.append({"type": "text", "text": AS_JSON if structured else TEXT})
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 7},
    }


def _anthropic_calls(body: Body) -> list[dict[str, Any]]:
    choice = body.get("tool_choice") or {"type": "auto"}
    answered = any(block["type"] == "tool_result" for block in body["messages"][-1]["content"])
    if not body.get("tools") or choice["type"] == "none" or answered:
        return []
    name = choice.get("name") or body["tools"][0]["name"]
    given = {"a": 1} if name == "json_answer" else {}
    count = 1 if choice.get("disable_parallel_tool_use") or given else 2
    return [{"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given} for number in range(count)]


def _anthropic_stream(body: Body) -> tuple[str, bytes]:
    message = _anthropic(body)
    told = [events.start({**message["usage"], "output_tokens": 1}, message["id"])]
    for index, block in enumerate(message["content"]):
        if block["type"] == "thinking":
            told += events.thinking(index, block["thinking"], signature=block["signature"])
        elif block["type"] == "tool_use":
            told += events.tool(index, json.dumps(block["input"]), name=block["name"], at=block["id"])
        else:
            told += events.text(index, block["text"])
    return EVENTS, events.wire([*told, *events.ended(message["stop_reason"], {"output_tokens": 7})])


# -- Gemini ---------------------------------------------------------------------------------------


def _gemini(body: Body) -> dict[str, Any]:
    config = body.get("generationConfig", {})
    parts = []
    if config.get("thinkingConfig", {}).get("includeThoughts"):
        parts.append(answers.words(THOUGHT, thought=True))
    calls = _gemini_calls(body)
    said = AS_JSON if config.get("responseMimeType") == "application/json" else TEXT
    parts += calls or [answers.words(said)]
    made = answers.item(*parts, finish="STOP", **answers.counts(10, 7, cachedContentTokenCount=4, totalTokenCount=17))
    (first,) = made["candidates"]
    made["candidates"] = [{**first, "index": index} for index in range(config.get("candidateCount") or 1)]
    if config.get("responseLogprobs"):
        chosen = {"chosenCandidates": [{"token": "Hello", "logProbability": -0.1}], "topCandidates": []}
        made["candidates"] = [{**candidate, "logprobsResult": chosen} for candidate in made["candidates"]]
    return made


def _gemini_calls(body: Body) -> list[dict[str, Any]]:
    mode = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    answered = any("functionResponse" in part for part in body["contents"][-1]["parts"])
    if not body.get("tools") or mode == "NONE" or answered:
        return []
    name = body["tools"][0]["functionDeclarations"][0]["name"]
    return [{**answers.calls(name), "thoughtSignature": SIGNATURE}, answers.calls(name)]
