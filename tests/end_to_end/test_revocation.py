"""A revoked key is refused by every worker within five seconds, whether or not Valkey is there to tell them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests import live
from tests.end_to_end.conftest import WORKERS, Caller, MakeCaller, chat_body

BOUND = 5.0
CALLERS = 8


class Load:
    """Calls without end, each over a connection of its own, so that every worker gets some."""

    def __init__(self, caller: Caller) -> None:
        self._client = caller.scattered
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]
        self.seen: list[tuple[float, float, int]] = []  # sent at, answered at, status

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            sent_at = time.monotonic()
            status = self._client.get("/models").status_code
            self.seen.append((sent_at, time.monotonic(), status))
            self._stop.wait(0.05)

    def statuses(self, *, since: float) -> set[int]:
        return {status for sent_at, _, status in self.seen if sent_at >= since}


def revoke_under_load(caller: Caller) -> float:
    """Seconds from the revocation to the last answer that let the key pass."""
    with Load(caller) as load:
        time.sleep(1.5)
        assert load.statuses(since=0) == {200}
        caller.key.revoke()
        revoked_at = time.monotonic()
        time.sleep(BOUND + 1.5)
    assert load.statuses(since=revoked_at + BOUND) == {401}
    assert load.statuses(since=0) == {200, 401}
    return max(sent_at for sent_at, _, status in load.seen if status == 200) - revoked_at


def test_a_revoked_key_is_refused_at_once_by_workers_that_hear_of_it(caller: Caller) -> None:
    assert revoke_under_load(caller) < 1.5


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[live.Valkey]:
    with live.own_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def lonely_gateway(
    own_valkey: live.Valkey,
    live_database: str,
    live_settings: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[live.Gateway]:
    """A gateway with a Valkey that nobody else uses."""
    log = tmp_path_factory.mktemp("lonely") / "gateway.log"
    settings = {**live_settings, "REDIS_URL": own_valkey.url}
    with live.serving(database=live_database, log=log, workers=WORKERS, **settings) as gateway:
        yield gateway


@pytest.fixture
def without_valkey(own_valkey: live.Valkey, lonely_gateway: live.Gateway, committed: None) -> Iterator[live.Gateway]:
    own_valkey.stop()
    yield lonely_gateway
    own_valkey.start()


def test_a_revoked_key_is_refused_in_time_also_without_valkey(
    without_valkey: live.Gateway, make_caller: MakeCaller
) -> None:
    assert revoke_under_load(make_caller(at=without_valkey)) < BOUND


def test_without_valkey_no_request_fails_and_each_says_that_the_limit_is_not_exact(
    without_valkey: live.Gateway, make_caller: MakeCaller
) -> None:
    caller = make_caller(at=without_valkey)
    for stream in [False, True] * 20:
        answer = caller.scattered.post("/chat/completions", json=chat_body(stream=stream))
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-policy"] == "degraded"
        assert answer.headers["x-ratelimit-limit"] == "100000"
    assert len(caller.rows(40)) == 40


def test_without_valkey_the_workers_together_still_keep_the_limit(
    without_valkey: live.Gateway, make_caller: MakeCaller
) -> None:
    caller = make_caller(at=without_valkey, rpm=8)
    passed = [caller.scattered.get("/models").status_code for _ in range(40)].count(200)
    assert 2 <= passed <= 8  # two by each worker that was asked


def test_when_valkey_is_back_limits_are_exact_again(
    own_valkey: live.Valkey, without_valkey: live.Gateway, make_caller: MakeCaller
) -> None:
    caller = make_caller(at=without_valkey)
    assert "x-ratelimit-policy" in caller.scattered.get("/models").headers
    own_valkey.start()
    live.wait_for(
        lambda: all("x-ratelimit-policy" not in caller.scattered.get("/models").headers for _ in range(16)),
        seconds=10,
        what="the return of exact limits",
    )
    own_valkey.stop()
