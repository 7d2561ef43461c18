"""One process may serve either plane or both, is asked for its health, and believes only proxies that it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import live
from tests.end_to_end.conftest import Caller, MakeCaller


def test_a_request_id_of_a_stranger_is_not_taken_over(caller: Caller) -> None:
    answer = caller.http.get("/models", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] != "mine"


@pytest.fixture
def behind_a_proxy(live_database: str, live_settings: dict[str, Any], tmp_path: Path, gateway: live.Gateway) -> Any:
    settings = {**live_settings, "TRUSTED_PROXIES": "127.0.0.0/8", "GATEWAY_PLANE": "data"}
    with live.serving(database=live_database, log=tmp_path / "gateway.log", **settings) as serving:
        yield serving


def test_a_trusted_proxys_request_id_is_answered_logged_and_recorded(
    behind_a_proxy: live.Gateway, make_caller: MakeCaller
) -> None:
    caller = make_caller(at=behind_a_proxy)
    headers = {"x-request-id": "trace-0af7.1"}
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
    answers = [caller.http.post("/chat/completions", json=body, headers=headers) for _ in range(2)]
    assert {answer.headers["x-request-id"] for answer in answers} == {"trace-0af7.1"}
    assert behind_a_proxy.lines_of("trace-0af7.1")
    rows = caller.rows(2)  # a proxy that tries again sends the same id: two calls are two rows all the same
    assert {row.external_id for row in rows} == {"trace-0af7.1"}
    bad = caller.http.get("/models", headers={"x-request-id": "no spaces, please"})
    assert bad.headers["x-request-id"] != "no spaces, please"


def test_a_process_of_the_data_plane_serves_no_pages(behind_a_proxy: live.Gateway) -> None:
    assert httpx.get(f"{behind_a_proxy.origin}/admin/").status_code == 404
    assert httpx.get(f"{behind_a_proxy.origin}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{behind_a_proxy.origin}/readyz").json() == {"status": "ok"}


def test_a_process_of_the_control_plane_serves_no_models(
    live_database: str, live_settings: dict[str, Any], tmp_path: Path, make_caller: MakeCaller, committed: None
) -> None:
    settings = {**live_settings, "GATEWAY_PLANE": "control"}
    with live.serving(database=live_database, log=tmp_path / "control.log", **settings) as serving:
        assert make_caller(at=serving).http.get("/models").status_code == 404
        assert httpx.get(f"{serving.origin}/").status_code == 200
        assert httpx.get(f"{serving.origin}/readyz").json() == {"status": "ok"}


def test_a_schema_that_is_behind_is_not_ready(
    empty_database: str, live_settings: dict[str, Any], tmp_path: Path
) -> None:
    with (
        live.database(f"{empty_database}_unmigrated") as name,
        live.serving(database=name, log=tmp_path / "behind.log", **live_settings) as serving,
    ):
        answer = httpx.get(f"{serving.origin}/readyz")
        assert answer.status_code == 503
        assert "manage.py migrate" in answer.json()["reason"]
        assert httpx.get(f"{serving.origin}/healthz").status_code == 200


def test_a_refusal_for_size_tells_a_known_key_its_limits(caller: Caller) -> None:
    answer = caller.http.post(
        "/chat/completions", content=b"x" * (2 * 1024 * 1024), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
