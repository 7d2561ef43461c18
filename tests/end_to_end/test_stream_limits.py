"""So many streams at once, exactly, over all workers together; and a place is free as soon as its stream has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import live
from tests.end_to_end.conftest import WORKERS, Caller, MakeCaller, chat_body
from tests.factories import make_key

LONG = "word " * 200  # a minute of sandbox/slow


@contextmanager
def streaming(caller: Caller, client: httpx.Client | None = None) -> Iterator[httpx.Response]:
    """A stream whose answer has begun, and which goes on."""
    body = chat_body("sandbox/slow", LONG, stream=True)
    with (client or caller.scattered).stream("POST", "/chat/completions", json=body) as answer:
        if answer.status_code != 200:
            answer.read()
        yield answer


@pytest.fixture
def four_workers(live_database: str, live_settings: dict[str, Any], tmp_path: Path, gateway: live.Gateway) -> Any:
    settings = {
        **live_settings,
        "GATEWAY_STREAMS_PER_KEY": 20,
        "GATEWAY_BODY_IDLE_SECONDS": 10,
        "GATEWAY_BODY_TOTAL_SECONDS": 20,
    }
    log = tmp_path / "gateway.log"
    with live.serving(database=live_database, log=log, workers=WORKERS, **settings) as serving:
        yield serving


def test_of_25_streams_over_four_workers_20_are_opened(four_workers: live.Gateway, make_caller: MakeCaller) -> None:
    caller = make_caller(at=four_workers)
    with ExitStack() as stack, ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: stack.enter_context(streaming(caller)), range(25)))
        assert Counter(answer.status_code for answer in answers) == {200: 20, 429: 5}
        refused = next(answer for answer in answers if answer.status_code == 429)
        error = refused.json()["error"]
        assert (error["type"], error["code"], error["param"]) == ("rate_limit_error", "too_many_streams", None)
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-ratelimit-remaining"]
        assert caller.chat().status_code == 200  # what is not a stream needs no place
    live.wait_for(lambda: _opens(caller), what="room for another stream after all have hung up")
    codes = Counter((row.status, row.error_code) for row in _all_rows(caller) if row.stream)
    assert codes[429, "too_many_streams"] >= 5


def test_streams_that_ended_by_themselves_make_room(four_workers: live.Gateway, make_caller: MakeCaller) -> None:
    caller = make_caller(at=four_workers)
    for _ in range(25):
        assert caller.chat(stream=True).status_code == 200
    for model in ("sandbox/error", "none", "sandbox/stream-cut"):
        for _ in range(21):
            assert caller.chat(model, stream=True).status_code != 429


@pytest.fixture
def narrow(live_database: str, live_settings: dict[str, Any], tmp_path: Path, gateway: live.Gateway) -> Any:
    bounds = {
        "GATEWAY_BODY_IDLE_SECONDS": 10,
        "GATEWAY_BODY_TOTAL_SECONDS": 20,
        "GATEWAY_STREAMS_PER_KEY": 3,
        "GATEWAY_STREAMS_PER_ORGANIZATION": 4,
        "GATEWAY_STREAMS_PER_PROCESS": 6,
        "GATEWAY_STRANGERS_RPM": 30,
        "GATEWAY_BAD_KEYS_RPM": 10,
        "TRUSTED_PROXIES": "127.0.0.0/8",
    }
    log = tmp_path / "gateway.log"
    with live.serving(database=live_database, log=log, **{**live_settings, **bounds}) as serving:
        yield serving


def test_each_of_the_three_limits_is_told_apart(narrow: live.Gateway, make_caller: MakeCaller) -> None:
    first, stranger = make_caller(at=narrow), make_caller(at=narrow)
    key, secret = make_key(first.organization, requests_per_minute=1000)
    second = Caller(first.organization, key, secret, narrow.base_url)
    with ExitStack() as stack:

        def ask(caller: Caller) -> tuple[int, str]:
            answer = stack.enter_context(streaming(caller))
            return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]["message"][:8]

        assert [ask(first) for _ in range(4)] == [(200, "")] * 3 + [(429, "This key")]
        assert [ask(second) for _ in range(2)] == [(200, ""), (429, "Your org")]
        assert [ask(stranger) for _ in range(3)] == [(200, "")] * 2 + [(503, "As many ")]
    second.close()


def test_strangers_wait_and_callers_do_not(narrow: live.Gateway, make_caller: MakeCaller) -> None:
    caller = make_caller(at=narrow)
    at = {"x-forwarded-for": "6.6.6.6, 99.7.7.7"}

    def status(**headers: str) -> int:
        return httpx.get(f"{narrow.base_url}/models", headers={**at, **headers}).status_code

    assert [status(authorization="Bearer nonsense") for _ in range(12)] == [401] * 10 + [429] * 2
    assert [status() for _ in range(20)] == [401] * 18 + [429] * 2  # of thirty, with those twelve
    answer = httpx.get(f"{narrow.base_url}/models", headers=at)
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert [status(authorization=f"Bearer {caller.secret}") for _ in range(3)] == [200] * 3
    at["x-forwarded-for"] = "99.7.7.8"
    assert status() == 401
    at["x-forwarded-for"] = "2a00:1:2:3::1"
    assert [status() for _ in range(31)] == [401] * 30 + [429]
    at["x-forwarded-for"] = "2a00:1:2:3:ffff::2"  # the same subscriber
    assert status() == 429


def _opens(caller: Caller) -> bool:
    with streaming(caller) as answer:
        return answer.status_code == 200


def _all_rows(caller: Caller) -> list[Any]:
    from billing.models import UsageEvent

    return list(UsageEvent.objects.of(caller.organization))
