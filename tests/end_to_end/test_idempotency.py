"""The same Idempotency-Key and body: one run, one charge, the same answer."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connection

from billing.models import Transfer
from gateway.models import IdempotentAnswer
from tests.end_to_end.conftest import Caller, MakeCaller, chat_body
from tests.end_to_end.registry import CLAUDE, GPT
from tests.fakes.answers import Answer
from tests.fakes.openai import FakeOpenAI
from tests.live import wait_for


def _ask(caller: Caller, key: str, **fields: Any) -> httpx.Response:
    return caller.scattered.post(
        "/chat/completions", json=chat_body(**{"model": GPT, **fields}), headers={"idempotency-key": key}
    )


def _key() -> str:
    return str(uuid.uuid4())


def _charges(caller: Caller) -> list[int]:
    """What was taken from the caller's wallet for usage."""
    entries = Transfer.objects.of(caller.organization).filter(kind="usage")
    return list(entries.values_list("amount_nano", flat=True))


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("stream", [False, True])
def test_a_second_request_gets_the_first_ones_answer_and_is_not_charged(
    caller: Caller, model: str, stream: bool
) -> None:
    key = _key()
    first, second = (_ask(caller, key, model=model, stream=stream) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-2389-original-request-id"] == first.headers["x-request-id"]
    rows = caller.rows(2)
    assert sorted(row.rule for row in rows) == ["complete", "replayed"]
    assert len(_charges(caller)) == 1


def test_the_provider_is_asked_once(caller: Caller, fake_openai: FakeOpenAI) -> None:
    key = _key()
    for _ in range(3):
        _ask(caller, key)
    assert len(fake_openai.requests) == 1


def test_of_many_at_once_one_runs_and_the_others_are_told_to_wait(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.usual = Answer(delay=0.5)
    key = _key()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: _ask(caller, key), range(12)))
    ran = [answer for answer in answers if answer.status_code == 200]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(ran) + len(waiting) == 12
    assert len(fake_openai.requests) == len(_charges(caller)) == 1
    assert {answer.json()["error"]["code"] for answer in waiting} == {"idempotency_in_progress"}
    assert {answer.headers["retry-after"] for answer in waiting} == {"1"}
    assert _ask(caller, key).headers["idempotent-replayed"] == "true"


def test_another_body_is_refused(caller: Caller) -> None:
    key = _key()
    _ask(caller, key)
    refused = _ask(caller, key, temperature=0.5)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_what_cost_nothing_may_be_tried_again(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.script(Answer(status=500, body=b"{}"))
    key = _key()
    assert _ask(caller, key).status_code == 502
    assert _ask(caller, key).status_code == 200
    assert len(_charges(caller)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_finds_the_answer_by_trying_again(
    caller: Caller, fake_openai: FakeOpenAI, stream: bool
) -> None:
    fake_openai.usual = Answer(text="one two three four five six seven eight", pause=0.1, delay=0.3)
    key = _key()
    with pytest.raises(httpx.ReadTimeout):
        caller.scattered.post(
            "/chat/completions",
            json=chat_body(GPT, stream=stream),
            headers={"idempotency-key": key},
            timeout=httpx.Timeout(5, read=0.1),
        )

    def replayed() -> httpx.Response | None:
        answer = _ask(caller, key, stream=stream)
        return answer if answer.status_code == 200 else None

    answer = wait_for(replayed, seconds=8, what="the answer of the run that was left")
    assert answer is not None
    assert answer.headers["idempotent-replayed"] == "true"
    assert "eight" in answer.text
    assert len(fake_openai.requests) == len(_charges(caller)) == 1


def test_a_stream_that_broke_and_was_charged_is_replayed_as_it_was(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.script(Answer(fails_after=4))
    key = _key()
    first, second = (_ask(caller, key, stream=True) for _ in range(2))
    assert b'"error"' in first.content
    assert second.content == first.content
    assert len(_charges(caller)) == 1


def test_a_stranger_with_the_same_key_and_body_gets_an_answer_of_his_own(
    caller: Caller, make_caller: MakeCaller, fake_openai: FakeOpenAI
) -> None:
    key, charlie = _key(), make_caller()
    _ask(caller, key)
    assert "idempotent-replayed" not in _ask(charlie, key).headers
    assert len(fake_openai.requests) == 2


def test_what_is_kept_is_encrypted(caller: Caller) -> None:
    _ask(caller, _key(), messages=[{"role": "user", "content": "hello"}])
    kept = wait_for(
        lambda: IdempotentAnswer.objects.filter(organization_id=caller.organization.pk, answer__isnull=False).first(),
        what="the kept answer",
    )
    assert kept is not None
    assert b"Hello" not in bytes(kept.answer or b"Hello")


def test_after_a_day_the_key_is_new(caller: Caller, fake_openai: FakeOpenAI) -> None:
    key = _key()
    _ask(caller, key)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_idempotentanswer SET expires_at = now() - interval '1 s' WHERE organization_id = %s",
            [caller.organization.pk],
        )
    assert "idempotent-replayed" not in _ask(caller, key, temperature=1).headers
    assert len(fake_openai.requests) == 2


def test_a_retry_takes_the_place_of_a_run_that_died_and_what_that_was_charged_is_given_back(caller: Caller) -> None:
    key = _key()
    first = _ask(caller, key)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_idempotentanswer SET answer = NULL, alive_until = now() - interval '1 s'"
            " WHERE organization_id = %s",
            [caller.organization.pk],
        )
    second = _ask(caller, key)
    assert second.status_code == 200
    refund = Transfer.objects.of(caller.organization).get(kind="refund")
    assert (refund.ref, refund.amount_nano) == (first.headers["x-request-id"], _charges(caller)[0])


@pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
def test_a_key_that_is_none_is_refused(caller: Caller, key: str) -> None:
    refused = _ask(caller, key)
    assert (refused.status_code, "Idempotency-Key" in refused.json()["error"]["message"]) == (400, True)
