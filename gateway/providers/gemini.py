"""Google's Gemini API. The translation itself is in `gateway.translation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

import orjson

from gateway import images
from gateway.errors import ApiError
from gateway.providers.base import (
    Answer,
    ChatCall,
    ChunkStream,
    Completion,
    Dialect,
    Egress,
    Outbound,
    Provider,
    Target,
)
from gateway.providers.gemini_embeddings import GeminiEmbeddings
from gateway.translation.gemini_capabilities import Capabilities
from gateway.translation.gemini_errors import error_for
from gateway.translation.gemini_framing import EventsOnly
from gateway.translation.gemini_request import generate_request
from gateway.translation.gemini_response import completion
from gateway.translation.gemini_stream import GenerateStream

# What the models look at. `image/jpg` is no media type, but what some servers call JPEGs.
IMAGES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp", "image/heic", "image/heif"})


class Gemini(Provider):
    kind: ClassVar[str] = "gemini"
    label: ClassVar[str] = "Google Gemini"
    default_base_url: ClassVar[str] = "https://generativelanguage.googleapis.com/v1beta"
    lacks: ClassVar[frozenset[str]] = frozenset({"file_ids", "audio", "audio_output", "custom_tools"})
    emulates: ClassVar[frozenset[str]] = frozenset({"image_urls"})  # they are fetched
    does_without: ClassVar[frozenset[str]] = frozenset({"prefill"})

    def request(self, call: ChatCall) -> Outbound:
        method = "streamGenerateContent?alt=sse" if call.streaming else "generateContent"
        return self.outbound(call.target, method, generate_request(call))

    def outbound(self, target: Target, method: str, body: Mapping[str, Any]) -> Outbound:
        """A request to one of the methods of the target's model."""
        headers = {"content-type": "application/json"}
        if target.credential:
            headers["x-goog-api-key"] = target.credential
        base_url = (target.base_url or self.default_base_url).rstrip("/")
        model = quote(target.upstream_model.removeprefix("models/"), safe="")
        return Outbound(url=f"{base_url}/models/{model}:{method}", headers=headers, body=orjson.dumps(body))

    def dialect(self, operation: str) -> Dialect[Any] | None:
        return GeminiEmbeddings(self.outbound) if operation == "embeddings" else super().dialect(operation)

    def response(self, call: ChatCall, body: bytes) -> Completion:
        return completion(call, body)

    def stream(self, call: ChatCall) -> ChunkStream:
        return GenerateStream(call)

    def error(self, call: ChatCall, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        return error_for(call, status, headers, body)

    async def prepare(self, call: ChatCall) -> ChatCall:
        return await _with_images(call)

    async def send(self, call: ChatCall, egress: Egress) -> Answer:
        answer = await super().send(call, egress)
        return EventsOnly(answer) if call.streaming and answer.status == 200 else answer


async def _with_images(call: ChatCall) -> ChatCall:
    """With the images themselves where the caller named URLs, for a model that does not read those."""
    if Capabilities.of(call.target.capabilities).image_urls:
        return call
    links = images.linked(call.body["messages"])
    if not links:
        return call
    # Nothing is fetched for a request that would be refused anyway.
    generate_request(replace(call, body=images.placed(call.body, {link.url: images.PIXEL for link in links})))
    fetched = await images.fetch(links, media=IMAGES)
    return replace(call, body=images.placed(call.body, fetched))
