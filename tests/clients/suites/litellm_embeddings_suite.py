"""What callers do with the embeddings of LiteLLM's Python library, pointed at the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
import pytest

TEXTS = ["The first text", "The second", "The third"]


@pytest.fixture
def told(base_url: str, key: str, model_id: str) -> dict[str, Any]:
    return {"model": f"openai/{model_id}", "api_base": base_url, "api_key": key}


def test_each_text_gets_a_vector_and_its_tokens_are_counted(told: dict[str, Any]) -> None:
    made = litellm.embedding(input=TEXTS, **told)
    vectors = [one["embedding"] for one in made.data]
    assert [one["index"] for one in made.data] == [0, 1, 2]
    assert len({len(vector) for vector in vectors}) == 1
    assert all(isinstance(number, float) for vector in vectors for number in vector)
    assert made.usage.total_tokens == made.usage.prompt_tokens > 0


def test_vectors_are_as_long_as_was_asked_for(told: dict[str, Any]) -> None:
    made = litellm.embedding(input=TEXTS[:1], dimensions=8, allowed_openai_params=["dimensions"], **told)
    assert len(made.data[0]["embedding"]) == 8


def test_the_asynchronous_call_is_answered_too(told: dict[str, Any]) -> None:
    made = asyncio.run(litellm.aembedding(input=TEXTS, **told))
    assert len(made.data) == len(TEXTS)


def test_a_model_that_makes_none_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(litellm.BadRequestError):
        litellm.embedding(input=TEXTS, **{**told, "model": "openai/sandbox/echo"})
