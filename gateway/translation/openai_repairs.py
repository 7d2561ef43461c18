"""What servers that speak OpenAI's format are known to get wrong, put right in place.

Client libraries are written against OpenAI: a call that is numbered from 1, a role that comes twice, an `arguments`
that is no JSON makes them raise. What a server adds of its own stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall

TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})  # OpenAI's words for `service_tier`


@dataclass(frozen=True, slots=True)
class Endings:
    """A server's own words for how an answer ended."""

    words: Mapping[str, str] = field(default_factory=dict)  # in OpenAI's
    failures: frozenset[str] = frozenset({"error"})  # those that are none: the answer broke off

    def read(self, finish: object) -> str | None:
        """OpenAI's word, or None as long as it goes on. Raises `ApiError` (502) when the answer broke off."""
        if not finish or not isinstance(finish, str):
            return None
        if finish in self.failures:
            raise errors.from_upstream(502, hint=f"the provider ended its answer with finish_reason {finish!r}")
        return self.words.get(finish, finish)


@dataclass(slots=True)
class _Call:
    """A tool call that is being streamed."""

    number: int
    id: str
    filled: bool = False  # whether any of its arguments have come


@dataclass(slots=True)
class _Choice:
    begun: bool = False
    blank: bool = False  # its last chunk says that it is finished, but not why
    calls: list[_Call] = field(default_factory=list)
    known: dict[object, _Call] = field(default_factory=dict)  # by the server's index, or else by id
    last: _Call | None = None  # the one that had a piece last


class StreamRepairs:
    """Mends the chunks of one stream, which all get the identity of the first. Tool calls are numbered from 0 in order
    of appearance, and each has its id and its name once."""

    def __init__(self, call: ChatCall, endings: Endings) -> None:
        self._call = call
        self._endings = endings
        self._identity: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def mend(self, chunk: dict[str, Any]) -> None:
        if not self._identity:
            self._identity = _identity(chunk, self._call)
        chunk.update(self._identity)
        chunk["object"] = "chat.completion.chunk"
        _drop_foreign_tier(chunk)
        for choice in chunk.get("choices") or ():
            self._mend(choice)

    def unsaid(self) -> dict[int, str]:
        """By index, what the choices must have ended with that a server called finished without saying why."""
        return {
            index: "tool_calls" if choice.calls else "stop" for index, choice in self._choices.items() if choice.blank
        }

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._identity, "object": "chat.completion.chunk", "choices": choices}

    def _mend(self, choice: dict[str, Any]) -> None:
        index = choice["index"] = choice.get("index") or 0
        state = self._choices.setdefault(index, _Choice())
        state.blank = choice.get("finish_reason") == ""
        choice["finish_reason"] = finish = self._endings.read(choice.get("finish_reason"))
        delta = choice["delta"] = choice.get("delta") or {}
        move_reasoning(delta)
        if state.begun:
            delta.pop("role", None)
        else:
            state.begun = True
            delta["role"] = "assistant"
        for key, value in delta.items():
            if isinstance(value, list) and key != "tool_calls":
                _number(value)
        fragments = delta.get("tool_calls")
        if fragments:
            delta["tool_calls"] = [self._fragment(fragment, state, index) for fragment in fragments]
        elif "tool_calls" in delta:
            del delta["tool_calls"]
        if finish and state.calls:
            _fill(delta, state)

    def _fragment(self, fragment: dict[str, Any], state: _Choice, choice: int) -> dict[str, Any]:
        """One call's piece. By index where the server gives one, else by id; with neither it belongs to the call
        before it, unless it brings a name."""
        custom = fragment.get("custom")
        if isinstance(custom, dict):
            function = custom
        else:
            function = fragment["function"] = fragment.get("function") or {}
            _as_text(function)
        index, given, name = fragment.get("index"), fragment.get("id") or "", function.get("name")
        key = given if index is None else index
        call = state.known.get(key)
        if call is None and not (name or given):
            call = state.last
        if call is None or (name and given and call.id != given):  # some give all of them the same index
            call = self._begin(fragment, state, choice)
            if key != "":
                state.known[key] = call
        else:
            for once in ("id", "type"):
                fragment.pop(once, None)
            function.pop("name", None)
        state.last = call
        fragment["index"] = call.number
        call.filled = call.filled or function is custom or bool(function.get("arguments", "").strip())
        return fragment

    def _begin(self, fragment: dict[str, Any], state: _Choice, choice: int) -> _Call:
        number = len(state.calls)
        fragment["id"] = fragment.get("id") or made_id(self._call, choice, number)
        fragment["type"] = fragment.get("type") or ("function" if "function" in fragment else "custom")
        if "function" in fragment:
            fragment["function"].setdefault("arguments", "")
        state.calls.append(_Call(number, fragment["id"]))
        return state.calls[-1]


def mend_answer(payload: dict[str, Any], call: ChatCall, endings: Endings) -> None:
    """The same for an answer that was not streamed."""
    payload.update(_identity(payload, call))
    payload["object"] = "chat.completion"
    _drop_foreign_tier(payload)
    for choice in payload["choices"]:
        index = choice["index"] = choice.get("index") or 0
        message = choice["message"] = choice.get("message") or {}
        message.setdefault("role", "assistant")
        move_reasoning(message)
        message.setdefault("content", None)
        for number, made in enumerate(message.get("tool_calls") or ()):
            made.pop("index", None)
            made["id"] = made.get("id") or made_id(call, index, number)
            if isinstance(made.get("custom"), dict):  # free text, which needs no mending
                made["type"] = "custom"
                continue
            made["type"] = made.get("type") or "function"
            _as_text(made["function"])
            made["function"]["arguments"] = made["function"].get("arguments", "").strip() or "{}"
        ended = endings.read(choice.get("finish_reason"))
        choice["finish_reason"] = ended or ("tool_calls" if message.get("tool_calls") else "stop")


def mend_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Counts that add up: xAI has reasoning beside the completion, others leave the total out or count more of a part
    than of the whole. And what DeepSeek read from its cache, where client libraries look for it."""
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    details = usage.get("completion_tokens_details") or {}
    reasoning = details.get("reasoning_tokens") or 0
    total = usage.get("total_tokens")
    if reasoning > 0 and total == prompt + completion + reasoning:
        completion += reasoning
    mended = {**usage, "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    if reasoning > completion:
        mended["completion_tokens_details"] = {**details, "reasoning_tokens": completion}
    hit, of_prompt = usage.get("prompt_cache_hit_tokens"), usage.get("prompt_tokens_details") or {}
    if isinstance(hit, int) and not of_prompt.get("cached_tokens"):
        mended["prompt_tokens_details"] = {**of_prompt, "cached_tokens": min(hit, prompt)}
    return mended


def move_reasoning(message: dict[str, Any]) -> None:
    """Ollama, Groq and OpenRouter say `reasoning`; Mistral mixes thinking parts into `content`."""
    if "reasoning" in message and isinstance(message["reasoning"], str | None):
        reasoning = message.pop("reasoning")
        if reasoning is not None:
            message.setdefault("reasoning_content", reasoning)
    content = message.get("content")
    if not isinstance(content, list):
        return
    thought = "".join(_thought(part) for part in content)
    message["content"] = "".join(_written(part) for part in content)
    if thought:
        message["reasoning_content"] = thought


def made_id(call: ChatCall, choice: int, number: int) -> str:
    """An id for a tool call that came without: the same each time it is asked for."""
    return f"call_{call.request_id.replace('-', '')[-20:]}_{choice}_{number}"


def _identity(payload: Mapping[str, Any], call: ChatCall) -> dict[str, Any]:
    return {
        "id": payload.get("id") or f"chatcmpl-{call.request_id}",
        "created": payload.get("created") or call.created,
    }


def _drop_foreign_tier(payload: dict[str, Any]) -> None:
    """Libraries that check what they are sent refuse a whole answer for a tier that OpenAI has not."""
    if payload.get("service_tier") not in TIERS:
        payload.pop("service_tier", None)


def _number(entries: list[Any]) -> None:
    """Libraries that put deltas together want to know which entry of a list a piece belongs to."""
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            entry.setdefault("index", number)


def _as_text(function: dict[str, Any]) -> None:
    """Arguments are text that holds JSON. Some send the object, or null."""
    arguments = function.get("arguments")
    if arguments is None:
        function.pop("arguments", None)
    elif not isinstance(arguments, str):
        function["arguments"] = orjson.dumps(arguments).decode()


def _fill(delta: dict[str, Any], state: _Choice) -> None:
    """A call of a function without parameters may end without arguments, and those are no JSON."""
    here = {fragment["index"]: fragment["function"] for fragment in delta.get("tool_calls") or ()}
    missing = [call for call in state.calls if not call.filled]
    for call in missing:
        call.filled = True
        if call.number in here:
            here[call.number]["arguments"] = "{}"
        else:
            piece = {"index": call.number, "function": {"arguments": "{}"}}
            delta["tool_calls"] = [*delta.get("tool_calls", ()), piece]


def _thought(part: object) -> str:
    if not isinstance(part, dict) or part.get("type") != "thinking":
        return ""
    inner = part.get("thinking")
    if isinstance(inner, str):
        return inner
    return "".join(piece.get("text") or "" for piece in inner or () if isinstance(piece, dict))


def _written(part: object) -> str:
    if isinstance(part, str):
        return part
    return str(part.get("text") or "") if isinstance(part, dict) and part.get("type") != "thinking" else ""
