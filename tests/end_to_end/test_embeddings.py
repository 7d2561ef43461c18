"""`POST /v1/embeddings`, with the official client and without, metered as everything else is."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import openai
import pytest

from billing.usage import UsageSource
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.registry import CLAUDE, EMBEDDING, GPT, INSTRUCT
from tests.end_to_end.test_charges import assert_charged, at_usual_price
from tests.factories import make_key
from tests.fakes.answers import Answer
from tests.fakes.openai import FakeOpenAI
from tests.fakes.openai_prompts import PER_INPUT, VECTOR

pytestmark = pytest.mark.sdk


def embed(caller: Caller, given: Any = "hello", model: str = EMBEDDING, **fields: Any) -> Any:
    return caller.http.post("/embeddings", json={"model": model, "input": given, **fields})


def test_the_client_gets_floats_though_it_asks_for_base64_beneath(caller: Caller, fake_openai: FakeOpenAI) -> None:
    made = caller.sdk.embeddings.create(model=EMBEDDING, input=["one", "two"])
    assert [item.embedding for item in made.data] == [list(VECTOR), list(VECTOR)]
    assert [item.index for item in made.data] == [0, 1]
    assert made.model == EMBEDDING
    assert made.usage.prompt_tokens == made.usage.total_tokens == 2 * PER_INPUT
    assert fake_openai.last.json["encoding_format"] == "base64"


def test_what_the_caller_sent_goes_to_the_provider_as_it_is(caller: Caller, fake_openai: FakeOpenAI) -> None:
    sent: dict[str, Any] = {"dimensions": 2, "encoding_format": "float", "user": "u-1", "x_new_field": {"a": [1]}}
    answer = embed(caller, [[1, 2, 3], [4]], **sent).json()
    assert fake_openai.last.json == {"model": EMBEDDING, "input": [[1, 2, 3], [4]], **sent}
    assert answer["data"][0]["embedding"] == list(VECTOR[:2])


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_server_that_knows_one_encoding_only_is_helped_out(
    caller: Caller, fake_openai: FakeOpenAI, encoding: str
) -> None:
    other = "base64" if encoding == "float" else "float"
    vector: Any = list(VECTOR) if other == "float" else base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    body = b'{"data":[{"embedding":%s}],"model":"x"}' % str(vector).replace("'", '"').encode()
    if other == "base64":
        body = b'{"data":[{"embedding":"%s"}],"model":"x"}' % vector.encode()
    fake_openai.script(Answer(body=body))
    (item,) = embed(caller, "hello", encoding_format=encoding).json()["data"]
    wanted = list(VECTOR) if encoding == "float" else base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    assert item == {"embedding": wanted, "object": "embedding", "index": 0}


def test_the_providers_count_is_charged_at_the_price_of_input(caller: Caller) -> None:
    assert embed(caller, ["a text of seven tokens, more or less"] * 3).headers["x-2389-cost"] == "0.000021"
    row = assert_charged(caller, 3 * PER_INPUT * 1000, rule="complete")
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (3 * PER_INPUT, 0, UsageSource.PROVIDER)
    assert row.charged_nano == at_usual_price(row)


def test_a_provider_that_does_not_count_is_counted_for(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.script(Answer(body=b'{"data":[{"embedding":[1.0]}]}'))
    answer = embed(caller, ["hello world", "hello"]).json()
    row = assert_charged(caller, 3 * 1000, rule="complete")
    assert (row.input_tokens, row.usage_source) == (3, UsageSource.COUNTED)
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_who_cannot_pay_for_the_input_is_refused_before_it_is_sent(
    make_caller: MakeCaller, fake_openai: FakeOpenAI
) -> None:
    caller = make_caller(credit=0)
    refused = embed(caller, "word " * 1000)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "insufficient_quota")
    assert fake_openai.requests == []


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("", "input"),
        ([], "input"),
        ([""], "input[0]"),
        ([1, "two"], "input[1]"),
        ([[]], "input[0]"),
        ([["a"]], "input[0][0]"),
        ({"text": "hello"}, "input"),
        (None, "input"),
        (["x"] * 2049, "input"),
        ([-1], "input[0]"),
    ],
)
def test_an_input_that_is_none_is_refused_by_name(caller: Caller, given: Any, param: str) -> None:
    refused = embed(caller, given)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param), error
    assert caller.row().rule == "refused"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"stream": True}, "stream"),
        ({"stream": 0}, "stream"),
        ({"dimensions": 2**63}, "dimensions"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_name(caller: Caller, fields: dict[str, Any], param: str) -> None:
    refused = embed(caller, "hello", **fields)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("model", [GPT, CLAUDE, INSTRUCT])
def test_a_model_that_makes_none_is_refused_and_costs_nothing(caller: Caller, model: str) -> None:
    refused = embed(caller, "hello", model=model)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "unsupported_endpoint", "model")
    assert_charged(caller, 0, rule="refused")


def test_chat_with_an_embedding_model_names_the_right_endpoint(caller: Caller) -> None:
    refused = caller.chat(EMBEDDING)
    assert refused.json()["error"]["message"] == f"'{EMBEDDING}' is not a chat model. It answers at /v1/embeddings."


def test_a_key_without_the_scope_makes_none(caller: Caller) -> None:
    _, secret = make_key(caller.organization, scopes=["chat"])
    client = caller.sdk.with_options(api_key=secret)
    with pytest.raises(openai.PermissionDeniedError):
        client.embeddings.create(model=EMBEDDING, input="hello")


def test_the_same_key_gives_the_same_answer_once_charged(caller: Caller, fake_openai: FakeOpenAI) -> None:
    headers, body = {"idempotency-key": "embed-1"}, {"model": EMBEDDING, "input": "hello"}
    first, second = (caller.http.post("/embeddings", headers=headers, json=body) for _ in range(2))
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert len(fake_openai.requests) == 1


def test_a_key_that_was_used_elsewhere_is_refused(caller: Caller) -> None:
    both = {"model": "sandbox/echo", "input": "hello", "prompt": "hello"}
    headers = {"idempotency-key": "both-1"}
    assert caller.http.post("/completions", headers=headers, json=both).status_code == 200
    refused = caller.http.post("/embeddings", headers=headers, json=both)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_the_sandbox_gives_equal_texts_equal_vectors_of_length_one(caller: Caller) -> None:
    made = caller.sdk.embeddings.create(model="sandbox/embedding", input=["a", "b", "a"], dimensions=64)
    one, two, three = (item.embedding for item in made.data)
    assert one == three != two
    assert math.isclose(sum(number * number for number in one), 1, rel_tol=1e-5)
    assert len(one) == 64
