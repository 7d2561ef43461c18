"""Anthropic's stream of events as `chat.completion.chunk`s.

Text is the hot path: everything of a chunk but its delta is made once and joined to the delta as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from billing.usage import Usage
from gateway import errors
from gateway.providers.base import ChatCall, ChunkStream
from gateway.sse import Event
from gateway.translation.anthropic_answer import (
    annotation,
    call_header,
    citation_of,
    explanation,
    finish_reason,
    free_text,
    read_object,
    service_tier,
)
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_errors import error_in_body
from gateway.translation.anthropic_names import Reading
from gateway.translation.anthropic_thoughts import thought
from gateway.translation.anthropic_usage import usage_of

_TEXT = b'{"content":'
_REASONING = b'{"reasoning_content":'
_REFUSAL = b'{"refusal":'
_ROLE = b'{"role":"assistant","content":"","refusal":null}'


@dataclass(slots=True)
class _Block:
    """A content block that is open. `call` counts the caller's tool calls from 0, which is not the block's index."""

    kind: str
    start: int = 0  # characters of content before it
    id: str = ""
    call: int = -1
    takes: str = "function"  # or custom: what the called tool is
    input: dict[str, Any] = field(default_factory=dict)
    argued: bool = False  # whether any arguments have been passed on
    text: list[str] = field(default_factory=list)  # of a thought, or of a custom tool's arguments
    signature: str = ""
    cited: list[dict[str, Any]] = field(default_factory=list)


class MessageStream(ChunkStream):
    """One streamed answer. Raises `ApiError` for an error event, and at the end for a stream that was cut."""

    def __init__(self, call: ChatCall) -> None:
        super().__init__(call)
        self._reading = Reading.of(call, Capabilities.of(call.target.capabilities))
        self._begin({})
        self._tail = b',"usage":null}' if call.include_usage else b"}"
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._tail
        self._after_text = b"}" + self._after
        self._handlers: dict[str, Callable[[dict[str, Any]], list[bytes]]] = {
            "message_start": self._message_start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
        }
        self._message_id: object = None
        self._begun = False
        self._done = False
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._thoughts = 0
        self._annotations = 0
        self._said = 0  # characters of content
        self._counts: dict[str, Any] = {}
        self._stop_reason: object = None
        self._refusal: str | None = None

    def _begin(self, more: dict[str, str]) -> None:
        """Make what every chunk begins with."""
        head = {
            "id": f"chatcmpl-{self.call.request_id}",
            "object": "chat.completion.chunk",
            "created": self.call.created,
            "model": self.call.target.model,
            **more,
        }
        self._head = orjson.dumps(head)[:-1]
        self._before = self._head + b',"choices":[{"index":0,"delta":'

    def feed(self, event: Event) -> list[bytes]:
        if self._done or not event.data or event.data.isspace():
            return []
        payload = read_object(event.data)
        kind = payload.get("type") or event.name
        handler = self._handlers.get(str(kind))
        if handler is not None:
            if not self._begun and kind != "message_start":
                raise errors.upstream_unavailable("Anthropic's stream did not begin with message_start")
            return handler(payload)
        if kind == "error" or payload.get("error"):
            raise error_in_body(self.call, payload)
        return []  # ping, and events that are newer than this code

    def end(self) -> list[bytes]:
        if not self._done:
            raise errors.upstream_cut(f"{self.call.target.provider} ended its stream without message_stop")
        return []

    def _message_start(self, payload: dict[str, Any]) -> list[bytes]:
        message = _object(payload.get("message"))
        if self._begun:
            if message.get("id") == self._message_id:
                return []  # some proxies say it twice
            raise errors.upstream_unavailable("a second message began inside Anthropic's stream")
        self._begun, self._message_id = True, message.get("id")
        self._count(message.get("usage"))
        self._begin(service_tier(self.call, message.get("usage")))
        return [self._chunk(_ROLE)]

    def _block_start(self, payload: dict[str, Any]) -> list[bytes]:
        content, index = _object(payload.get("content_block")), _index(payload)
        block = _Block(str(content.get("type")), self._said, _string(content.get("id")))
        before = self._blocks.get(index)
        if before is not None and before.id and (before.kind, before.id) == (block.kind, block.id):
            return []  # said twice
        chunks = [] if before is None else self._close(before)
        self._blocks[index] = block
        return chunks + self._open(block, content)

    def _open(self, block: _Block, content: dict[str, Any]) -> list[bytes]:
        if block.kind == "tool_use":
            return self._call_start(block, content)
        if block.kind == "text":
            self._cite(block, *_list(content.get("citations")))
            return self._text(content.get("text"))
        if block.kind == "thinking":
            block.signature = _string(content.get("signature"))
            return self._think(block, content.get("thinking"))
        if block.kind == "redacted_thinking":
            return self._thought(thought(block.kind, None, None, content.get("data")))
        return []

    def _call_start(self, block: _Block, content: dict[str, Any]) -> list[bytes]:
        block.input = _object(content.get("input"))
        if self._reading.answer_tool is not None and content.get("name") == self._reading.answer_tool:
            block.kind = "answer"
            return []
        identity, block.takes, name = call_header(self.call, self._reading, content, self._calls)
        block.call = self._calls
        self._calls += 1
        self.produced.append(name)
        if self._reading.legacy:
            function = {"name": name, "arguments": ""}
            return [self._chunk(orjson.dumps({"function_call": function}))] if block.call == 0 else []
        empty = {"name": name, ("arguments" if block.takes == "function" else "input"): ""}
        header = {"index": block.call, "id": identity, "type": block.takes, block.takes: empty}
        return [self._chunk(orjson.dumps({"tool_calls": [header]}))]

    def _block_delta(self, payload: dict[str, Any]) -> list[bytes]:
        delta = _object(payload.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            return self._text(delta.get("text"))
        block = self._blocks.get(_index(payload))
        if block is None:
            return []
        if kind == "thinking_delta":
            return self._think(block, delta.get("thinking"))
        if kind == "input_json_delta":
            return self._argue(block, delta.get("partial_json"))
        if kind == "signature_delta":
            block.signature += _string(delta.get("signature"))
        if kind == "citations_delta":
            self._cite(block, delta.get("citation"))
        return []  # or of a kind that is newer than this code

    def _block_stop(self, payload: dict[str, Any]) -> list[bytes]:
        block = self._blocks.pop(_index(payload), None)
        return [] if block is None else self._close(block)

    def _close(self, block: _Block) -> list[bytes]:
        """What only the end of a block makes complete."""
        if block.kind in ("tool_use", "answer"):
            chunks = [] if block.argued else self._argue(block, orjson.dumps(block.input).decode())
            return chunks + self._free_text(block)  # a call without arguments is `{}`, never empty
        if block.kind == "thinking":
            return self._thought(thought(block.kind, "".join(block.text), block.signature, None))
        return self._annotate(block) if block.cited else []

    def _message_delta(self, payload: dict[str, Any]) -> list[bytes]:
        delta = _object(payload.get("delta"))
        self._count(payload.get("usage"))
        self._stop_reason = delta.get("stop_reason") or self._stop_reason
        self._refusal = explanation(delta.get("stop_details")) or self._refusal
        return []

    def _message_stop(self, _: dict[str, Any]) -> list[bytes]:
        chunks = [chunk for block in self._blocks.values() for chunk in self._close(block)]
        if self._refusal:
            self.produced.append(self._refusal)
            chunks.append(self._chunk(_REFUSAL + orjson.dumps(self._refusal) + b"}"))
        self._done = self.done = True
        called, legacy = self._calls > 0, self._reading.legacy
        self.finish_reason = finish_reason(self._stop_reason, called=called, legacy=legacy)
        finish = b',"logprobs":null,"finish_reason":"' + self.finish_reason.encode() + b'"}]'
        chunks.append(self._before + b"{}" + finish + self._tail)
        if self.call.include_usage:
            chunks.append(self._head + b',"choices":[],"usage":' + orjson.dumps(self._used().to_openai()) + b"}")
        return chunks

    def _text(self, text: object) -> list[bytes]:
        if not isinstance(text, str) or not text:
            return []
        self.produced.append(text)
        self._said += len(text)
        return [self._before + _TEXT + orjson.dumps(text) + self._after_text]

    def _think(self, block: _Block, text: object) -> list[bytes]:
        if not isinstance(text, str) or not text:
            return []
        block.text.append(text)
        self.produced.append(text)
        return [self._before + _REASONING + orjson.dumps(text) + self._after_text]

    def _thought(self, kept: dict[str, Any] | None) -> list[bytes]:
        """A block to send back in the next request. With an index, or client libraries cannot join the deltas."""
        if kept is None:
            return []
        entry = {"index": self._thoughts, **kept}
        self._thoughts += 1
        return [self._chunk(orjson.dumps({"thinking_blocks": [entry]}))]

    def _cite(self, block: _Block, *citations: object) -> None:
        block.cited += [cited for cited in map(citation_of, citations) if cited is not None]

    def _annotate(self, block: _Block) -> list[bytes]:
        """The pages that a text leans on, known once its end is. With an index, for the same reason."""
        made = [annotation(cited, block.start, self._said) for cited in block.cited]
        entries = [{"index": self._annotations + number, **entry} for number, entry in enumerate(made)]
        self._annotations += len(entries)
        return [self._chunk(orjson.dumps({"annotations": entries}))]

    def _free_text(self, block: _Block) -> list[bytes]:
        """A custom tool's text, in one piece: it comes as JSON, whose pieces end anywhere."""
        if block.takes != "custom":
            return []
        text = free_text("".join(block.text))
        return [self._chunk(orjson.dumps({"tool_calls": [{"index": block.call, "custom": {"input": text}}]}))]

    def _argue(self, block: _Block, part: object) -> list[bytes]:
        """Arguments of the caller's calls only: tools that run at the provider write theirs in the same way."""
        if not isinstance(part, str) or not part or block.kind not in ("tool_use", "answer"):
            return []
        block.argued = True
        if block.kind == "answer":
            return self._text(part)
        self.produced.append(part)
        if block.takes == "custom":
            block.text.append(part)
            return []
        if self._reading.legacy:
            delta: dict[str, Any] = {"function_call": {"arguments": part}}
            return [self._chunk(orjson.dumps(delta))] if block.call == 0 else []
        delta = {"tool_calls": [{"index": block.call, "function": {"arguments": part}}]}
        return [self._chunk(orjson.dumps(delta))]

    def _chunk(self, delta: bytes) -> bytes:
        return self._before + delta + self._after

    def _used(self) -> Usage:
        """The provider's counts, or ours where a compatible server gave none."""
        return self.counted() if self.usage is None else self.usage

    def _count(self, counts: object) -> None:
        """Counts are totals so far: each one that is given replaces what was known, and one that is left out stays."""
        if isinstance(counts, dict):
            self._counts |= {name: value for name, value in counts.items() if value is not None}
            self.usage = usage_of(self._counts)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(payload: dict[str, Any]) -> int:
    index = payload.get("index")
    return index if isinstance(index, int) else -1
