"""Google's Gemini API. The translation itself is in `gateway.translation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

import orjson

from gateway.errors import ApiError
from gateway.providers.base import Answer, ChatCall, ChunkStream, Completion, Egress, Outbound, Provider
from gateway.translation.gemini_errors import error_for
from gateway.translation.gemini_framing import EventsOnly
from gateway.translation.gemini_request import generate_request
from gateway.translation.gemini_response import completion
from gateway.translation.gemini_stream import GenerateStream


class Gemini(Provider):
    kind: ClassVar[str] = "gemini"
    label: ClassVar[str] = "Google Gemini"
    default_base_url: ClassVar[str] = "https://generativelanguage.googleapis.com/v1beta"

    def request(self, call: ChatCall) -> Outbound:
        body = orjson.dumps(generate_request(call))
        headers = {"content-type": "application/json"}
        if call.target.credential:
            headers["x-goog-api-key"] = call.target.credential
        base_url = (call.target.base_url or self.default_base_url).rstrip("/")
        method = "streamGenerateContent?alt=sse" if call.streaming else "generateContent"
        model = quote(call.target.upstream_model.removeprefix("models/"), safe="")
        return Outbound(url=f"{base_url}/models/{model}:{method}", headers=headers, body=body)

    def response(self, call: ChatCall, body: bytes) -> Completion:
        return completion(call, body)

    def stream(self, call: ChatCall) -> ChunkStream:
        return GenerateStream(call)

    def error(self, call: ChatCall, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        return error_for(call, status, headers, body)

    async def send(self, call: ChatCall, egress: Egress) -> Answer:
        answer = await super().send(call, egress)
        return EventsOnly(answer) if call.streaming and answer.status == 200 else answer
