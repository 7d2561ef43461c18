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
from gateway.translation.gemini_signatures import MARK, strip_signature

_IDENTITY = frozenset({"id", "object", "created", "model", "choices"})
CALLERS_FAULT = frozenset({400, 404, 409, 413, 415, 422})


class OpenAIStream(ChunkStream):
    """Passes chunks on. Usage is always asked for upstream, and shown, once and last, only to callers who asked."""

    chunk_object: ClassVar[str] = "chat.completion.chunk"

    def __init__(self, call: Call, provider: OpenAI) -> None:
        super().__init__(call)
        self._provider = provider
        self._finished: dict[int, bool] = {}  # by choice index
        self._usage: dict[str, Any] | None = None
        self._head: dict[str, Any] = {}
        self._held: dict[str, Any] = {}  # what came in a first chunk without choices, for the next chunk to carry

    def feed(self, event: Event) -> list[bytes]:
        if event.data == DONE:
            return []
        chunk = loads(event.data)
        usage = chunk.pop("usage", None)
        if isinstance(usage, dict):  # an error can bring it too: what failed half way was consumed all the same
            self.usage = self._provider.usage(usage)
            self._usage = self._provider.repair_usage(usage)
        if chunk.get("error"):
            raise self._provider.stream_error(chunk["error"])
        self.repair(chunk)
        if not self._has_news(chunk):
            return []
        for choice in chunk["choices"]:
            self.note(choice)
        if not self._head:
            self._head = {key: chunk[key] for key in ("id", "created", "system_fingerprint") if key in chunk}
        chunk["model"] = self.call.target.model
        if self.call.include_usage:
            chunk["usage"] = None
        return [orjson.dumps({**self._held, **chunk} if self._held else chunk)]

    def _has_news(self, chunk: dict[str, Any]) -> bool:
        """Whether the caller is to see it: not the usage chunk, which `end` sends, and nothing after a finish."""
        choices = chunk.get("choices") or []
        if not choices:
            if not self._head:  # Azure begins with one that has only its filter's results, and no id
                self._held = {key: value for key, value in chunk.items() if value and key not in _IDENTITY}
            return False
        chunk["choices"] = [choice for choice in choices if not self._finished.get(choice.get("index") or 0)]
        return bool(chunk["choices"])

    def end(self) -> list[bytes]:
        if not self._finished or not all(self._finished.values()):
            raise errors.upstream_cut(f"{self.call.target.provider} ended its stream without a finish_reason")
        if not self.call.include_usage:
            return []
        usage = self._usage or self.counted().to_openai()
        head = {"object": self.chunk_object, "model": self.call.target.model, "choices": []}
        return [orjson.dumps({**self._head, **head, "usage": usage})]

    def repair(self, chunk: dict[str, Any]) -> None:
        self._provider.repair_chunk(chunk, self)

    def note_finish(self, choice: dict[str, Any]) -> None:
        index = choice.get("index") or 0
        self._finished[index] = bool(choice.get("finish_reason"))
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def note(self, choice: dict[str, Any]) -> None:
        """What it brought, for our own count."""
        self.note_finish(choice)
        delta = choice.get("delta") or {}
        for key in ("content", "reasoning_content", "refusal"):
            if delta.get(key):
                self.produced.append(str(delta[key]))
        calls = [call.get("function") or {} for call in delta.get("tool_calls") or ()]
        for function in (*calls, delta.get("function_call") or {}):
            self.produced += [str(function[key]) for key in ("name", "arguments") if function.get(key)]


class OpenAI(Provider):
    kind: ClassVar[str] = "openai"
    label: ClassVar[str] = "OpenAI"
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    limit_field: ClassVar[str] = "max_completion_tokens"  # how a limit of ours is told

    def request(self, call: ChatCall) -> Outbound:
        body = self.adapt(call)
        body["model"] = call.target.upstream_model
        if call.streaming:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return self.outbound(call.target, "/chat/completions", body)

    def outbound(self, target: Target, path: str, body: Mapping[str, Any]) -> Outbound:
        """A request to one of the vendor's endpoints: where it is, and how it is told whose request this is."""
        headers = {"content-type": "application/json"}
        if target.credential:
            headers["authorization"] = f"Bearer {target.credential}"
        base_url = target.base_url or self.default_base_url
        return Outbound(url=f"{base_url.rstrip('/')}{path}", headers=headers, body=orjson.dumps(body))

    def adapt(self, call: ChatCall) -> dict[str, Any]:
        """The caller's body without what this model refuses, as the registry's options say; nothing else is touched."""
        body, options = dict(call.body), call.target.options
        if any(_signed(message) for message in body["messages"]):
            body["messages"] = [_unsigned(message) for message in body["messages"]]
        if options.get("rename_max_tokens") and "max_tokens" in body:
            limit = body.pop("max_tokens")
            if body.get("max_completion_tokens") is None:
                body["max_completion_tokens"] = limit
        if call.output_limit is not None:
            body[self.limit_field] = call.output_limit
        for parameter in options.get("drop", ()):
            body.pop(parameter, None)
        if body.get("reasoning_effort") != "none":
            for parameter in options.get("drop_unless_effort_none", ()):
                body.pop(parameter, None)
        return body

    def response(self, call: ChatCall, body: bytes) -> Completion:
        payload = loads(body)
        if payload.get("error"):
            raise self.stream_error(payload["error"])
        if not isinstance(payload.get("choices"), list) or not payload["choices"]:
            raise errors.upstream_unavailable(f"{call.target.provider} answered 200 without choices")
        self.repair_response(payload)
        payload["model"] = call.target.model
        usage, finish = payload.get("usage"), payload["choices"][0].get("finish_reason") or ""
        if not isinstance(usage, dict):
            return Completion(payload, None, finish)
        counts = self.usage(usage)
        payload["usage"] = self.repair_usage(usage)
        return Completion(payload, counts, finish)

    def stream(self, call: ChatCall) -> OpenAIStream:
        return OpenAIStream(call, self)

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

    def dialect(self, operation: str) -> Dialect[Any] | None:
        return self if operation == "chat" else self._others.get(operation)

    @cached_property
    def _others(self) -> Mapping[str, Dialect[Any]]:
        return self.other_dialects()

    def other_dialects(self) -> Mapping[str, Dialect[Any]]:
        """What it speaks besides chat, by operation."""
        from gateway.providers.openai_prompts import OpenAICompletions, OpenAIEmbeddings  # made of what stands here

        return {"completions": OpenAICompletions(self), "embeddings": OpenAIEmbeddings(self)}

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        detail = _error_object(body)
        hint = f"{call.target.provider} answered {status}: {redact(str(detail.get('message') or body[:300]))}"
        code = detail.get("code")
        if status == 404 and (
            code == "model_not_found" or errors.names_model(str(detail.get("message")), call.target.upstream_model)
        ):
            return errors.model_gone(call.target.model, hint=hint)
        if status == 429 and code == "insufficient_quota":
            return errors.from_upstream(402, hint=hint)
        if status not in CALLERS_FAULT:
            return errors.from_upstream(status, hint=hint, retry_after=headers.get("retry-after"))
        return errors.ApiError(
            status,
            redact(str(detail.get("message") or "The provider refused the request without saying why.")),
            type=str(detail.get("type") or errors.INVALID),
            code=None if code is None else str(code),
            param=detail.get("param"),
            hint=hint,
        )

    def stream_error(self, detail: object) -> errors.ApiError:
        """An error object in a body or stream that began as a success."""
        fields = detail if isinstance(detail, dict) else {"message": str(detail)}
        code = fields.get("code")
        return errors.ApiError(
            502,
            redact(str(fields.get("message") or "The provider reported an error without saying what.")),
            type=str(fields.get("type") or errors.SERVER),
            code=None if code is None else str(code),
            param=fields.get("param"),
        )

    def repair_chunk(self, chunk: dict[str, Any], stream: OpenAIStream) -> None:
        """OpenAI's own chunks need no repair; what compatible servers get wrong is mended in place by theirs."""

    def repair_response(self, payload: dict[str, Any]) -> None:
        """The same for an answer that was not streamed."""

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


def _signed(message: Mapping[str, Any]) -> bool:
    """Whether an id in it carries Gemini's signature: a conversation that Gemini began goes on here."""
    calls = message.get("tool_calls") or ()
    return MARK in str(message.get("tool_call_id", "")) or any(MARK in str(call.get("id")) for call in calls)


def _unsigned(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _signed(message):
        return message
    plain = dict(message)
    if "tool_call_id" in plain:
        plain["tool_call_id"] = strip_signature(str(plain["tool_call_id"]))
    if plain.get("tool_calls"):
        plain["tool_calls"] = [{**call, "id": strip_signature(str(call["id"]))} for call in plain["tool_calls"]]
    return plain


def loads(data: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise errors.upstream_unavailable("the provider sent something that is not JSON") from error
    if not isinstance(payload, dict):
        raise errors.upstream_unavailable("the provider sent JSON that is not an object")
    return payload


def _error_object(body: bytes) -> dict[str, Any]:
    """The error in whatever shape it came: OpenAI's, a bare string, `detail`, or a page of HTML."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error", payload.get("detail", payload))
    return error if isinstance(error, dict) else {"message": str(error)}
