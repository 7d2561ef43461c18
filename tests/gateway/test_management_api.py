"""The management API lets in, counts and refuses as the data plane does, in the same words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, Organization, Scope, SecretUse
from billing.api import CompletionsUsage
from config.asgi import Application
from gateway import throttle
from gateway.limits import WINDOW_MS, log_of
from gateway.scripts import OPEN_SECONDS
from tests.factories import make_key

pytestmark = pytest.mark.django_db

PATH = "/v1/organization/usage/completions"
QUERY = {"start_time": 0}
LIMITS = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


@pytest.fixture(autouse=True)
def _own_limiter(valkey: redis.Redis) -> Iterator[None]:
    throttle.limiter.cache_clear()
    yield
    throttle.limiter.cache_clear()


@pytest.fixture
def issued(organization: Organization) -> tuple[ApiKey, str]:
    return make_key(organization, scopes=[Scope.USAGE], requests_per_minute=3)


def get(secret: str, path: str = PATH, **headers: str) -> Any:
    return Client().get(path, QUERY, headers={"authorization": f"Bearer {secret}", **headers})


def refused(response: Any, status: int, code: str, type_: str) -> dict[str, Any]:
    """The error, after what all of them have in common was looked at."""
    assert response.status_code == status, response.content
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-request-id"]
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["type"]) == (code, type_)
    return error


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer  "])
def test_who_sends_no_key_is_told_how(header: str) -> None:
    response = Client().get(PATH, QUERY, headers={"authorization": header} if header else {})
    assert "Authorization: Bearer" in refused(response, 401, "invalid_api_key", "invalid_request_error")["message"]
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("secret", ["nonsense", "sk-2389-" + "0" * 46, "never issued"])
def test_what_is_no_key_is_refused(secret: str) -> None:
    refused(
        get(keys.generate() if secret == "never issued" else secret), 401, "invalid_api_key", "invalid_request_error"
    )


def test_a_session_lets_nobody_in(alice: Any, organization: Organization) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get(PATH, QUERY).status_code == 401


def test_a_revoked_key_is_refused(key: ApiKey, secret: str) -> None:
    key.revoke()
    refused(get(secret), 401, "invalid_api_key", "invalid_request_error")


def test_an_expired_key_is_refused(key: ApiKey, secret: str) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused(get(secret), 401, "invalid_api_key", "invalid_request_error")


def test_a_suspended_organisation_is_told_so_and_its_limits_too(organization: Organization, secret: str) -> None:
    Organization.objects.update(suspended_at=timezone.now())
    response = get(secret)
    refused(response, 403, "organization_suspended", "permission_error")
    assert set(response.headers) >= LIMITS


def test_a_key_without_the_scope_is_told_which_one_it_needs(organization: Organization) -> None:
    _, secret = make_key(organization, scopes=[Scope.CHAT, Scope.ADMINISTRATION])
    response = get(secret)
    assert "'usage'" in refused(response, 403, "insufficient_scope", "permission_error")["message"]
    assert set(response.headers) >= LIMITS


def test_a_database_that_fails_says_nothing_about_the_key(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("accounts.authentication.ApiKeySecret.objects.working", fail)
    response = get(secret)
    refused(response, 503, "authentication_unavailable", "api_error")
    assert response.headers["retry-after"]


def test_a_database_that_fails_later_is_our_fault_too(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(CompletionsUsage, "_rows", fail)
    assert "statement" not in refused(get(secret), 503, "service_unavailable", "api_error")["message"]


def test_a_fault_of_ours_is_logged_whole_and_told_as_nothing(
    secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret thing")

    monkeypatch.setattr(CompletionsUsage, "_rows", fail)
    response = get(secret)
    assert "secret" not in refused(response, 500, "internal_error", "api_error")["message"]
    assert set(response.headers) >= LIMITS
    (record,) = [record for record in caplog.records if record.name == "gateway.management_api" and record.exc_info]
    assert record.levelname == "ERROR"
    assert record.__dict__["request_id"] == response.headers["x-request-id"]


def test_every_answer_tells_the_state_of_the_keys_limit(secret: str) -> None:
    remaining = [get(secret).headers["x-ratelimit-remaining"] for _ in range(2)]
    assert remaining == ["2", "1"]


def test_beyond_the_limit_of_the_key_requests_are_refused(secret: str) -> None:
    assert [get(secret).status_code for _ in range(4)] == [200, 200, 200, 429]
    response = get(secret)
    refused(response, 429, "rate_limit_exceeded", "rate_limit_error")
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert response.headers["x-ratelimit-remaining"] == "0"


def test_both_planes_count_into_the_same_window(key: ApiKey, secret: str, valkey: redis.Redis) -> None:
    now = int(time.time() * 1000)
    valkey.rpush(log_of(key.pk), now - WINDOW_MS - 5, now - 100, now - 50)
    assert get(secret).headers["x-ratelimit-remaining"] == "0"
    assert valkey.llen(log_of(key.pk)) == 3


def test_a_script_that_valkey_forgot_is_sent_again(secret: str, valkey: redis.Redis) -> None:
    get(secret)
    valkey.script_flush()
    assert "x-ratelimit-policy" not in get(secret).headers


def test_without_valkey_the_process_keeps_the_limit_and_says_so(secret: str, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    responses = [get(secret) for _ in range(4)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert {response.headers["x-ratelimit-policy"] for response in responses} == {"degraded"}


def test_a_valkey_that_failed_is_left_alone_for_a_moment(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = throttle.BlockingLimiter(redis.Redis(port=1), workers=1)
    asked: list[float] = []

    def script(**_: object) -> list[int]:
        asked.append(time.monotonic())
        raise redis.ConnectionError

    monkeypatch.setattr(limiter, "_script", script)
    assert all(limiter.take(key.pk, 10).degraded for _ in range(3))
    assert len(asked) == 1
    limiter._closed_until -= OPEN_SECONDS
    limiter.take(key.pk, 10)
    assert len(asked) == 2


@pytest.mark.parametrize("path", ["/v1/organization/", "/v1/organization/nothing", f"{PATH}/"])
def test_a_path_that_there_is_not_is_unknown_to_those_with_a_key(secret: str, path: str) -> None:
    refused(get(secret, path), 404, "unknown_url", "invalid_request_error")
    refused(Client().get(path), 401, "invalid_api_key", "invalid_request_error")


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_another_method_is_refused_with_the_one_that_is_right(secret: str, method: str) -> None:
    headers = {"authorization": f"Bearer {secret}"}
    response = getattr(Client(enforce_csrf_checks=True), method)(PATH, headers=headers)
    refused(response, 405, "method_not_allowed", "invalid_request_error")
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense"])
def test_answers_are_json_whatever_is_accepted(secret: str, accept: str) -> None:
    assert get(secret, accept=accept).headers["content-type"] == "application/json"


def test_more_parameters_than_anybody_needs_are_refused(secret: str) -> None:
    query = "&".join(["models=m"] * 1001)
    response = Client().get(f"{PATH}?{query}", headers={"authorization": f"Bearer {secret}"})
    refused(response, 400, "invalid_request_error", "invalid_request_error")


def test_the_last_use_of_a_key_is_noted(key: ApiKey, secret: str) -> None:
    before = timezone.now()
    get(secret)
    assert SecretUse.objects.get(secret__api_key=key).last_used_at > before


def test_a_host_that_is_not_ours_is_refused_in_the_shape_of_the_api(secret: str) -> None:
    refused(get(secret, host="elsewhere.example"), 400, "invalid_request_error", "invalid_request_error")


def test_a_request_id_is_believed_of_a_trusted_proxy_only(secret: str, settings: Any) -> None:
    assert get(secret, **{"x-request-id": "mine"}).headers["x-request-id"] != "mine"
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert get(secret, **{"x-request-id": "mine"}).headers["x-request-id"] == "mine"


def test_pages_are_left_as_they_are(client: Client) -> None:
    response: HttpResponse = client.get("/nothing/")  # type: ignore[assignment]
    assert "x-request-id" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


async def _ask(application: Application, secret: str, *paths: str) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app=application)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        return [await client.get(path, params=QUERY) for path in paths]


@pytest.mark.django_db(transaction=True)
def test_the_control_plane_serves_it_under_the_api_path(secret: str) -> None:
    application = Application()
    application.serves_data = False
    answer, models = asyncio.run(_ask(application, secret, PATH, "/v1/models"))
    assert answer.status_code == 200, answer.content
    assert answer.json()["object"] == "page"
    assert LIMITS | {"x-request-id"} <= set(answer.headers)
    assert models.status_code == 404


def test_the_data_plane_alone_does_not_serve_it(secret: str) -> None:
    application = Application()
    application.serves_control = False
    (answer,) = asyncio.run(_ask(application, secret, PATH))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"
