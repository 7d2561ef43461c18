"""Reading a stream of Anthropic's events as a client of OpenAI's would."""

from __future__ import annotations

from typing import Any

from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.providers.anthropic import Anthropic
from tests.gateway import streams
from tests.gateway.anthropic.events import Event, wire
from tests.gateway.anthropic.rules import USER

LOOK = {"type": "function", "function": {"name": "look"}}


def run(*events: Event, usage: bool = False, asked: dict[str, Any] | None = None, **target: Any) -> streams.Outcome:
    call = streams.call({"messages": [USER], "stream": True, **(asked or {})}, kind="anthropic", usage=usage, **target)
    return streams.run(Anthropic(), call, [wire(events)])


def chunks(*events: Event, usage: bool = False, **fields: Any) -> list[dict[str, Any]]:
    """The chunks of a stream that ended well, valid by the invariants and by OpenAI's own client."""
    outcome = run(*events, usage=usage, **fields)
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)
    state = ChatCompletionStreamState()
    for chunk in outcome.chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return outcome.chunks


def deltas(*events: Event, **fields: Any) -> list[dict[str, Any]]:
    """What the chunks between the role and the finish say."""
    first, *between, last = [chunk["choices"][0] for chunk in chunks(*events, **fields)]
    assert first["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert last["delta"] == {}
    assert all(choice["finish_reason"] is None for choice in (first, *between))
    return [choice["delta"] for choice in between]


def arguments(made: list[dict[str, Any]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in made:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                found[call["index"]] = found.get(call["index"], "") + call["function"].get("arguments", "")
    return found
