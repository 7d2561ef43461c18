"""Models for callers to test their own programs with: no network, no money, the same answer every time.

They speak OpenAI's format on the inside too, so that a call to one of them takes the whole path of a real call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from gateway import errors, tokens
from gateway.providers.base import Answer, Call, ChatCall, Dialect, Egress, Outbound
from gateway.providers.openai import OpenAI

SLOW_SECONDS = 0.3  # between two words of sandbox/slow
REFUSAL = "I can't help with that. (sandbox/refuse always refuses.)"
MISSHAPEN = {
    "message": "The sandbox cannot read 'tools' or 'tool_choice': they are not in the shape of OpenAI's reference.",
    "type": errors.INVALID,
    "param": "tools",
    "code": "invalid_request_error",
}
LENGTH_WORDS = 8  # where sandbox/length stops when the caller names no limit


@dataclass(frozen=True, slots=True)
class Script:
    """What a sandbox model does with one request."""

    words: tuple[str, ...] = ()
    finish_reason: str = "stop"
    tool_calls: tuple[dict[str, Any], ...] = ()
    refusal: str | None = None
    pause: float = 0.0
    breaks: str = ""  # "error" or "cut": what happens to the stream half way
    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class LocalAnswer:
    """An answer made here instead of fetched."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Iterable[bytes], pause: float = 0.0) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._pause = pause

    async def chunks(self) -> AsyncGenerator[bytes]:
        for position, part in enumerate(self._body):
            if position and self._pause:
                await asyncio.sleep(self._pause)
            yield part

    async def read(self) -> bytes:
        return b"".join([part async for part in self.chunks()])

    async def aclose(self) -> None:
        """Nothing is held open."""


class Sandbox(OpenAI):
    kind: ClassVar[str] = "sandbox"
    label: ClassVar[str] = "Sandbox (built in)"
    default_base_url: ClassVar[str] = ""

    def request(self, call: ChatCall) -> Outbound:
        raise errors.internal()  # there is nobody to send it to; `send` answers

    async def send(self, call: ChatCall, egress: Egress) -> Answer:
        behaviour = BEHAVIOURS.get(call.target.upstream_model)
        if behaviour is None:
            return LocalAnswer(404, {}, [_error(f"There is no sandbox model {call.target.upstream_model}.")])
        try:
            script = behaviour(call)
        except (AttributeError, LookupError, TypeError):
            return LocalAnswer(400, {}, [orjson.dumps({"error": MISSHAPEN})])
        if script.status != 200:
            return LocalAnswer(script.status, script.headers, [orjson.dumps({"error": script.error})])
        if call.streaming:
            return LocalAnswer(200, {"content-type": "text/event-stream"}, _events(call, script), script.pause)
        if script.breaks:
            return LocalAnswer(200, {"content-type": "application/json"}, [_error("The sandbox failed half way.")])
        await asyncio.sleep(script.pause * len(script.words))
        return LocalAnswer(200, {"content-type": "application/json"}, [orjson.dumps(_whole(call, script))])

    def other_dialects(self) -> Mapping[str, Dialect[Any]]:
        from gateway.providers.sandbox_prompts import SandboxCompletions, SandboxEmbeddings

        return {"completions": SandboxCompletions(self), "embeddings": SandboxEmbeddings(self)}

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        """A sandbox failure is the very answer that was asked for, so a 500 stays a 500."""
        return errors.internal() if status == 500 else super().error(call, status, headers, body)


def _echo(call: ChatCall) -> Script:
    return _limited(call, _reply(call))


def _slow(call: ChatCall) -> Script:
    script = _echo(call)
    return Script(words=script.words, finish_reason=script.finish_reason, pause=SLOW_SECONDS)


def _length(call: ChatCall) -> Script:
    text = _reply(call) + " This goes on and on until the limit is reached, as a long answer would."
    limit = _max_tokens(call)
    return _limited(call, text) if limit else Script(tuple(words(text)[:LENGTH_WORDS]), "length")


def _tool(call: ChatCall) -> Script:
    """Call the tool the caller forced, else the first one offered; once its result is there, say what it was."""
    last = call.body["messages"][-1]
    if last.get("role") in {"tool", "function"}:
        return _limited(call, f"The tool answered: {tokens.text_of(last.get('content'))}")
    offered = [tool["function"] for tool in call.body.get("tools") or () if tool.get("type") == "function"]
    choice = call.body.get("tool_choice")
    named = choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None
    function: dict[str, Any] = next((f for f in offered if named in {None, f.get("name")}), {"name": "get_weather"})
    return Script(
        tool_calls=(
            {
                "id": f"call_{call.request_id.replace('-', '')[-24:]}",
                "type": "function",
                "function": {
                    "name": function["name"],
                    "arguments": orjson.dumps(_arguments(function.get("parameters") or {})).decode(),
                },
            },
        ),
        finish_reason="tool_calls",
    )


def _refuse(call: ChatCall) -> Script:
    return Script(refusal=REFUSAL, finish_reason="content_filter")


def _rate_limit(call: ChatCall) -> Script:
    error = {"message": "The sandbox is at its rate limit.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    return Script(status=429, error=error, headers={"retry-after": "2"})


def _failing(call: ChatCall) -> Script:
    return Script(status=500, error={"message": "The sandbox failed.", "type": "server_error", "code": None})


def _stream_error(call: ChatCall) -> Script:
    return Script(tuple(words(_reply(call))), breaks="error")


def _stream_cut(call: ChatCall) -> Script:
    return Script(tuple(words(_reply(call))), breaks="cut")


BEHAVIOURS: dict[str, Callable[[ChatCall], Script]] = {
    "echo": _echo,
    "slow": _slow,
    "length": _length,
    "tool": _tool,
    "refuse": _refuse,
    "rate-limit": _rate_limit,
    "error": _failing,
    "stream-error": _stream_error,
    "stream-cut": _stream_cut,
}


def _reply(call: ChatCall) -> str:
    asked = [m for m in call.body["messages"] if m.get("role") == "user"]
    text = tokens.text_of(asked[-1].get("content")) if asked else ""
    return f"You said: {text}" if text else "You said nothing."


def words(text: str) -> list[str]:
    """Pieces that join to `text` again, a word and the space after it in each."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _max_tokens(call: ChatCall) -> int | None:
    limit = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    return limit if isinstance(limit, int) else None


def _limited(call: ChatCall, text: str) -> Script:
    """All of `text`, or as many words of it as the caller's limit and stop sequences let through."""
    stops = call.body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop, 1)[0] if stop else text
    limit, pieces = _max_tokens(call), words(text)
    if limit is None:
        return Script(tuple(pieces))
    said: list[str] = []
    for word in pieces:
        if tokens.count("".join([*said, word])) > limit:
            return Script(tuple(said), "length")
        said.append(word)
    return Script(tuple(said))


def _arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value of the right type for each required property (for each one, when none is required)."""
    properties = schema.get("properties") or {}
    names = schema.get("required") or list(properties)
    return {name: _value(properties.get(name) or {}) for name in names}


def _value(schema: Mapping[str, Any]) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    simple: dict[Any, Any] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "null": None}
    if kind == "object":
        return _arguments(schema)
    return simple.get(kind, "sandbox") if not isinstance(kind, list) else "sandbox"


def _usage(call: ChatCall, script: Script) -> dict[str, Any]:
    said = "".join(script.words) + (script.refusal or "")
    calls = "".join(c["function"]["name"] + c["function"]["arguments"] for c in script.tool_calls)
    prompt, completion = tokens.count_messages(call.body["messages"]), tokens.count(said + calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _whole(call: ChatCall, script: Script) -> dict[str, Any]:
    silent = bool(script.tool_calls or script.refusal)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent else "".join(script.words),
        "refusal": script.refusal,
    }
    if script.tool_calls:
        message["tool_calls"] = list(script.tool_calls)
    count = call.body.get("n") or 1
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": script.finish_reason}
        for index in range(count)
    ]
    return {**_head(call, "chat.completion"), "choices": choices, "usage": _usage(call, script)}


def _head(call: ChatCall, kind: str) -> dict[str, Any]:
    identity = f"chatcmpl-{call.request_id.replace('-', '')}"
    return {"id": identity, "object": kind, "created": call.created, "model": call.target.upstream_model}


def _events(call: ChatCall, script: Script) -> Iterable[bytes]:
    """The stream, an event at a time; of two choices, the second says what the first does."""
    yield from (_chunk(call, i, {"role": "assistant", "content": "", "refusal": None}) for i in _choices(call))
    deltas = _deltas(script)
    for position, delta in enumerate(deltas):
        if script.breaks and position >= max(1, len(deltas) // 2):
            if script.breaks == "error":
                yield b"data: " + _error("The sandbox failed half way.") + b"\n\n"
            return
        yield from (_chunk(call, i, delta) for i in _choices(call))
    yield from (_chunk(call, i, {}, script.finish_reason) for i in _choices(call))
    usage = {**_head(call, "chat.completion.chunk"), "choices": [], "usage": _usage(call, script)}
    yield b"data: " + orjson.dumps(usage) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _choices(call: ChatCall) -> range:
    return range(call.body.get("n") or 1)


def _deltas(script: Script) -> list[dict[str, Any]]:
    if script.refusal:
        return [{"refusal": word} for word in words(script.refusal)]
    if not script.tool_calls:
        return [{"content": word} for word in script.words]
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(script.tool_calls):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        header = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [header]})
        for start in range(0, len(arguments), 12):
            piece = {"index": index, "function": {"arguments": arguments[start : start + 12]}}
            deltas.append({"tool_calls": [piece]})
    return deltas


def _chunk(call: ChatCall, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return b"data: " + orjson.dumps({**_head(call, "chat.completion.chunk"), "choices": [choice]}) + b"\n\n"


def _error(message: str) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": "sandbox_error"}})
