"""Embeddings and completions of the older kind: what is held for them, and the encodings of vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway import vectors
from gateway.errors import ApiError
from gateway.prompt_estimate import completion_estimate, embeddings_estimate
from gateway.providers.base import Target
from gateway.registry import Entry
from gateway.tokens import count_inputs
from tests.gateway.test_registry import entry

EXACT = [0.25, -0.5, 1.0, 0.0]


def _entry(kind: str = "openai") -> Entry:
    return replace(entry("m"), targets=(Target("p", kind, "", None, "m", "m"),))


def test_vectors_come_back_from_base64_as_they_went() -> None:
    assert vectors.packed(EXACT) == "AACAPgAAAL8AAIA/AAAAAA=="
    assert vectors.unpacked(vectors.packed(EXACT)) == EXACT


@pytest.mark.parametrize("text", ["not base64!", "AAAA", "AACAPgAA"])
def test_what_is_not_base64_of_whole_floats_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|bytes|padding"):
        vectors.unpacked(text)


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "gemini"])
@pytest.mark.parametrize(
    "given", ["hello", "ação 漢字 🙂" * 50, ["one", "two words"] * 40, [1, 2, 3], [[1, 2], [3]] * 100, "word " * 20_000]
)
async def test_the_hold_covers_what_the_inputs_count(kind: str, given: Any) -> None:
    most = await embeddings_estimate({"input": given}, _entry(kind))
    assert most.input_tokens >= count_inputs(given)
    assert most.all_output == most.least_output == 0


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, 16),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"max_tokens": 5, "n": 2, "best_of": 4}, 20),
        ({"max_tokens": 5, "prompt": ["a", "b"], "n": 2}, 20),
        ({"max_tokens": 5, "prompt": [1, 2, 3]}, 5),
        ({"max_tokens": 5, "prompt": [[1, 2], [3]]}, 10),
    ],
)
async def test_all_answers_and_tries_of_a_completion_are_held(fields: dict[str, Any], output: int) -> None:
    most = await completion_estimate({"prompt": "go on", **fields}, _entry())
    assert most.all_output == most.least_output == output


async def test_several_prompts_each_have_the_suffix() -> None:
    alone = await completion_estimate({"prompt": "a", "suffix": "word " * 100}, _entry())
    many = await completion_estimate({"prompt": ["a"] * 9, "suffix": "word " * 100}, _entry())
    assert many.input_tokens >= 8 * alone.input_tokens


async def test_best_of_is_refused_where_only_one_answer_can_be_streamed() -> None:
    with pytest.raises(ApiError) as refused:
        await completion_estimate({"prompt": "a", "best_of": 2, "stream": True}, _entry())
    assert (refused.value.status, refused.value.param) == (400, "best_of")
