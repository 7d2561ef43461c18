"""What Anthropic really sent, read where the recordings lie beside the checkout."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.providers.anthropic import Anthropic
from gateway.sse import Parser
from tests.gateway import streams
from tests.gateway.anthropic.rules import USER
from tests.gateway.transcripts import Case, cases

RECORDED = cases("anthropic")
BROKEN = {"anthropic/error-mid-text-stream": "overloaded", "anthropic/cut-mid-tool-stream": "upstream_incomplete"}
STREAMS = [case for case in RECORDED if case.stream and case.name not in BROKEN]
ANSWERS = [case for case in RECORDED if not case.stream and case.status == 200]
FAILURES = [case for case in RECORDED if case.status != 200]
CALL = streams.call({"messages": [USER], "stream": True}, kind="anthropic")


def blocks_of(body: bytes) -> list[dict[str, Any]]:
    """The blocks of a recorded stream, put together without the code that is tested."""
    blocks: dict[int, dict[str, Any]] = {}
    for event in Parser().feed(body):
        payload = json.loads(event.data)
        if payload["type"] == "content_block_start":
            blocks[payload["index"]] = {**payload["content_block"], "json": ""}
        elif payload["type"] == "content_block_delta":
            block, delta = blocks[payload["index"]], payload["delta"]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["thinking"] = block.get("thinking", "") + delta.get("thinking", "")
            block["json"] += delta.get("partial_json", "")
    return list(blocks.values())


def joined(blocks: list[dict[str, Any]], kind: str) -> str:
    return "".join(block.get(kind) or "" for block in blocks if block["type"] == kind)


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_recorded_stream_keeps_every_invariant(case: Case) -> None:
    outcome = streams.run(Anthropic(), CALL, [case.body])
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=True)
    state = ChatCompletionStreamState()
    for chunk in outcome.chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    blocks = blocks_of(case.body)
    assert streams.text(outcome.chunks) == joined(blocks, "text")
    assert streams.text(outcome.chunks, "reasoning_content") == joined(blocks, "thinking")
    snapshot = state.current_completion_snapshot.choices[0].message
    assert [(call.id, json.loads(call.function.arguments)) for call in snapshot.tool_calls or ()] == [
        (block["id"], json.loads(block["json"] or "{}")) for block in blocks if block["type"] == "tool_use"
    ]


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_recorded_stream_may_be_cut_into_bytes(case: Case) -> None:
    whole = streams.run(Anthropic(), CALL, [case.body]).chunks
    for size in (1, 2, 3, 7, 1000):
        pieces = [case.body[at : at + size] for at in range(0, len(case.body), size)]
        assert streams.run(Anthropic(), CALL, pieces).chunks == whole


@pytest.mark.parametrize("case", [case for case in RECORDED if case.name in BROKEN], ids=str)
def test_a_recorded_stream_that_breaks_ends_in_its_error(case: Case) -> None:
    outcome = streams.run(Anthropic(), CALL, [case.body])
    assert outcome.error is not None
    assert outcome.error.code == BROKEN[case.name]
    assert outcome.chunks
    assert all(choice["finish_reason"] is None for chunk in outcome.chunks for choice in chunk["choices"])


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_a_recorded_answer_becomes_a_completion(case: Case) -> None:
    made = Anthropic().response(CALL, case.body)
    ChatCompletion.model_validate(made.body)
    recorded = json.loads(case.body)
    message, counts = made.body["choices"][0]["message"], made.body["usage"]
    assert (message["content"] or "") == joined(recorded["content"], "text")
    assert message.get("reasoning_content", "") == joined(recorded["content"], "thinking")
    assert [json.loads(call["function"]["arguments"]) for call in message.get("tool_calls", ())] == [
        block["input"] for block in recorded["content"] if block["type"] == "tool_use"
    ]
    usage = recorded["usage"]
    caches = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    assert counts["prompt_tokens"] == usage["input_tokens"] + caches
    assert counts["completion_tokens"] == usage["output_tokens"]
    assert counts["prompt_tokens_details"]["cached_tokens"] == usage["cache_read_input_tokens"]
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]


@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_a_recorded_error_is_told_in_openais_shape(case: Case) -> None:
    made = Anthropic().error(CALL, case.status, case.headers, case.body)
    told = {400: (400, "context_length_exceeded"), 401: (502, "upstream_authentication_error")}[case.status]
    assert (made.status, made.code) == told
