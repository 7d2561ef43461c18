"""Embeddings as OpenAI's, over Gemini's batches."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import httpx2
import openai
import pytest
from openai.types import CreateEmbeddingResponse

from billing.usage import Usage
from gateway.errors import ApiError
from gateway.translation.gemini_embeddings import MAX_BATCH, embed_requests, embeddings, joined

MODEL = "gemini-embedding-001"


def asked(given: Any, **fields: Any) -> list[dict[str, Any]]:
    return embed_requests({"model": "public-model", "input": given, **fields}, MODEL)


def answer(*vectors: list[float], tokens: int | None = None) -> bytes:
    made: dict[str, Any] = {"embeddings": [{"values": vector} for vector in vectors]}
    if tokens is not None:
        made["usageMetadata"] = {"promptTokenCount": tokens, "promptTokenDetails": [{"modality": "TEXT"}]}
    return json.dumps(made).encode()


def told(given: Any, body: bytes, **fields: Any) -> dict[str, Any]:
    return embeddings({"input": given, **fields}, "public-model", body).body


def test_a_text_is_a_batch_of_one() -> None:
    part = {"model": f"models/{MODEL}", "content": {"parts": [{"text": "hi"}]}}
    assert asked("hi") == [{"requests": [part]}] == asked(["hi"])
    assert embed_requests({"input": "hi"}, f"models/{MODEL}") == [{"requests": [part]}]


def test_the_wanted_length_goes_up_with_each_text() -> None:
    requests = asked(["a", "b"], dimensions=768, user="u", encoding_format="base64")[0]["requests"]
    assert [one["outputDimensionality"] for one in requests] == [768, 768]
    assert all(set(one) == {"model", "content", "outputDimensionality"} for one in requests)
    assert "outputDimensionality" not in asked("a", dimensions=None)[0]["requests"][0]


@pytest.mark.parametrize(("texts", "sizes"), [(100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_more_texts_than_a_batch_holds_are_several_batches_in_order(texts: int, sizes: list[int]) -> None:
    given = [f"text {number}" for number in range(texts)]
    batches = [one["requests"] for one in asked(given)]
    assert MAX_BATCH == 100
    assert [len(batch) for batch in batches] == sizes
    assert [one["content"]["parts"][0]["text"] for batch in batches for one in batch] == given


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 7]}, "input[1]"),
        ({"input": ["a", ["b"]]}, "input[1]"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "dimensions": "9"}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_gemini_cannot_be_asked_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        embed_requests(given, MODEL)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message.startswith(f"'{param}'")


def test_an_answer_is_a_list_of_embeddings() -> None:
    made = embeddings({"input": ["a", "b"]}, "public-model", answer([0.5, -1], [2, 0.25], tokens=5))
    CreateEmbeddingResponse.model_validate(made.body)
    assert made.body == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1]},
            {"object": "embedding", "index": 1, "embedding": [2, 0.25]},
        ],
        "model": "public-model",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    assert made.usage == Usage(input=5)


@pytest.mark.parametrize("metadata", [None, {}, 7, {"promptTokenCount": "5"}, {"promptTokenCount": -1}])
def test_counts_that_were_not_given_are_not_made_up(metadata: Any) -> None:
    body = json.dumps({"embeddings": [{"values": [1]}], "usageMetadata": metadata}).encode()
    made = embeddings({"input": "a"}, "public-model", body)
    assert made.usage is None
    assert "usage" not in made.body


def test_base64_is_of_little_endian_float32s() -> None:
    values = [0.1, -2.5, 3, 0.0, 1e-8]
    packed = told("a", answer(values), encoding_format="base64")["data"][0]["embedding"]
    assert base64.b64decode(packed) == struct.pack("<5f", *values)
    assert told("a", answer(values), encoding_format="float")["data"][0]["embedding"] == values


def test_the_official_client_reads_both_encodings_alike() -> None:
    values = [math.sin(number) for number in range(3072)]

    def reply(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=told("a", answer(values, tokens=1), **json.loads(request.content)))

    client = openai.OpenAI(api_key="x", http_client=httpx2.Client(transport=httpx2.MockTransport(reply)))
    plain = client.embeddings.create(model="m", input="a", encoding_format="float").data[0].embedding
    packed = client.embeddings.create(model="m", input="a").data[0].embedding  # asks for base64 by itself
    assert plain == values
    assert packed == pytest.approx(values, rel=1e-6)


def test_several_answers_are_one_in_order() -> None:
    parts = [answer([1.0], [2.0], tokens=3), answer([3.0], tokens=4)]
    made = embeddings({"input": ["a", "b", "c"]}, "public-model", joined(parts))
    assert [one["embedding"] for one in made.body["data"]] == [[1.0], [2.0], [3.0]]
    assert made.usage == Usage(input=7)
    assert joined(parts[:1]) is parts[0]


def test_counts_are_all_there_or_not_at_all() -> None:
    assert embeddings({"input": ["a", "b"]}, "m", joined([answer([1.0], tokens=3), answer([2.0])])).usage is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b"{}", b'{"embeddings":7}', b'{"embeddings":[]}', b'{"embeddings":[7]}',
     b'{"embeddings":[{}]}', b'{"embeddings":[{"values":[]}]}', b'{"embeddings":[{"values":[1]},{"values":[1]}]}',
     b'{"embeddings":[{"values":["x"]}]}', b'{"embeddings":[{"values":[null]}]}', b'{"embeddings":[{"values":[[1]]}]}'],
)  # fmt: skip
def test_what_cannot_be_read_is_no_answer(body: bytes) -> None:
    for encoding in ("float", "base64"):
        with pytest.raises(ApiError) as caught:
            told("a", body, encoding_format=encoding)
        assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")
    with pytest.raises(ApiError) as caught:
        told("a", joined([body, b"{}"]))
    assert caught.value.status == 502
