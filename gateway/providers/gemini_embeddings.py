"""Gemini's embeddings: one call of OpenAI's is as many of Gemini's as its batches need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from django.conf import settings

from gateway import errors
from gateway.providers.base import (
    Answer,
    ChunkStream,
    Completion,
    Dialect,
    Egress,
    EmbeddingsCall,
    Outbound,
    Target,
)
from gateway.translation.gemini_embeddings import METHOD, embed_requests, embeddings, joined
from gateway.translation.gemini_errors import error_for

AT_ONCE = 4


class Whole:
    """An answer that was read already."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncGenerator[bytes]:
        yield self._body

    async def aclose(self) -> None:
        """Nothing is held open."""


class _RefusedError(Exception):
    """One of the batches was answered with an error status, and so the whole is."""

    def __init__(self, answer: Whole) -> None:
        super().__init__()
        self.answer = answer


class GeminiEmbeddings(Dialect[EmbeddingsCall]):
    """`batchEmbedContents`. `outbound` knows the provider's address and credential."""

    assumed: ClassVar[bool] = False

    def __init__(self, outbound: Callable[[Target, str, Mapping[str, Any]], Outbound]) -> None:
        self._outbound = outbound

    def request(self, call: EmbeddingsCall) -> Outbound:
        """The first of its batches, which is most often the only one."""
        return self._batches(call)[0]

    def response(self, call: EmbeddingsCall, body: bytes) -> Completion:
        completion = embeddings(call.body, call.target.model, body)
        if completion.usage is None:  # the client libraries cannot do without
            tokens = call.count_prompt(call.body)
            completion.body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return completion

    def stream(self, call: EmbeddingsCall) -> ChunkStream:
        raise errors.internal()  # the schema of embeddings refuses `stream`

    def error(self, call: EmbeddingsCall, status: int, headers: Mapping[str, str], body: bytes) -> errors.ApiError:
        return error_for(call, status, headers, body)

    async def send(self, call: EmbeddingsCall, egress: Egress) -> Answer:
        batches = self._batches(call)
        if len(batches) == 1:
            return await egress.send(batches[0])
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_read(batch, egress, slots)) for batch in batches]
        except ExceptionGroup as failed:  # the first that failed: the others were then given up
            error = failed.exceptions[0]
            if isinstance(error, _RefusedError):
                return error.answer
            raise error from failed
        bodies = [task.result() for task in tasks]
        if sum(map(len, bodies)) > settings.GATEWAY_MAX_UPSTREAM_BYTES:
            raise errors.upstream_unavailable(f"{call.target.provider} sent more than GATEWAY_MAX_UPSTREAM_BYTES")
        return Whole(200, {"content-type": "application/json"}, await asyncio.to_thread(joined, bodies))

    def _batches(self, call: EmbeddingsCall) -> list[Outbound]:
        bodies = embed_requests(call.body, call.target.upstream_model)
        return [self._outbound(call.target, METHOD, body) for body in bodies]


async def _read(batch: Outbound, egress: Egress, slots: asyncio.Semaphore) -> bytes:
    async with slots:
        answer = await egress.send(batch)
        async with aclosing(answer):
            body = await answer.read()
    if answer.status != 200:
        raise _RefusedError(Whole(answer.status, answer.headers, body))
    return body
