"""What a key is limited to holds on the wire, over four workers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests import live
from tests.end_to_end.conftest import Caller, MakeCaller, chat_body

PROXY = "127.0.0.1"
LONG = "word " * 200  # a minute of sandbox/slow
TOKENS = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")


@pytest.fixture
def behind_a_proxy(
    live_database: str, live_settings: dict[str, Any], committed: None, tmp_path: Path
) -> Iterator[live.Gateway]:
    """One that believes what its caller says of where a request comes from."""
    settings = {**live_settings, "TRUSTED_PROXIES": PROXY, "GATEWAY_BAD_KEYS_RPM": 3}
    with live.serving(database=live_database, log=tmp_path / "gateway.log", workers=1, **settings) as gateway:
        yield gateway


@pytest.fixture
def patient(
    live_database: str, live_settings: dict[str, Any], committed: None, tmp_path: Path
) -> Iterator[live.Gateway]:
    """Four workers that wait for bodies as long as a busy machine needs to send them."""
    settings = {**live_settings, "GATEWAY_BODY_IDLE_SECONDS": 20, "GATEWAY_BODY_TOTAL_SECONDS": 20}
    with live.serving(database=live_database, log=tmp_path / "gateway.log", workers=4, **settings) as gateway:
        yield gateway


def limit(caller: Caller, **columns: Any) -> Caller:
    for name, value in columns.items():
        setattr(caller.key, name, value)
    caller.key.save()
    return caller


def error(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def left(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining-tokens"])


def test_no_more_tokens_are_let_through_than_a_bucket_holds(make_caller: MakeCaller, patient: live.Gateway) -> None:
    """Each may use 8,000 of output and some hundreds of input; for a fourth it takes a quarter of a minute."""
    caller = limit(make_caller(at=patient), tokens_per_minute=25_000)
    body = chat_body("sandbox/slow", LONG, stream=True, max_tokens=8000)
    with ExitStack() as open_streams, ThreadPoolExecutor(12) as pool:
        asked = [caller.scattered.stream("POST", "/chat/completions", json=body) for _ in range(12)]
        answers = list(pool.map(open_streams.enter_context, asked))
        assert Counter(answer.status_code for answer in answers) == {200: 3, 429: 9}
        for answer in answers:
            assert answer.headers["x-ratelimit-limit-tokens"] == "25000"
            assert answer.headers["x-ratelimit-reset-tokens"].endswith("s")
        refused = next(answer for answer in answers if answer.status_code == 429)
        refused.read()
    assert (error(refused)["code"], error(refused)["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert "tokens a minute" in error(refused)["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_what_was_not_used_is_there_again(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), tokens_per_minute=10_000)
    first = caller.chat(max_tokens=5000)
    assert left(first) < 5000
    live.wait_for(lambda: left(caller.http.get("/models")) > 9900, what="the correction")
    used = caller.row()
    assert used.input_tokens + used.output_tokens < 100


def test_a_stream_is_corrected_when_it_has_ended(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), tokens_per_minute=10_000)
    with caller.http.stream("POST", "/chat/completions", json=chat_body(stream=True, max_tokens=5000)) as answer:
        assert left(answer) < 5000
        answer.read()
    live.wait_for(lambda: left(caller.http.get("/models")) > 9900, what="the correction")


def test_a_request_beyond_the_limit_is_not_worth_a_second_try(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), tokens_per_minute=500)
    answer = caller.chat(max_tokens=501)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (429, "false")
    assert "can never pass" in error(answer)["message"]
    assert caller.row().charged_nano == 0
    with pytest.raises(openai.RateLimitError, match="can never pass"):
        caller.sdk.chat.completions.create(**chat_body(max_tokens=501))


def test_keys_without_the_limit_are_told_nothing_of_it(make_caller: MakeCaller) -> None:
    answer = make_caller().chat()
    assert not set(TOKENS) & set(answer.headers)


def test_embeddings_take_tokens_too(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), tokens_per_minute=600)
    answer = caller.http.post("/embeddings", json={"model": "sandbox/embedding", "input": "hello " * 100})
    assert answer.status_code == 200
    assert left(answer) < 500


def test_a_key_uses_only_its_models_and_sees_no_others(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), models_allowed=["sandbox/echo", "sandbox/stream*"])
    listed = [model["id"] for model in caller.http.get("/models").json()["data"]]
    assert "sandbox/echo" in listed
    assert all(name == "sandbox/echo" or name.startswith("sandbox/stream") for name in listed)
    assert caller.chat().status_code == 200
    for answer in (caller.chat("sandbox/slow"), caller.http.get("/models/sandbox/slow")):
        assert answer.status_code == 403
        assert (error(answer)["code"], error(answer)["param"]) == ("model_not_allowed", "model")
    assert caller.chat("sandbox/none").status_code == 404
    with pytest.raises(openai.PermissionDeniedError, match="may not use the model"):
        caller.sdk.chat.completions.create(**chat_body("sandbox/slow"))


def test_streams_of_a_key_at_once_are_as_many_as_it_says(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), parallel_streams=2)
    body = chat_body("sandbox/slow", LONG, stream=True)
    with (
        caller.scattered.stream("POST", "/chat/completions", json=body) as first,
        caller.scattered.stream("POST", "/chat/completions", json=body) as second,
    ):
        third = caller.scattered.post("/chat/completions", json=body)
        assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
        assert error(third)["code"] == "too_many_streams"
        assert error(third)["message"].startswith("This key has 2 streams open")


def test_a_key_is_called_only_from_its_addresses(make_caller: MakeCaller, gateway: live.Gateway) -> None:
    caller = limit(make_caller(), address_ranges=["203.0.113.0/24"])
    answer = caller.chat()
    assert (answer.status_code, error(answer)["code"]) == (403, "address_not_allowed")
    assert "127.0.0.1" in error(answer)["message"]
    forged = caller.http.get("/models", headers={"x-forwarded-for": "203.0.113.7"})
    assert forged.status_code == 403  # no proxy is trusted here
    allowed = limit(make_caller(), address_ranges=["10.0.0.0/8", "127.0.0.0/8"])
    assert allowed.chat().status_code == 200


def test_the_address_is_what_the_trusted_proxy_says(make_caller: MakeCaller, behind_a_proxy: live.Gateway) -> None:
    caller = limit(make_caller(at=behind_a_proxy, rpm=2), address_ranges=["203.0.113.0/24", "2001:db8::/32"])

    def status(forwarded: str) -> int:
        return caller.http.get("/models", headers={"x-forwarded-for": forwarded}).status_code

    assert status("198.51.100.1, 203.0.113.7") == 200
    assert [status("203.0.113.7, 198.51.100.1") for _ in range(5)] == [403] * 5
    assert status("::ffff:203.0.113.9") == 200  # what was refused for its address took none of the two places
    assert status("2001:db8::1") == 429


def test_the_management_api_holds_to_the_addresses_too(make_caller: MakeCaller) -> None:
    caller = limit(make_caller(), scopes=["usage"], address_ranges=["203.0.113.0/24"])
    answer = caller.http.get("/organization/usage/completions?start_time=1790000000")
    assert (answer.status_code, error(answer)["code"]) == (403, "address_not_allowed")
