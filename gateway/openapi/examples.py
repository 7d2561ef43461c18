"""Requests and answers as the document and the reference page show them. The tests send the requests."""

from __future__ import annotations

import json
from typing import Any

REQUEST_ID = "019c5d2e-8a41-7c36-9f0a-5b1de2c47a90"
CREATED = 1_795_132_800
_ID = "chatcmpl-019c5d2e8a417c369f0a5b1de2c47a90"

MODEL: dict[str, Any] = {
    "id": "sandbox/echo",
    "object": "model",
    "created": CREATED,
    "owned_by": "2389",
    "description": "Repeats what you say.",
    "context_window": None,
    "max_output_tokens": None,
    "capabilities": {"chat": True, "completions": True, "embeddings": False},
    "lifecycle": "active",
    "shutdown_date": None,
    "successor": None,
    "demonstration": False,
}
MODELS: dict[str, Any] = {"object": "list", "data": [MODEL]}

_HELLO = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello!"}]}
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_ASKED = {"role": "user", "content": "What is the weather in Oslo?"}
CHAT_REQUESTS: dict[str, Any] = {
    "whole": {"summary": "The whole answer at once", "value": _HELLO},
    "streamed": {"summary": "As it is written", "value": {**_HELLO, "stream": True}},
    "tools": {
        "summary": "With a tool",
        "value": {"model": "sandbox/tool", "messages": [_ASKED], "tools": [_WEATHER]},
    },
}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
CHAT_ANSWER: dict[str, Any] = {
    "id": _ID,
    "object": "chat.completion",
    "created": CREATED,
    "model": "sandbox/echo",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "You said: Hello!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": _USAGE,
}


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    head = {"id": _ID, "object": "chat.completion.chunk", "created": CREATED, "model": "sandbox/echo"}
    return {**head, "choices": [choice]}


def _events(*payloads: dict[str, Any]) -> str:
    told = [json.dumps(payload, separators=(",", ":")) for payload in payloads]
    return "".join(f"data: {one}\n\n" for one in (*told, "[DONE]"))


CHAT_STREAM = _events(
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "You said:"}),
    _chunk({"content": " Hello!"}),
    _chunk({}, "stop"),
)

_TEXT = {"id": "cmpl-019c5d2e8a41", "object": "text_completion", "created": CREATED, "model": "sandbox/echo"}
_SAID = "You said: Once upon a time"
COMPLETION_REQUESTS: dict[str, Any] = {
    "whole": {
        "summary": "The whole answer at once",
        "value": {"model": "sandbox/echo", "prompt": "Once upon a time", "max_tokens": 32},
    },
}
COMPLETION_ANSWER: dict[str, Any] = {
    **_TEXT,
    "choices": [{"index": 0, "text": _SAID, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 7, "total_tokens": 11},
}
COMPLETION_STREAM = _events(
    {**_TEXT, "choices": [{"index": 0, "text": _SAID, "logprobs": None, "finish_reason": None}]},
    {**_TEXT, "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]},
)

EMBEDDINGS_REQUESTS: dict[str, Any] = {
    "two": {
        "summary": "Two texts",
        "value": {"model": "sandbox/embedding", "input": ["a fox", "a dog"], "dimensions": 4},
    },
}
EMBEDDINGS_ANSWER: dict[str, Any] = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.51, -0.32, 0.64, 0.47]},
        {"object": "embedding", "index": 1, "embedding": [0.49, -0.28, 0.69, 0.45]},
    ],
    "model": "sandbox/embedding",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}

RECEIPT: dict[str, Any] = {
    "id": REQUEST_ID,
    "object": "generation",
    "status": "ended",
    "model_requested": "gpt-4o-mini",
    "model": "gpt-4o-mini",
    "provider": "openai",
    "upstream_model": "gpt-4o-mini",
    "stream": False,
    "api_key_id": 7,
    "project_id": None,
    "max_tokens": None,
    "price_version": 12,
    "charge_price_version": None,
    "markup_basis_points": 0,
    "admitted_at": "2026-11-20T12:30:00.120000+00:00",
    "http_status": 200,
    "error_code": None,
    "finish_reason": "stop",
    "tokens": {
        "input": 9, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "audio_input": 0, "image_input": 0,
        "output": 5, "reasoning": 0, "audio_output": 0, "image_output": 0,
    },
    "usage_source": "provider",
    "rule": "complete",
    "held": "0.000612",
    "cost": "0.00000435",
    "first_token_ms": 412,
    "duration_ms": 655,
    "ended_at": "2026-11-20T12:30:00.775000+00:00",
    "attempts": [{"provider": "openai", "status": 200, "error_code": "", "ms": 401}],
}  # fmt: skip

_BUCKET = {"object": "bucket", "start_time": CREATED, "end_time": CREATED + 86_400}
_PAGE = {"object": "page", "has_more": False, "next_page": None}
USAGE: dict[str, Any] = {
    **_PAGE,
    "data": [
        {
            **_BUCKET,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 63, "input_cached_tokens": 2, "input_uncached_tokens": 49,
                    "input_cache_write_tokens": 12, "input_text_tokens": 1, "input_audio_tokens": 16,
                    "input_image_tokens": 32, "output_tokens": 960, "output_text_tokens": 192,
                    "output_audio_tokens": 256, "output_image_tokens": 512, "num_model_requests": 2,
                    "project_id": None, "user_id": None, "api_key_id": None, "model": "gpt-4o-mini", "batch": None,
                    "service_tier": None,
                }
            ],
        }
    ],
}  # fmt: skip
COSTS: dict[str, Any] = {
    **_PAGE,
    "data": [
        {
            **_BUCKET,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": 1.500000001, "currency": "usd", "exact": "1.500000001"},
                    "project_id": None, "user_id": None, "api_key_id": None, "line_item": "gpt-4o-mini",
                    "quantity": None,
                }
            ],
        }
    ],
}  # fmt: skip
SIGNING_KEYS: dict[str, Any] = {
    "keys": [
        {
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "1",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }
    ]
}  # fmt: skip
ERROR: dict[str, Any] = {
    "error": {
        "message": "Invalid value for 'temperature': it must be less than or equal to 2, not 3.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "invalid_request_error",
    }
}
QUOTA_ERROR: dict[str, Any] = {
    "error": {
        "message": "This request could cost up to $0.40, and the project's budget 'staging' has $0.12 available. "
        "With max_tokens of at most 11800 it would pass.",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
        "limit": {
            "scope": "project", "budget_id": 7, "name": "staging", "limit": "5.00", "spent": "4.80", "held": "0.08",
            "available": "0.12", "request_bound": "0.40", "resets_at": "2026-12-01T00:00:00+00:00",
            "max_tokens": 11800,
        },
    }
}  # fmt: skip
