"""What schemathesis makes up, put so that it reaches something. What is wrong with a request stays wrong."""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest
import schemathesis
from schemathesis.core.parameters import ParameterLocation

from gateway import chat_rules
from gateway.errors import ApiError
from gateway.schemas import ChatCompletionRequest

# A made-up model is a 404, which tells little. Left out: `error` answers 500 because that is what it is for, and `slow`
# takes its time.
CHAT = ("echo", "length", "tool", "refuse", "rate-limit")
STREAMED = (*CHAT, "stream-error", "stream-cut")  # unstreamed, these two answer 502
OTHERS = {"/v1/completions": "echo", "/v1/embeddings": "embedding"}
AT_ODDS = frozenset(
    {"stream_options", "top_logprobs", "audio", "modalities", "tools", "tool_choice", "functions", "function_call"}
)
MOST_DIMENSIONS = 4096  # of sandbox/embedding: what other models take, they know


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: Any, kwargs: Any) -> None:
    wrong = case.meta.phase.data.parameter_location if case.meta.generation.mode.is_negative else None
    if isinstance(case.body, dict) and wrong in {None, ParameterLocation.BODY}:
        case.body = _sent_somewhere(case.path, _whole(case.body))
    if wrong is None:
        if isinstance(case.body, dict) and len(repr(case.body)) % 2:
            case.body = _agreeing(case.body)
        if isinstance(case.body, dict) and isinstance(case.body.get("dimensions"), int):
            case.body = {**case.body, "dimensions": min(case.body["dimensions"], MOST_DIMENSIONS)}
        if "Idempotency-Key" in case.headers:  # with another body, one that was used before is refused
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
        if int(str(case.path_parameters.get("request_id", "1"))[-1], 16) % 2 == 0:
            case.path_parameters["request_id"] = os.environ["RECEIPT"]  # every other one is a receipt that there is


@schemathesis.check
def fields_that_are_right_are_refused_only_for_one_another(ctx: Any, response: Any, case: Any) -> None:
    """What the schema takes the gateway's own model of it takes too; beyond it there are only the rules of chat."""
    right = not case.meta.generation.mode.is_negative and isinstance(case.body, dict)
    if right and case.path == "/v1/chat/completions" and response.status_code == 400:
        ChatCompletionRequest.model_validate(case.body)
        with pytest.raises(ApiError):
            chat_rules.check(case.body)


def _agreeing(body: dict[str, Any]) -> dict[str, Any]:
    """Without what most often contradicts something else."""
    body = {name: value for name, value in body.items() if name not in AT_ODDS}
    return {**body, "messages": [{"role": "user", "content": "Hello!"}]} if "messages" in body else body


def _sent_somewhere(path: str, body: dict[str, Any]) -> dict[str, Any]:
    model = body.get("model")
    if isinstance(model, str) and model:
        chat = STREAMED if body.get("stream") is True else CHAT
        body["model"] = f"sandbox/{OTHERS.get(path) or chat[len(repr(body)) % len(chat)]}"
    return body


def _whole(value: Any) -> Any:
    """JSON Schema counts 3.0 among the integers; OpenAI's API and ours want one written as 3."""
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
