"""Prompts and answers are stored for whoever wants it, encrypted, and for nobody else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from accounts.models import Organization
from gateway import exchanges
from gateway.exchanges import Opened
from gateway.models import StoredExchange
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.registry import CLAUDE, GPT
from tests.fakes.answers import Answer
from tests.fakes.openai import FakeOpenAI
from tests.live import wait_for

SECRET = "the plans of the submarine"


@pytest.fixture
def keeper(make_caller: MakeCaller) -> Caller:
    """Somebody whose organisation has prompts and answers stored."""
    return make_caller(prompt_retention_days=30)


def kept(caller: Caller, request_id: str) -> Opened:
    """What is stored of a request, once it is."""
    found = wait_for(lambda: exchanges.find(caller.organization, uuid.UUID(request_id)), what=f"storing {request_id}")
    assert found is not None
    return found


def stored(caller: Caller) -> int:
    return StoredExchange.objects.of(caller.organization).count()


def said(opened: Opened) -> list[tuple[str, str]]:
    return [(part.who, part.text) for part in opened.said]


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_asked_and_answered_is_stored(keeper: Caller, model: str, stream: bool) -> None:
    plain = keeper.chat(model, SECRET)
    answer = plain.json()["choices"][0]["message"]["content"]
    response = keeper.chat(model, SECRET, stream=stream)
    opened = kept(keeper, response.headers["x-request-id"])
    assert said(opened) == [("user", SECRET), ("assistant", answer)]
    assert opened.request.value["model"] == model
    assert (opened.path, opened.streamed, opened.whole) == ("/chat/completions", stream, True)


def test_nothing_of_it_can_be_read_in_the_table(keeper: Caller) -> None:
    response = keeper.chat("sandbox/echo", SECRET)
    kept(keeper, response.headers["x-request-id"])
    row = StoredExchange.objects.of(keeper.organization).get()
    assert SECRET.encode() not in bytes(row.content)
    assert b"messages" not in bytes(row.content)


def test_who_did_not_turn_it_on_has_nothing_stored(keeper: Caller, make_caller: MakeCaller) -> None:
    other = make_caller()
    for stream in (False, True):
        other.chat("sandbox/echo", SECRET, stream=stream)
    kept(keeper, keeper.chat("sandbox/echo", SECRET).headers["x-request-id"])
    other.rows(2)
    assert stored(other) == 0


def test_what_is_turned_off_stays_empty_also_while_workers_remember_it_as_on(keeper: Caller) -> None:
    kept(keeper, keeper.chat("sandbox/echo", SECRET).headers["x-request-id"])  # over one connection: one worker
    Organization.objects.filter(pk=keeper.organization.pk).update(prompt_retention_days=None)
    exchanges.forget(keeper.organization)
    for _ in range(3):
        keeper.chat("sandbox/echo", SECRET)
    keeper.rows(4)
    other = Organization.objects.get(pk=keeper.organization.pk)
    assert exchanges.count(other) == 0


def test_a_refusal_is_stored_with_what_was_asked(keeper: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.usual = Answer(status=500)
    response = keeper.chat(GPT, SECRET)
    assert response.status_code >= 500
    opened = kept(keeper, response.headers["x-request-id"])
    assert said(opened) == [("user", SECRET), ("error", response.json()["error"]["message"])]


def test_a_caller_who_hangs_up_leaves_what_was_sent_until_then(keeper: Caller) -> None:
    body = {"model": "sandbox/slow", "stream": True, "messages": [{"role": "user", "content": SECRET}]}
    with keeper.http.stream("POST", "/chat/completions", json=body) as response:
        request_id = response.headers["x-request-id"]
        next(response.iter_lines())
    opened = kept(keeper, request_id)
    assert said(opened)[0] == ("user", SECRET)
    assert opened.answer.value["choices"][0]["finish_reason"] is None


def test_an_answer_that_is_replayed_is_stored_again(keeper: Caller) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": SECRET}]}
    ids = [keeper.http.post("/chat/completions", json=body, headers=key).headers["x-request-id"] for _ in range(2)]
    first, second = (kept(keeper, one) for one in ids)
    assert said(first) == said(second)


def test_embeddings_are_stored_without_their_vectors(keeper: Caller) -> None:
    body: dict[str, Any] = {"model": "sandbox/embedding", "input": [SECRET]}
    response = keeper.http.post("/embeddings", json=body)
    opened = kept(keeper, response.headers["x-request-id"])
    assert said(opened) == [("input", SECRET)]
    assert "not stored" in opened.answer.text
