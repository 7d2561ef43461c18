"""A model for each wire format, behind the server that replays what vendors sent, and how to ask it for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openai

from tests.factories import make_model, make_price, make_provider, make_route
from tests.fakes.replay import Replay

EMBEDDINGS = "openai-embeddings"
CREDENTIAL = "REPLAY_API_KEY"
KINDS = {
    "openai-chat": "openai",
    "openai-compatible": "openai_compatible",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
MODELS = {dialect: f"replayed/{dialect}" for dialect in KINDS}


def seed(replay: Replay) -> None:
    for dialect, kind in KINDS.items():
        _serve(dialect, kind, replay, max_output_tokens=4096)
    _serve(EMBEDDINGS, "openai", replay, capabilities={"embeddings": True, "chat": False})


def _serve(dialect: str, kind: str, replay: Replay, **fields: Any) -> None:
    base_url, name = replay.base_url(dialect), f"replayed/{dialect}"
    provider = make_provider(f"replayed-{dialect}", kind=kind, base_url=base_url, api_key_env=CREDENTIAL)
    make_route(make_model(name, **fields), provider, f"upstream-{dialect}")
    make_price(name, input="1", output="2")


def request(dialect: str, prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": MODELS[dialect], "messages": [{"role": "user", "content": prompt}], **fields}


@dataclass(frozen=True)
class Reading:
    """What the official client had of one streamed request: its chunks, and what it raised after them."""

    chunks: list[dict[str, Any]]
    error: openai.APIError | None
    request_id: str


def read(client: openai.OpenAI, body: dict[str, Any]) -> Reading:
    """Stream the answer to `body`, to its end or to its failure."""
    chunks: list[dict[str, Any]] = []
    try:
        stream = client.chat.completions.create(**body, stream=True)
    except openai.APIStatusError as error:
        return Reading(chunks, error, error.request_id or "")
    request_id = stream.response.headers["x-request-id"]
    try:
        chunks.extend(chunk.to_dict() for chunk in stream)
    except openai.APIError as error:
        return Reading(chunks, error, request_id)
    return Reading(chunks, None, request_id)
