"""Servers that speak OpenAI's format, more or less: Ollama, vLLM, llama.cpp, Groq, Mistral, DeepSeek, xAI and others.

What they are known to get wrong is mended here, so that a caller's library never meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from billing.usage import Usage
from gateway.providers.base import ChatCall, Dialect
from gateway.providers.openai import OpenAI, OpenAIStream


class CompatibleStream(OpenAIStream):
    """Remembers how the upstream numbers its tool calls; ours are numbered from 0 in order of appearance."""

    def __init__(self, call: ChatCall, provider: OpenAI) -> None:
        super().__init__(call, provider)
        self.tool_indexes: dict[tuple[int, object], int] = {}
        self.last_call: dict[int, object] = {}
        self.begun: set[int] = set()


class OpenAICompatible(OpenAI):
    kind: ClassVar[str] = "openai_compatible"
    label: ClassVar[str] = "OpenAI-compatible server"
    default_base_url: ClassVar[str] = ""
    limit_field: ClassVar[str] = "max_tokens"

    def stream(self, call: ChatCall) -> CompatibleStream:
        return CompatibleStream(call, self)

    def other_dialects(self) -> Mapping[str, Dialect[Any]]:
        from gateway.providers.openai_prompts import CompatibleCompletions

        return {**super().other_dialects(), "completions": CompatibleCompletions(self)}

    def usage(self, usage: Mapping[str, Any]) -> Usage:
        counts = super().usage(self.repair_usage(dict(usage)))
        hit = usage.get("prompt_cache_hit_tokens")  # DeepSeek
        if isinstance(hit, int) and not counts.cache_read:
            hit = min(hit, counts.input)
            counts = replace(counts, input=counts.input - hit, cache_read=hit)
        return counts

    def repair_chunk(self, chunk: dict[str, Any], stream: OpenAIStream) -> None:
        chunk["object"] = "chat.completion.chunk"
        for choice in chunk.get("choices") or ():
            choice.setdefault("index", 0)
            choice["finish_reason"] = choice.get("finish_reason") or None
            delta = choice["delta"] = choice.get("delta") or {}
            _move_reasoning(delta)
            if isinstance(stream, CompatibleStream):
                _role_once(delta, choice["index"], stream)
                _number_tool_calls(delta, choice["index"], stream)

    def repair_response(self, payload: dict[str, Any]) -> None:
        payload["object"] = "chat.completion"
        for choice in payload["choices"]:
            choice.setdefault("index", 0)
            message = choice.get("message") or {}
            _move_reasoning(message)
            for call in message.get("tool_calls") or ():
                call.pop("index", None)
            if choice.get("finish_reason") == "":
                choice["finish_reason"] = "tool_calls" if message.get("tool_calls") else "stop"

    def repair_usage(self, usage: dict[str, Any]) -> dict[str, Any]:
        if not _excludes_reasoning(usage):
            return usage
        return {**usage, "completion_tokens": usage["completion_tokens"] + _reasoning(usage)}


def _move_reasoning(message: dict[str, Any]) -> None:
    """Ollama and OpenRouter say `reasoning`; Mistral mixes thinking parts into `content`."""
    reasoning = message.pop("reasoning", None)
    if isinstance(reasoning, str) and "reasoning_content" not in message:
        message["reasoning_content"] = reasoning
    content = message.get("content")
    if not isinstance(content, list):
        return
    text, thought = "", ""
    for part in content:
        if part.get("type") == "thinking":
            thought += "".join(inner.get("text", "") for inner in part.get("thinking") or ())
        else:
            text += part.get("text", "")
    message["content"] = text
    if thought:
        message["reasoning_content"] = thought


def _role_once(delta: dict[str, Any], choice: int, stream: CompatibleStream) -> None:
    if choice in stream.begun:
        delta.pop("role", None)
    else:
        stream.begun.add(choice)
        delta["role"] = "assistant"


def _number_tool_calls(delta: dict[str, Any], choice: int, stream: CompatibleStream) -> None:
    """By index where the server gives one, else by id; a fragment with neither belongs to the call before it."""
    known = stream.tool_indexes
    for call in delta.get("tool_calls") or ():
        named = call.get("index", call.get("id") or stream.last_call.get(choice, 0))
        stream.last_call[choice] = named
        if (choice, named) not in known:
            known[choice, named] = sum(1 for of_choice, _ in known if of_choice == choice)
        call["index"] = known[choice, named]


def _reasoning(usage: Mapping[str, Any]) -> int:
    return (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0


def _excludes_reasoning(usage: Mapping[str, Any]) -> bool:
    """xAI counts reasoning beside the completion, not in it: then the total shows it."""
    reasoning = _reasoning(usage)
    parts = (usage.get("prompt_tokens") or 0) + (usage.get("completion_tokens") or 0)
    return reasoning > 0 and usage.get("total_tokens") == parts + reasoning
