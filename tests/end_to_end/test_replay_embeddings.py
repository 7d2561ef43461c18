"""Embeddings that providers sent, replayed, and read by the official Python client in both encodings."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import openai
import pytest

from tests.end_to_end.conftest import Caller
from tests.end_to_end.replayed import EMBEDDINGS
from tests.fakes.answers import Answer
from tests.fakes.replay import Replay
from tests.gateway.transcripts import Case, cases, fixtures

pytestmark = pytest.mark.sdk

ALL = [*fixtures(EMBEDDINGS), *cases(EMBEDDINGS)]
MODEL = f"replayed/{EMBEDDINGS}"
RAISED = {400: openai.BadRequestError, 404: openai.NotFoundError}


def vector_in(embedding: Any) -> list[float]:
    """Numbers as they are, or 32-bit floats from base64."""
    if isinstance(embedding, list):
        return embedding
    written = base64.b64decode(embedding)
    return list(struct.unpack(f"<{len(written) // 4}f", written))


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("case", [case for case in ALL if case.status == 200], ids=str)
def test_a_vector_is_what_the_provider_sent_in_the_encoding_that_was_asked_for(
    caller: Caller, replay: Replay, case: Case, encoding: Any
) -> None:
    prompt = replay.prompt_for(Answer.recorded(case))
    made = caller.sdk.embeddings.create(model=MODEL, input=prompt, encoding_format=encoding)
    told = json.loads(case.body)
    assert made.model == MODEL
    assert [type(item.embedding) for item in made.data] == [list if encoding == "float" else str] * len(made.data)
    sent = [vector_in(item["embedding"]) for item in told["data"]]
    assert [vector_in(item.embedding) for item in made.data] == [pytest.approx(vector) for vector in sent]
    assert made.usage.prompt_tokens == made.usage.total_tokens == told["usage"]["prompt_tokens"]
    row = caller.row()
    assert (row.status, row.rule, row.usage_source) == (200, "complete", "provider")
    assert (row.input_tokens, row.output_tokens) == (made.usage.prompt_tokens, 0)


@pytest.mark.parametrize("case", [case for case in ALL if case.status != 200], ids=str)
def test_a_refusal_is_raised_as_what_it_is(caller: Caller, replay: Replay, case: Case) -> None:
    prompt = replay.prompt_for(Answer.recorded(case))
    with pytest.raises(RAISED[case.status]) as caught:
        caller.sdk.embeddings.create(model=MODEL, input=prompt)
    assert caught.value.param == ("model" if case.status == 404 else "input")
    row = caller.row()
    assert (row.status, row.rule, row.charged_nano) == (case.status, "failed", 0)
