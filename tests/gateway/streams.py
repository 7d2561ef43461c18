"""Running a provider's stream translator over bytes, and what must hold of whatever it makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import ApiError
from gateway.providers.base import ChatCall, ChunkStream, Provider, Target
from gateway.sse import Parser


def call(body: dict[str, Any], *, kind: str = "openai", usage: bool = True, **target: Any) -> ChatCall:
    """A call of `body` to a model named `public-model` here and `upstream-model` there."""
    options = {"stream_options": {"include_usage": True}} if usage and body.get("stream") else {}
    fields: dict[str, Any] = {
        "provider": "fake",
        "kind": kind,
        "base_url": "http://127.0.0.1:9/v1",
        "credential": "upstream-secret",
        "model": "public-model",
        "upstream_model": "upstream-model",
    }
    fields.update(target)
    return ChatCall(
        body={**body, **options},
        target=Target(**fields),
        request_id="0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
        created=1_800_000_000,
    )


@dataclass
class Outcome:
    """What came out of a stream."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    error: ApiError | None = None
    translator: ChunkStream | None = None


def run(provider: Provider, chat: ChatCall, pieces: list[bytes]) -> Outcome:
    """Feed `pieces` as they would come from the network."""
    translator = provider.stream(chat)
    outcome = Outcome(translator=translator)
    parser = Parser()
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                outcome.chunks += [json.loads(payload) for payload in translator.feed(event)]
        for event in parser.end():
            outcome.chunks += [json.loads(payload) for payload in translator.feed(event)]
        outcome.chunks += [json.loads(payload) for payload in translator.end()]
    except ApiError as error:
        outcome.error = error
    return outcome


def assert_well_formed(chunks: list[dict[str, Any]], *, usage: bool) -> None:
    """The invariants every complete stream keeps, whoever sent it."""
    finishes: dict[int, str] = {}
    tools: dict[tuple[int, int], dict[str, str]] = {}
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["model"] == "public-model"
        assert ("usage" in chunk) is usage
        for choice in chunk["choices"]:
            index, delta = choice["index"], choice["delta"]
            assert index not in finishes, "something followed the finish chunk"
            _note_tools(tools, index, delta)
            if choice["finish_reason"] is not None:
                finishes[index] = choice["finish_reason"]
    assert finishes
    assert set(finishes.values()) <= {"stop", "length", "tool_calls", "content_filter", "function_call"}
    for of_choice in {choice for choice, _ in tools}:
        assert [index for choice, index in tools if choice == of_choice] == list(
            range(sum(choice == of_choice for choice, _ in tools))
        )
    for tool in tools.values():
        assert tool["id"]
        assert tool["name"]
        assert isinstance(json.loads(tool["arguments"]), dict)
    if usage:
        _assert_usage(chunks)


def _note_tools(tools: dict[tuple[int, int], dict[str, str]], choice: int, delta: dict[str, Any]) -> None:
    for part in delta.get("tool_calls") or ():
        key = (choice, part["index"])
        function = part.get("function") or {}
        if key not in tools:
            tools[key] = {"id": part["id"], "name": function["name"], "arguments": ""}
        tools[key]["arguments"] += function.get("arguments") or ""


def _assert_usage(chunks: list[dict[str, Any]]) -> None:
    *before, last = chunks
    assert all(chunk["usage"] is None for chunk in before)
    assert last["choices"] == []
    counts = last["usage"]
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]
    assert (counts.get("prompt_tokens_details") or {}).get("cached_tokens", 0) <= counts["prompt_tokens"]
    assert (counts.get("completion_tokens_details") or {}).get("reasoning_tokens", 0) <= counts["completion_tokens"]


def text(chunks: list[dict[str, Any]], key: str = "content") -> str:
    return "".join(choice["delta"].get(key) or "" for chunk in chunks for choice in chunk["choices"])
