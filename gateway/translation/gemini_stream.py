"""Gemini's stream as `chat.completion.chunk`s. Each of its items is a whole answer, as far as it is new.

It has no last event: the body just ends. Whether the answer was complete is known by the reasons to stop that came
before, one a candidate. Older models send one with every item, so it is believed only at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from billing.usage import Usage
from gateway import errors
from gateway.providers.base import ChatCall, ChunkStream
from gateway.sse import DONE, Event
from gateway.translation.gemini_calls import Calls
from gateway.translation.gemini_errors import error_in_body
from gateway.translation.gemini_reading import (
    UNSPECIFIED,
    Reading,
    blocked,
    candidates_in,
    finish_reason,
    logprobs_of,
    parts_in,
    read_objects,
    refusal,
)
from gateway.translation.gemini_usage import usage_of

_ROLE = {"role": "assistant", "content": "", "refusal": None}


@dataclass(slots=True)
class _Choice:
    calls: Calls
    stopped: object = None  # the last reason to stop, in Gemini's words
    said: Mapping[str, Any] = field(default_factory=dict)  # the candidate that gave it


class GenerateStream(ChunkStream):
    """One streamed answer. Raises `ApiError` for an error item, and at the end for a stream that was cut."""

    def __init__(self, call: ChatCall) -> None:
        super().__init__(call)
        self._reading = Reading.of(call)
        self._choices: dict[int, _Choice] = {}
        self._counts: dict[str, Any] = {}
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{call.request_id}",
            "object": "chat.completion.chunk",
            "created": call.created,
            "model": call.target.model,
        }
        self._tail: dict[str, Any] = {"usage": None} if call.include_usage else {}

    def feed(self, event: Event) -> list[bytes]:
        if event.data == DONE:  # not Google's, but some servers in its place send it
            return []
        chunks: list[bytes] = []
        for payload in read_objects(event.data):
            if payload.get("error"):
                raise error_in_body(self.call, payload["error"])
            self._count(payload.get("usageMetadata"))
            for index, candidate in candidates_in(payload):
                chunks += self._candidate(index, candidate)
            chunks += self._blocked(payload)
        return chunks

    def end(self) -> list[bytes]:
        if not self._choices or any(choice.stopped is None for choice in self._choices.values()):
            raise errors.upstream_cut(f"{self.call.target.provider} ended its stream without a finishReason")
        chunks: list[bytes] = []
        reasons: dict[int, str] = {}
        for index, choice in sorted(self._choices.items()):
            chunks += [self._chunk(index, delta) for delta in self._called(index, choice.calls.close())]
            called = choice.calls.count > 0
            reasons[index] = finish_reason(choice.stopped, called=called, legacy=self._reading.legacy)
            why = refusal(choice.said, reasons[index])
            if why is not None:
                self.produced.append(why)
                chunks.append(self._chunk(index, {"refusal": why}))
        self.finish_reason = next(iter(reasons.values()))
        chunks += [self._chunk(index, {}, finish=reason) for index, reason in reasons.items()]
        if self.call.include_usage:
            chunks.append(orjson.dumps({**self._head, "choices": [], "usage": self._used().to_openai()}))
        return chunks

    def _candidate(self, index: int, candidate: Mapping[str, Any]) -> list[bytes]:
        chunks = self._begin(index)
        deltas = [delta for part in parts_in(candidate) for delta in self._deltas(index, part)]
        logprobs = logprobs_of(candidate)
        if logprobs and not deltas:
            deltas = [{"content": ""}]
        # They belong to the whole item, and are told once: with its words, where it has any.
        bearer = next((place for place, delta in enumerate(deltas) if "content" in delta), 0)
        chunks += [
            self._chunk(index, delta, logprobs=logprobs if place == bearer else None)
            for place, delta in enumerate(deltas)
        ]
        reason = candidate.get("finishReason")
        if reason and reason != UNSPECIFIED:
            self._choices[index].stopped, self._choices[index].said = reason, candidate
        return chunks

    def _begin(self, index: int) -> list[bytes]:
        """Choices begin in their order, whichever is heard of first: client libraries keep them in a list."""
        begun = range(len(self._choices), index + 1)
        self._choices |= {one: _Choice(Calls(self._reading, one)) for one in begun}
        return [self._chunk(one, _ROLE) for one in begun]

    def _deltas(self, index: int, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        said = self._reading.text(part)
        if said is not None:
            self.produced.append(said[1])
            return [{said[0]: said[1]}]
        return self._called(index, self._choices[index].calls.take(part))

    def _called(self, index: int, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The calls that have just become whole. The legacy form has room for the first of all only."""
        first = self._choices[index].calls.count - len(made)
        for call in made:
            self.produced += [call["function"]["name"], call["function"]["arguments"]]
        if self._reading.legacy:
            return [{"function_call": call["function"]} for call in made[: 1 if first == 0 else 0]]
        return [{"tool_calls": [{"index": first + place, **call}]} for place, call in enumerate(made)]

    def _blocked(self, payload: Mapping[str, Any]) -> list[bytes]:
        """A prompt that was refused has no candidates: the caller gets one, with nothing but the reason."""
        why = blocked(payload)
        if why is None:
            return []
        chunks = [] if self._choices else self._begin(0)
        first, *_ = self._choices
        for choice in self._choices.values():
            choice.stopped = choice.stopped or "SAFETY"
        self.produced.append(why)
        return [*chunks, self._chunk(first, {"refusal": why})]

    def _chunk(
        self, index: int, delta: Mapping[str, Any], *, logprobs: object = None, finish: str | None = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return orjson.dumps({**self._head, "choices": [choice], **self._tail})

    def _used(self) -> Usage:
        """The provider's counts, or ours where a server in its place gave none."""
        return self.counted() if self.usage is None else self.usage

    def _count(self, metadata: object) -> None:
        """Counts are totals so far: each one that is given replaces what was known, and one that is left out stays."""
        if isinstance(metadata, dict):
            self._counts |= {name: value for name, value in metadata.items() if value is not None}
            self.usage = usage_of(self._counts)
