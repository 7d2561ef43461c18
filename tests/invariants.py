"""What holds of every answer that a caller gets, whole or streamed, whoever made it. One reading for all tests.

`heard_in` reads a stream's chunks and `read_in` a whole completion, both as the JSON that a client library saw. What
they return can be compared: a streamed answer is the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FINISHES = {"stop", "length", "tool_calls", "content_filter", "function_call"}


@dataclass(frozen=True)
class Call:
    """A tool call whose arguments were an object. Compared by what it asks for: an id may be made for each answer."""

    name: str
    arguments: dict[str, Any]
    id: str = field(compare=False, default="")


@dataclass(frozen=True)
class Said:
    """One choice. What was not said is empty, be it null, left out or an empty string."""

    content: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    function: Call | None = None
    finish: str = ""


@dataclass(frozen=True)
class Heard:
    """An answer: its choices in order, and the counts if they were told."""

    choices: tuple[Said, ...]
    usage: Mapping[str, Any] | None


@dataclass
class _Choice:
    """A choice while it is put together. `calls` are in order of appearance, under the index that they came with."""

    text: dict[str, str] = field(default_factory=dict)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    function: dict[str, str] = field(default_factory=dict)
    finish: str = ""


def heard_in(chunks: Sequence[Mapping[str, Any]], *, model: str, usage: bool) -> Heard:
    """The answer in a stream that came to its end, all chunks of it. Fails where it breaks a rule of the wire."""
    assert chunks, "a stream without a chunk"
    _assert_heads(chunks, model)
    counts = _told_usage(chunks, asked=usage)
    choices: dict[int, _Choice] = {}
    for chunk in chunks[: len(chunks) - usage]:
        assert chunk["choices"], "a chunk without choices, which is not the one of the usage"
        for choice in chunk["choices"]:
            _take(choices, choice)
    said = [_said(choices[index]) for index in sorted(choices)]
    assert sorted(choices) == list(range(len(choices)))
    return Heard(tuple(said), counts)


def begun_in(chunks: Sequence[Mapping[str, Any]], *, model: str) -> str:
    """The text of a stream that broke off. Fails where any of it looks like a finished answer."""
    if chunks:
        _assert_heads(chunks, model)
    assert all(chunk.get("usage") is None for chunk in chunks), "counts before the failure"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert all(choice.get("finish_reason") is None for choice in choices), "finished, and failed after it"
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def read_in(completion: Mapping[str, Any], *, model: str) -> Heard:
    """The answer in a completion that was not streamed."""
    assert completion["object"] == "chat.completion"
    assert completion["model"] == model
    assert completion["id"]
    assert isinstance(completion["created"], int)
    choices = completion["choices"]
    assert [choice["index"] for choice in choices] == list(range(len(choices)))
    return Heard(
        tuple(_read(choice) for choice in choices), _counts(completion["usage"]) if "usage" in completion else None
    )


def _assert_heads(chunks: Sequence[Mapping[str, Any]], model: str) -> None:
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["model"] for chunk in chunks} == {model}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len({chunk["created"] for chunk in chunks}) == 1
    assert chunks[0]["id"]
    assert isinstance(chunks[0]["created"], int)


def _told_usage(chunks: Sequence[Mapping[str, Any]], *, asked: bool) -> Mapping[str, Any] | None:
    """Asked for: null in every chunk but the last, which has nothing else. Not asked for: not a word of it."""
    if not asked:
        assert not any("usage" in chunk for chunk in chunks), "usage that nobody asked for"
        return None
    *before, last = chunks
    assert all("usage" in chunk and chunk["usage"] is None for chunk in before)
    assert last["choices"] == []
    return _counts(last["usage"])


def _counts(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    assert usage["total_tokens"] == prompt + completion
    assert 0 <= _detail(usage, "prompt", "cached") <= prompt
    assert 0 <= _detail(usage, "completion", "reasoning") <= completion
    return usage


def _detail(usage: Mapping[str, Any], side: str, name: str) -> int:
    found: int = (usage.get(f"{side}_tokens_details") or {}).get(f"{name}_tokens") or 0
    return found


def _take(choices: dict[int, _Choice], choice: Mapping[str, Any]) -> None:
    index, delta = choice["index"], choice["delta"]
    first = index not in choices
    made = choices.setdefault(index, _Choice())
    assert not made.finish, "something followed the finish_reason"
    assert delta.get("role") == ("assistant" if first else None), "the role comes first, and once"
    for key in ("content", "reasoning_content", "refusal"):
        assert delta.get(key) is None or isinstance(delta[key], str)
        made.text[key] = made.text.get(key, "") + (delta.get(key) or "")
    for part in delta.get("tool_calls") or ():
        _take_call(made.calls, part)
    for key, piece in (delta.get("function_call") or {}).items():
        made.function[key] = made.function.get(key, "") + piece
    if choice["finish_reason"] is not None:
        made.finish = choice["finish_reason"]


def _take_call(calls: dict[int, dict[str, str]], part: Mapping[str, Any]) -> None:
    index, function = part["index"], part.get("function") or {}
    if index not in calls:
        assert index == len(calls), "calls are numbered from 0 in the order in which they appear"
        assert part["type"] == "function"
        calls[index] = {"id": part["id"], "name": function["name"], "arguments": ""}
    else:
        assert not part.get("id"), "a second id of one call"
        assert not function.get("name"), "a second name of one call"
    calls[index]["arguments"] += function.get("arguments") or ""


def _said(made: _Choice) -> Said:
    assert made.finish in FINISHES, "no finish_reason, or one that strict clients do not know"
    return Said(
        content=made.text["content"],
        reasoning=made.text["reasoning_content"],
        refusal=made.text["refusal"],
        calls=tuple(_call(one) for one in made.calls.values()),
        function=_call(made.function) if made.function else None,
        finish=made.finish,
    )


def _read(choice: Mapping[str, Any]) -> Said:
    message = choice["message"]
    assert message["role"] == "assistant"
    assert choice["finish_reason"] in FINISHES
    for call in message.get("tool_calls") or ():
        assert call["type"] == "function"
    assert all(message.get(key) is None or isinstance(message[key], str) for key in ("content", "refusal"))
    return Said(
        content=message["content"] or "",
        reasoning=message.get("reasoning_content") or "",
        refusal=message.get("refusal") or "",
        calls=tuple(_call({**call["function"], "id": call["id"]}) for call in message.get("tool_calls") or ()),
        function=_call(message["function_call"]) if message.get("function_call") else None,
        finish=choice["finish_reason"],
    )


def _call(made: Mapping[str, Any]) -> Call:
    assert made["name"]
    arguments = json.loads(made["arguments"])
    assert isinstance(arguments, dict), "arguments are a JSON object, never an empty string"
    if "id" in made:
        assert made["id"]
    return Call(made["name"], arguments, made.get("id") or "")
