"""OpenAI's other endpoints: embeddings, and completions of the older kind. The body goes through as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from billing.usage import Usage
from gateway import errors, vectors
from gateway.providers.base import DEFAULT_COMPLETION_TOKENS, Completion, Dialect, EmbeddingsCall, Outbound, PromptCall
from gateway.providers.openai import OpenAI, OpenAIStream, loads


class TextStream(OpenAIStream):
    """The same stream with `text` where chat has a `delta`."""

    chunk_object: ClassVar[str] = "text_completion"

    def repair(self, chunk: dict[str, Any]) -> None:
        chunk["object"] = self.chunk_object
        for choice in chunk.get("choices") or ():
            _repair_choice(choice)

    def says(self, choice: dict[str, Any]) -> bool:
        return bool(choice.get("text"))

    def without_words(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {**choice, "text": "", "logprobs": None}

    def note(self, choice: dict[str, Any]) -> None:
        self.note_finish(choice)
        if choice.get("text"):
            self.produced.append(str(choice["text"]))


class OpenAICompletions(Dialect[PromptCall]):
    """`/completions`, with what the vendor's provider knows of addresses, credentials, counts and errors."""

    assumed: ClassVar[bool] = False  # most models refuse it

    def __init__(self, provider: OpenAI) -> None:
        self._provider = provider

    def request(self, call: PromptCall) -> Outbound:
        body = {**call.body, "model": call.target.upstream_model}
        if body.get("max_tokens") is None:  # not left to the server: some go on until their context is full
            body["max_tokens"] = DEFAULT_COMPLETION_TOKENS
        if not self._provider.refusals_of(call.target).stream_options:
            body.pop("stream_options", None)
        elif call.streaming:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        self._provider.drop(body, call.target)
        return self._provider.outbound(call.target, "/completions", body)

    def response(self, call: PromptCall, body: bytes) -> Completion:
        payload = loads(body)
        if payload.get("error"):
            raise self._provider.stream_error(payload["error"])
        if not isinstance(payload.get("choices"), list) or not payload["choices"]:
            raise errors.upstream_unavailable(f"{call.target.provider} answered 200 without choices")
        for choice in payload["choices"]:
            _repair_choice(choice)
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        payload |= {"object": "text_completion", "model": call.target.model}
        usage = payload.get("usage")
        counts = self._provider.usage(usage) if isinstance(usage, dict) else None
        if isinstance(usage, dict):
            payload["usage"] = self._provider.repair_usage(usage)
        return Completion(payload, counts, payload["choices"][0].get("finish_reason") or "")

    def stream(self, call: PromptCall) -> TextStream:
        return TextStream(call, self._provider)

    def error(self, call: PromptCall, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        return self._provider.error(call, status, headers, body)


class CompatibleCompletions(OpenAICompletions):
    assumed: ClassVar[bool] = True  # servers of open models have it for all of them


class OpenAIEmbeddings(Dialect[EmbeddingsCall]):
    """`/embeddings`. A server that does not know the wanted encoding is helped out."""

    assumed: ClassVar[bool] = False

    def __init__(self, provider: OpenAI) -> None:
        self._provider = provider

    def request(self, call: EmbeddingsCall) -> Outbound:
        body = {**call.body, "model": call.target.upstream_model}
        self._provider.drop(body, call.target)
        return self._provider.outbound(call.target, "/embeddings", body)

    def response(self, call: EmbeddingsCall, body: bytes) -> Completion:
        payload = loads(body)
        if payload.get("error"):
            raise self._provider.stream_error(payload["error"])
        data = payload.get("data")
        if not isinstance(data, list) or not data:
            raise errors.upstream_unavailable(f"{call.target.provider} answered 200 without embeddings")
        encoding = call.body.get("encoding_format") or "float"
        for place, item in enumerate(data):
            item |= {"object": "embedding", "index": item.get("index", place)}
            item["embedding"] = vectors.encoded(item["embedding"], encoding)
        usage = payload.get("usage")
        counts = _input_tokens(usage)
        tokens = call.count_prompt(call.body) if counts is None else counts
        shown = {**(usage if isinstance(usage, dict) else {}), "prompt_tokens": tokens, "total_tokens": tokens}
        payload |= {"object": "list", "model": call.target.model, "usage": shown}
        return Completion(payload, None if counts is None else Usage(input=counts))

    def stream(self, call: EmbeddingsCall) -> TextStream:
        raise errors.internal()  # the schema of embeddings refuses `stream`

    def error(self, call: EmbeddingsCall, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        return self._provider.error(call, status, headers, body)


def _repair_choice(choice: dict[str, Any]) -> None:
    choice.setdefault("index", 0)
    choice.setdefault("logprobs", None)
    choice["text"] = choice.get("text") or ""
    choice["finish_reason"] = choice.get("finish_reason") or None


def _input_tokens(usage: object) -> int | None:
    """All of them: some servers give only the total."""
    if not isinstance(usage, dict):
        return None
    counts = [usage.get("prompt_tokens"), usage.get("total_tokens")]
    return next((count for count in counts if isinstance(count, int) and count >= 0), None)
