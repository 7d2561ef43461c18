"""Running a provider's stream translator over bytes, and what must hold of whatever it makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import ApiError
from gateway.providers.base import ChatCall, ChunkStream, Provider, Target
from gateway.sse import Parser
from tests import invariants


def call(body: dict[str, Any], *, kind: str = "openai", usage: bool = True, **target: Any) -> ChatCall:
    """A call of `body` to a model named `public-model` here and `upstream-model` there."""
    options = {"stream_options": {"include_usage": True}} if usage and body.get("stream") else {}
    fields: dict[str, Any] = {
        "provider": "fake",
        "kind": kind,
        "base_url": "http://127.0.0.1:9/v1",
        "credential": "upstream-secret",
        "model": "public-model",
        "upstream_model": "upstream-model",
    }
    fields.update(target)
    return ChatCall(
        body={**body, **options},
        target=Target(**fields),
        request_id="0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
        created=1_800_000_000,
    )


@dataclass
class Outcome:
    """What came out of a stream."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    error: ApiError | None = None
    translator: ChunkStream | None = None

    @property
    def finish_reason(self) -> str:
        """What the row in the ledger will say."""
        return self.translator.finish_reason if self.translator else ""


def run(provider: Provider, chat: ChatCall, pieces: list[bytes]) -> Outcome:
    """Feed `pieces` as they would come from the network."""
    translator = provider.stream(chat)
    outcome = Outcome(translator=translator)
    parser = Parser()
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                outcome.chunks += [json.loads(payload) for payload in translator.feed(event)]
        for event in parser.end():
            outcome.chunks += [json.loads(payload) for payload in translator.feed(event)]
        outcome.chunks += [json.loads(payload) for payload in translator.end()]
    except ApiError as error:
        outcome.error = error
    return outcome


def assert_well_formed(chunks: list[dict[str, Any]], *, usage: bool) -> None:
    """The invariants every complete stream keeps, whoever sent it."""
    invariants.heard_in(chunks, model="public-model", usage=usage)


def text(chunks: list[dict[str, Any]], key: str = "content") -> str:
    return "".join(choice["delta"].get(key) or "" for chunk in chunks for choice in chunk["choices"])
