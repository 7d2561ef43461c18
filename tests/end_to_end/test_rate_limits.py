"""Sixty requests a minute, exactly, over all workers together; and every answer says where the caller stands."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.end_to_end.conftest import MakeCaller, chat_body
from tests.end_to_end.registry import BROKEN, GPT, UNCONFIGURED

THREE = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def assert_told(answer: httpx.Response, *, limit: int) -> None:
    given, remaining, reset = (int(answer.headers[name]) for name in THREE)
    assert given == limit
    assert 0 <= remaining < limit
    assert 0 <= reset - time.time() <= 62


def test_of_61_calls_in_a_burst_over_four_workers_60_pass(make_caller: MakeCaller) -> None:
    caller = make_caller(rpm=None)  # the platform's default
    client = caller.scattered
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post("/chat/completions", json=chat_body()), range(61)))
    assert Counter(answer.status_code for answer in answers) == {200: 60, 429: 1}
    for answer in answers:
        assert_told(answer, limit=60)
    (refused,) = [answer for answer in answers if answer.status_code == 429]
    error = refused.json()["error"]
    assert (error["code"], error["type"], error["param"]) == ("rate_limit_exceeded", "rate_limit_error", None)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
    passed = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers if answer.status_code == 200)
    assert passed == list(range(60))
    assert len(caller.rows(60)) == 60


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("GET", "/models", None, 200),
        ("GET", "/models/none", None, 404),
        ("GET", "/none", None, 404),
        ("GET", "/chat/completions", None, 405),
        ("POST", "/chat/completions", {"model": 7}, 400),
        ("POST", "/chat/completions", {"model": "none"}, 404),
        ("POST", "/chat/completions", {"model": GPT}, 200),
        ("POST", "/chat/completions", {"model": GPT, "stream": True}, 200),
        ("POST", "/chat/completions", {"model": BROKEN}, 500),
        ("POST", "/chat/completions", {"model": BROKEN, "stream": True}, 500),
        ("POST", "/chat/completions", {"model": UNCONFIGURED}, 503),
        ("POST", "/chat/completions", {"model": "sandbox/rate-limit"}, 429),
        ("POST", "/chat/completions", {"model": "sandbox/stream-error", "stream": True}, 200),
    ],
)
def test_every_answer_to_a_key_has_the_three_headers(
    make_caller: MakeCaller, method: str, path: str, fields: dict[str, object] | None, status: int
) -> None:
    caller = make_caller(rpm=9)
    body = None if fields is None else {"messages": [{"role": "user", "content": "hi"}], **fields}
    answer = caller.http.request(method, path, json=body)
    assert answer.status_code == status
    assert_told(answer, limit=9)
    assert answer.headers["x-ratelimit-remaining"] == "8"


def test_a_body_of_the_wrong_kind_has_them_too(make_caller: MakeCaller) -> None:
    answer = make_caller(rpm=9).http.post("/chat/completions", content=b"x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert_told(answer, limit=9)


def test_each_key_has_a_window_of_its_own(make_caller: MakeCaller) -> None:
    first, second = make_caller(rpm=1), make_caller(rpm=1)
    assert [first.chat().status_code, first.chat().status_code] == [200, 429]
    assert second.chat().status_code == 200
