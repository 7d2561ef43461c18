"""Anthropic's Messages API. The translation itself is in `gateway.translation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from gateway.errors import ApiError
from gateway.providers.base import ChatCall, ChunkStream, Completion, Outbound, Provider
from gateway.translation.anthropic_errors import error_for
from gateway.translation.anthropic_request import message_request, version
from gateway.translation.anthropic_response import completion
from gateway.translation.anthropic_stream import MessageStream

FILES_BETA = "files-api-2025-04-14"  # must be named wherever a stored file is


class Anthropic(Provider):
    kind: ClassVar[str] = "anthropic"
    label: ClassVar[str] = "Anthropic"
    default_base_url: ClassVar[str] = "https://api.anthropic.com"
    lacks: ClassVar[frozenset[str]] = frozenset({"n", "logprobs", "audio", "audio_output"})
    emulates: ClassVar[frozenset[str]] = frozenset({"custom_tools", "json_object", "json_schema"})
    does_without: ClassVar[frozenset[str]] = frozenset({"forced_tool_choice", "prefill"})

    def request(self, call: ChatCall) -> Outbound:
        body = message_request(call)
        headers = {
            "content-type": "application/json",
            "anthropic-version": version(call),
        }
        if call.target.credential:
            headers["x-api-key"] = call.target.credential
        if _names_a_stored_file(body):
            headers["anthropic-beta"] = FILES_BETA
        base_url = (call.target.base_url or self.default_base_url).rstrip("/").removesuffix("/v1")
        return Outbound(url=f"{base_url}/v1/messages", headers=headers, body=orjson.dumps(body))

    def response(self, call: ChatCall, body: bytes) -> Completion:
        return completion(call, body)

    def stream(self, call: ChatCall) -> ChunkStream:
        return MessageStream(call)

    def error(self, call: ChatCall, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        return error_for(call, status, headers, body)


def _names_a_stored_file(body: Mapping[str, Any]) -> bool:
    blocks = [block for message in body["messages"] for block in message["content"]]
    inner = [part for block in blocks if isinstance(block.get("content"), list) for part in block["content"]]
    return any(block.get("source", {}).get("type") == "file" for block in blocks + inner)
