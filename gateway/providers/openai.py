"""OpenAI's chat completions: the body goes through as it came, the answer comes back under the public name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import orjson

from accounts.redaction import redact
from billing.usage import Usage
from gateway import errors
from gateway.providers.base import Call, ChatCall, ChunkStream, Completion, Dialect, Outbound, Provider, Target
from gateway.sse import DONE, Event
from gateway.translation import openai_errors
from gateway.translation.openai_functions import as_function
from gateway.translation.openai_request import Refusals, adapted
from gateway.translation.plain_deltas import TRIES, PlainDelta

_IDENTITY = frozenset({"id", "object", "created", "model", "choices"})
_NOTHING = frozenset({b"", DONE})
_COUNTS = ("prompt_tokens", "completion_tokens")


class OpenAIStream(ChunkStream):
    """Passes chunks on. Usage is always asked for upstream, and shown, once and last, only to callers who asked."""

    chunk_object: ClassVar[str] = "chat.completion.chunk"

    def __init__(self, call: Call, provider: OpenAI) -> None:
        super().__init__(call)
        self._provider = provider
        self._finished: dict[int, bool] = {}  # by choice index
        self._finish = ""
        self._closing: list[bytes] = []  # the chunks that finish a choice, until it is known that nothing failed
        self._usage: dict[str, Any] | None = None
        self._head: dict[str, Any] = {}
        self._held: dict[str, Any] = {}  # what came in a chunk without choices, for the next chunk to carry
        self._as_function = isinstance(call, ChatCall) and provider.answers_with_tools(call)
        self._plain: PlainDelta | None = None
        self._tries = 0 if self._as_function else TRIES

    def feed(self, event: Event) -> list[bytes]:
        data = event.data
        if self._plain is not None and not (event.name or self._closing or self._held or self.done):
            like_others = self._plain.read(data)
            if like_others is not None:
                self.produced.append(like_others[0])
                return [like_others[1]]
        if self.done or (len(data) < 16 and data.strip() in _NOTHING):
            self.done = self.done or data.strip() == DONE
            return []
        chunk = loads(data)
        usage = self.take_usage(chunk)
        if usage is not None:  # an error can bring it too: what failed half way was consumed all the same
            self.usage = self._provider.usage(usage)
            self._usage = self._provider.repair_usage(usage)
        if "error" in chunk or event.name == "error" or chunk.get("object") == "error":
            self._raise(chunk, event)
        self.repair(chunk)
        choices = chunk.get("choices")
        if choices and self._closing:
            choices = chunk["choices"] = [c for c in choices if not self._finished.get(c.get("index") or 0)]
        elif not choices:  # Azure begins with one that has only its filter's results, and no id
            self._held |= {key: value for key, value in chunk.items() if value and key not in _IDENTITY}
        if not choices:
            return []
        for choice in choices:
            if self._as_function:
                as_function(choice, choice.get("delta") or {})
            self.note(choice)
        if any(choice.get("finish_reason") for choice in choices):
            return self._hold_finish(chunk, choices)
        by_itself = not self._held
        told = self._dumps(chunk)
        if self._tries and by_itself and len(choices) == 1 and (choices[0].get("delta") or {}).get("content"):
            self._plain = PlainDelta.of(data, orjson.loads(told))
            self._tries = 0 if self._plain else self._tries - 1
        return [told]

    def _hold_finish(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> list[bytes]:
        """What a chunk says goes out at once; that it is the last of a choice is told when nothing failed after it."""
        news, closing = [], []
        for choice in choices:
            finish = choice.get("finish_reason")
            says = self.says(choice)
            if says or not finish:
                news.append({**choice, "finish_reason": None})
            if finish:
                closing.append(self.without_words(choice) if says else choice)
        told = [self._dumps({**chunk, "choices": news})] if news else []
        self._closing.append(self._dumps({**chunk, "choices": closing}))
        return told

    def says(self, choice: dict[str, Any]) -> bool:
        return any((choice.get("delta") or {}).values())

    def without_words(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {"index": choice.get("index") or 0, "delta": {}, "finish_reason": choice["finish_reason"]}

    def take_usage(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        """The counts in a chunk, taken out of it. Counts of nothing are none: some servers begin with them."""
        usage = chunk.pop("usage", None)
        return usage if isinstance(usage, dict) and any(usage.get(key) for key in _COUNTS) else None

    def repair(self, chunk: dict[str, Any]) -> None:
        """OpenAI's own chunks need no repair; what other servers get wrong is mended in place by theirs."""

    def end(self) -> list[bytes]:
        closing = [*self._closing, *self.unfinished()]
        if not self._finished or not all(self._finished.values()):
            raise errors.upstream_cut(f"{self.call.target.provider} ended its stream without a finish_reason")
        self.finish_reason = self._finish
        if self.call.include_usage:
            usage = self._usage or self.counted().to_openai()
            head = {"object": self.chunk_object, "model": self.call.target.model, "choices": []}
            closing.append(orjson.dumps({**self._held, **self._head, **head, "usage": usage}))
        return closing

    def unfinished(self) -> list[bytes]:
        """The finish that the upstream left out, where it is known all the same: never OpenAI's."""
        return []

    def _raise(self, chunk: dict[str, Any], event: Event) -> None:
        detail = chunk.get("error")
        if detail or event.name == "error" or chunk.get("object") == "error":
            raise self._provider.stream_error(detail or chunk)

    def _dumps(self, chunk: dict[str, Any]) -> bytes:
        if not self._head:
            self._head = {key: chunk[key] for key in ("id", "created", "system_fingerprint") if key in chunk}
        chunk["model"] = self.call.target.model
        if self.call.include_usage:
            chunk["usage"] = None
        if self._held:
            chunk, self._held = {**self._held, **chunk}, {}
        return orjson.dumps(chunk)

    def note_finish(self, choice: dict[str, Any]) -> None:
        finish = choice.get("finish_reason")
        self._finished[choice.get("index") or 0] = bool(finish)
        if finish:
            self._finish = finish

    def note(self, choice: dict[str, Any]) -> None:
        """What it brought, for our own count."""
        self.note_finish(choice)
        delta = choice.get("delta") or {}
        for key in ("content", "reasoning_content", "refusal"):
            if delta.get(key):
                self.produced.append(str(delta[key]))
        if "tool_calls" in delta or "function_call" in delta:
            calls = [call.get("function") or {} for call in delta.get("tool_calls") or ()]
            for function in (*calls, delta.get("function_call") or {}):
                self.produced += [str(function[key]) for key in ("name", "arguments") if function.get(key)]


class OpenAI(Provider):
    kind: ClassVar[str] = "openai"
    label: ClassVar[str] = "OpenAI"
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    refuses: ClassVar[Refusals] = Refusals()

    def request(self, call: ChatCall) -> Outbound:
        return self.outbound(call.target, "/chat/completions", self.adapt(call))

    def outbound(self, target: Target, path: str, body: Mapping[str, Any]) -> Outbound:
        """A request to one of the vendor's endpoints: where it is, and how it is told whose request this is."""
        headers = {"content-type": "application/json", **target.options.get("headers", {})}
        if target.credential:
            headers |= self.credentials(target.credential)
        return Outbound(url=self.url(target, path), headers=headers, body=orjson.dumps(body))

    def url(self, target: Target, path: str) -> str:
        return f"{(target.base_url or self.default_base_url).rstrip('/')}{path}"

    def credentials(self, credential: str) -> dict[str, str]:
        return {"authorization": f"Bearer {credential}"}

    def refusals_of(self, target: Target) -> Refusals:
        """What the vendor refuses, and what the route's options say of the model."""
        return self.refuses.with_options(target.options) if target.options else self.refuses

    def drop(self, body: dict[str, Any], target: Target) -> None:
        """Leave out what is refused whichever endpoint it is sent to."""
        for parameter in self.refusals_of(target).drop:
            body.pop(parameter, None)

    def answers_with_tools(self, call: ChatCall) -> bool:
        """Whether the caller speaks of functions, and was not understood."""
        return call.legacy_functions and not self.refusals_of(call.target).functions

    def adapt(self, call: ChatCall) -> dict[str, Any]:
        """The caller's body without what this vendor or model refuses; nothing else is touched."""
        return adapted(call, self.refusals_of(call.target))

    def response(self, call: ChatCall, body: bytes) -> Completion:
        payload = loads(body)
        if payload.get("error") or payload.get("object") == "error":
            raise self.stream_error(payload.get("error") or payload)
        if not isinstance(payload.get("choices"), list) or not payload["choices"]:
            raise errors.upstream_unavailable(f"{call.target.provider} answered 200 without choices")
        self.mend_answer(payload, call)
        if self.answers_with_tools(call):
            for choice in payload["choices"]:
                as_function(choice, choice["message"])
        payload["model"] = call.target.model
        usage, finish = payload.get("usage"), payload["choices"][0].get("finish_reason") or ""
        if not isinstance(usage, dict):
            return Completion(payload, None, finish)
        counts = self.usage(usage)
        payload["usage"] = self.repair_usage(usage)
        return Completion(payload, counts, finish)

    def stream(self, call: ChatCall) -> OpenAIStream:
        return OpenAIStream(call, self)

    def dialect(self, operation: str) -> Dialect[Any] | None:
        return self if operation == "chat" else self._others.get(operation)

    @cached_property
    def _others(self) -> Mapping[str, Dialect[Any]]:
        return self.other_dialects()

    def other_dialects(self) -> Mapping[str, Dialect[Any]]:
        """What it speaks besides chat, by operation."""
        from gateway.providers.openai_prompts import OpenAICompletions, OpenAIEmbeddings  # made of what stands here

        return {"completions": OpenAICompletions(self), "embeddings": OpenAIEmbeddings(self)}

    def usage(self, usage: Mapping[str, Any]) -> Usage:
        """OpenAI's counts in disjoint buckets: what the details name is part of the prompt or of the completion."""
        text_in, (cached, written, heard, seen) = _apart(
            usage, "prompt", ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens")
        )
        text_out, (reasoning, spoken, drawn) = _apart(
            usage, "completion", ("reasoning_tokens", "audio_tokens", "image_tokens")
        )
        return Usage(
            input=text_in,
            cache_read=cached,
            cache_write_5m=written,
            audio_input=heard,
            image_input=seen,
            output=text_out,
            reasoning=reasoning,
            audio_output=spoken,
            image_output=drawn,
        )

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        if call.target.credential:  # some repeat what they were sent
            body = body.replace(call.target.credential.encode(), b"[redacted]")
        said = openai_errors.read(body)
        quoted = said.message or body[:300].decode("utf-8", "replace")
        hint = f"{call.target.provider} answered {status}: {redact(quoted)}"
        if status == 404 and self.is_gone(call, said):
            return errors.model_gone(call.target.model, hint=hint)
        status = self.meaning(status, said)
        if status not in openai_errors.CALLERS_FAULT:
            return errors.from_upstream(status, hint=hint, retry_after=headers.get("retry-after"))
        return openai_errors.to_caller(said, status, hint=hint)

    def is_gone(self, call: Call, said: openai_errors.Told) -> bool:
        """Whether what was not found is the model, which is then retired for everybody."""
        return said.code == "model_not_found" or errors.names_model(said.message, call.target.upstream_model)

    def meaning(self, status: int, said: openai_errors.Told) -> int:
        """The status that says what it is: an account without credit is no rate limit."""
        return 402 if status == 429 and said.code == "insufficient_quota" else status

    def stream_error(self, detail: object) -> errors.ApiError:
        """An error object in a body or stream that began as a success."""
        said = openai_errors.told({"error": detail})
        status, hint = said.meaning, f"an answer that began as a success says: {redact(said.message)}"
        if status is None:
            return openai_errors.half_way(said)
        status = self.meaning(status, said)
        if status in openai_errors.CALLERS_FAULT:
            return openai_errors.to_caller(said, status, hint=hint)
        return errors.from_upstream(status, hint=hint)

    def mend_answer(self, payload: dict[str, Any], call: ChatCall) -> None:
        """OpenAI's own answers need no repair; what other servers get wrong is mended in place by theirs."""

    def repair_usage(self, usage: dict[str, Any]) -> dict[str, Any]:
        """What the caller is shown of the provider's counts, after they were read."""
        return usage


def _apart(usage: Mapping[str, Any], side: str, names: Sequence[str]) -> tuple[int, list[int]]:
    """What is left of one side's tokens without the named parts, and the parts. Together they are all of that side,
    also where a provider's details overlap (a cached token of audio counts once, as cached) or exceed it."""
    left, details = max(0, usage.get(f"{side}_tokens") or 0), usage.get(f"{side}_tokens_details") or {}
    parts = list[int]()
    for name in names:
        parts.append(min(max(0, details.get(name) or 0), left))
        left -= parts[-1]
    return left, parts


def loads(data: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise errors.upstream_unavailable("the provider sent something that is not JSON") from error
    if not isinstance(payload, dict):
        raise errors.upstream_unavailable("the provider sent JSON that is not an object")
    return payload
