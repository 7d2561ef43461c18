"""An embeddings call on its way to Gemini: one batch or several, and one answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from pytest_django import Settings

from billing.usage import Usage
from gateway.errors import ApiError
from gateway.operations import EMBEDDINGS
from gateway.providers import providers
from gateway.providers.base import Answer, EmbeddingsCall, Outbound, Target
from gateway.providers.gemini_embeddings import AT_ONCE, GeminiEmbeddings
from tests.gateway.gemini.answers import failure
from tests.gateway.gemini.test_framing import Recorded


def dialect() -> GeminiEmbeddings:
    found = providers()["gemini"].dialect("embeddings")
    assert isinstance(found, GeminiEmbeddings)
    return found


def call(given: Any, **body: Any) -> EmbeddingsCall:
    target = Target(
        provider="google", kind="gemini", base_url="http://127.0.0.1:9/v1beta", credential="upstream-secret",
        model="public-model", upstream_model="gemini-embedding-001",
    )  # fmt: skip
    payload = {"model": "public-model", "input": given, **body}
    EMBEDDINGS.check(payload)
    return EmbeddingsCall(payload, target, request_id="r", created=1)


class Google:
    """Answers each text with its number, and a batch that holds `bad` with an error."""

    def __init__(self, *, counts: bool = True, bad: str = "") -> None:
        self.asked: list[Outbound] = []
        self.answers: list[Recorded] = []
        self.most = self._at_once = 0
        self._counts = counts
        self._bad = bad

    async def send(self, outbound: Outbound) -> Answer:
        self.asked.append(outbound)
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        texts = [one["content"]["parts"][0]["text"] for one in json.loads(outbound.body)["requests"]]
        if self._bad in texts:
            body = failure(429, "RESOURCE_EXHAUSTED")
        else:
            body = {"embeddings": [{"values": [float(text), 0.5]} for text in texts]}
            body |= {"usageMetadata": {"promptTokenCount": len(texts)}} if self._counts else {}
        self.answers.append(Recorded([json.dumps(body).encode()], 429 if "error" in body else 200))
        return self.answers[-1]


async def answered(asked: EmbeddingsCall, google: Google) -> Any:
    answer = await dialect().send(asked, google)
    assert answer.status == 200
    return dialect().response(asked, await answer.read())


async def test_a_text_is_asked_of_the_batch_method() -> None:
    google = Google()
    made = await answered(call("7"), google)
    CreateEmbeddingResponse.model_validate(made.body)
    assert made.body["data"] == [{"object": "embedding", "index": 0, "embedding": [7.0, 0.5]}]
    [outbound] = google.asked
    assert outbound.url == "http://127.0.0.1:9/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert outbound.headers["x-goog-api-key"] == "upstream-secret"


async def test_many_texts_are_several_batches_and_one_answer_in_order() -> None:
    google = Google()
    made = await answered(call([str(number) for number in range(1050)]), google)
    assert len(google.asked) == 11
    assert google.most == AT_ONCE
    assert [one["embedding"][0] for one in made.body["data"]] == list(range(1050))
    assert [one["index"] for one in made.body["data"]] == list(range(1050))
    assert made.usage == Usage(input=1050)
    assert all(answer.closed for answer in google.answers)


async def test_counts_that_google_did_not_give_are_ours() -> None:
    made = await answered(call("7"), Google(counts=False))
    assert made.usage is None
    assert made.body["usage"] == {"prompt_tokens": 1, "total_tokens": 1}


@pytest.mark.parametrize("texts", [1, 150])
async def test_a_batch_that_fails_fails_the_call(texts: int) -> None:
    asked = call([str(number) for number in range(texts)])
    google = Google(bad=str(texts - 1))
    answer = await dialect().send(asked, google)
    error = dialect().error(asked, answer.status, answer.headers, await answer.read())
    assert (error.status, error.code) == (429, "rate_limit_exceeded")


async def test_a_connection_that_fails_fails_the_call_in_its_own_words() -> None:
    class Gone:
        async def send(self, outbound: Outbound) -> Answer:
            raise ApiError(504, "Too late.", type="timeout_error", code="upstream_timeout")

    with pytest.raises(ApiError) as caught:
        await dialect().send(call([str(number) for number in range(101)]), Gone())
    assert caught.value.code == "upstream_timeout"


async def test_tokens_are_refused_before_anything_is_sent() -> None:
    google = Google()
    with pytest.raises(ApiError) as caught:
        await dialect().send(call([1, 2, 3]), google)
    assert (caught.value.status, caught.value.param) == (400, "input")
    assert google.asked == []


async def test_answers_are_bounded_together(settings: Settings) -> None:
    settings.GATEWAY_MAX_UPSTREAM_BYTES = 1000
    with pytest.raises(ApiError) as caught:
        await dialect().send(call([str(number) for number in range(101)]), Google())
    assert "GATEWAY_MAX_UPSTREAM_BYTES" in caught.value.hint
