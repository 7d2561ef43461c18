"""Custom tools take and give free text: a server that has them sends calls without a function."""

from __future__ import annotations

import json
from typing import Any

from gateway.providers.openai_compatible import OpenAICompatible
from tests.gateway import streams
from tests.gateway.vendors.quirks import COUNTS, DONE, chunk

CUSTOM: dict[str, Any] = {
    "model": "public-model",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "custom", "custom": {"name": "grep"}}],
}


def test_calls_of_custom_tools_keep_their_text() -> None:
    chat = streams.call({**CUSTOM, "stream": True}, usage=False)
    begun = {"index": 1, "id": "c1", "type": "custom", "custom": {"name": "grep", "input": "fo"}}
    pieces = [chunk({"tool_calls": [call]}) for call in (begun, {"index": 1, "custom": {"input": "o"}})]
    outcome = streams.run(OpenAICompatible(), chat, [*pieces, chunk({}, "tool_calls"), DONE])
    fragments = [one for told in outcome.chunks for one in told["choices"][0]["delta"].get("tool_calls") or ()]
    assert fragments == [{**begun, "index": 0}, {"index": 0, "custom": {"input": "o"}}]


def test_a_whole_answer_may_call_custom_tools() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": "foo"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": COUNTS}
    completion = OpenAICompatible().response(streams.call(CUSTOM), json.dumps(answer).encode())
    assert completion.body["choices"][0]["message"]["tool_calls"] == [call]
