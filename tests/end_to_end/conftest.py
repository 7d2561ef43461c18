"""One gateway with four workers for the whole session, and callers of their own for each test.

The gateway's database is a copy of the test database, so nothing is rolled back there: every test makes its own
organisation, and nobody cleans up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx
import openai
import pytest
import redis
from pytest_django import DjangoDbBlocker

from accounts.models import ApiKey, Organization
from billing.models import UsageEvent
from tests import live
from tests.end_to_end import node, priced, registry, replayed
from tests.factories import make_credit, make_key, make_organization
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI
from tests.fakes.replay import Replay

WORKERS = 4
MEGABYTE = 1024 * 1024
UNLIMITED = 100_000


def chat_body(model: str = "sandbox/echo", said: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": said}], **fields}


@dataclass
class Caller:
    """A key, and the two ways to call with it."""

    organization: Organization
    key: ApiKey
    secret: str
    base_url: str

    @cached_property
    def http(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.secret}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=20)

    @cached_property
    def scattered(self) -> httpx.Client:
        """Every call over a connection of its own, so that any worker may get it."""
        once = httpx.Limits(max_keepalive_connections=0)
        headers = {"authorization": f"Bearer {self.secret}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=20, limits=once)

    @cached_property
    def sdk(self) -> openai.OpenAI:
        """The official client, without its own retries, so that a test sees every answer."""
        return openai.OpenAI(base_url=self.base_url, api_key=self.secret, max_retries=0, timeout=20)

    def chat(self, model: str = "sandbox/echo", said: str = "hello", **fields: Any) -> httpx.Response:
        return self.http.post("/chat/completions", json=chat_body(model, said, **fields))

    def rows(self, count: int = 1, *, seconds: float = 5.0) -> list[UsageEvent]:
        """The organisation's usage rows in the order of their requests, once there are `count`."""
        events = UsageEvent.objects.of(self.organization).order_by("request_id")
        what = f"a usage row for each of {count} requests"
        live.wait_for(lambda: events.count() >= count, seconds=seconds, what=what)
        found = list(events)
        assert len(found) == count
        return found

    def row(self) -> UsageEvent:
        (row,) = self.rows()
        return row

    def close(self) -> None:
        for name in ("http", "scattered", "sdk"):
            if name in self.__dict__:
                self.__dict__[name].close()


class MakeCaller(Protocol):
    def __call__(
        self, *, at: live.Gateway | None = None, rpm: int | None = UNLIMITED, credit: int = 1000, **organization: Any
    ) -> Caller: ...


@pytest.fixture(scope="session")
def openai_server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(registry.KNOWN_TO_OPENAI) as fake:
        yield fake


@pytest.fixture(scope="session")
def anthropic_server() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(registry.KNOWN_TO_ANTHROPIC) as fake:
        yield fake


@pytest.fixture(scope="session")
def replay_server() -> Iterator[Replay]:
    with Replay() as fake:
        yield fake


@pytest.fixture
def fake_openai(openai_server: FakeOpenAI) -> FakeOpenAI:
    openai_server.forget()
    return openai_server


@pytest.fixture
def fake_anthropic(anthropic_server: FakeAnthropic) -> FakeAnthropic:
    anthropic_server.forget()
    return anthropic_server


@pytest.fixture
def replay(replay_server: Replay) -> Replay:
    replay_server.forget()
    return replay_server


@pytest.fixture(scope="session")
def live_database(
    empty_database: str,
    django_db_blocker: DjangoDbBlocker,
    openai_server: FakeOpenAI,
    anthropic_server: FakeAnthropic,
    replay_server: Replay,
) -> Iterator[str]:
    with live.database(f"{empty_database}_session", template=empty_database) as name:
        with django_db_blocker.unblock(), live.connected_to(name):
            registry.seed(openai_server, anthropic_server)
            priced.seed(openai_server)
            replayed.seed(replay_server)
        yield name


@pytest.fixture(scope="session")
def live_settings() -> dict[str, Any]:
    """Bounds small enough to be reached by a test, and the fakes' credentials."""
    return {
        "OPENAI_API_KEY": FakeOpenAI.credential,
        "ANTHROPIC_API_KEY": FakeAnthropic.credential,
        replayed.CREDENTIAL: Replay.credential,
        "GATEWAY_POOL_SIZE": 2,
        "GATEWAY_REGISTRY_SECONDS": 0.2,
        "GATEWAY_MAX_BODY_BYTES": MEGABYTE,
        "GATEWAY_BODY_IDLE_SECONDS": 3,  # more than a busy machine lets a body of two hundred at once wait
        "GATEWAY_BODY_TOTAL_SECONDS": 5,
        "GATEWAY_FIRST_BYTE_SECONDS": 2,
        "GATEWAY_IDLE_SECONDS": 1,
        "GATEWAY_KEEP_ALIVE_SECONDS": 0.3,
        "GATEWAY_STREAMS_PER_KEY": UNLIMITED,  # some tests open hundreds, to see who is paid for
        "GATEWAY_STREAMS_PER_ORGANIZATION": UNLIMITED,
        "GATEWAY_STRANGERS_RPM": UNLIMITED,  # all tests come from one address
        "GATEWAY_BAD_KEYS_RPM": UNLIMITED,
        "TRUSTED_PROXIES": "",
    }


@pytest.fixture(scope="session")
def live_gateway(
    live_database: str, live_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Gateway]:
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with live.serving(database=live_database, log=log, workers=WORKERS, **live_settings) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def node_program() -> str:
    return node.find()


@pytest.fixture
def committed(live_database: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Rows made in this test are made in the gateway's database."""
    with django_db_blocker.unblock(), live.connected_to(live_database):
        yield


@pytest.fixture
def gateway(
    live_gateway: live.Gateway,
    committed: None,
    valkey: redis.Redis,
    fake_openai: FakeOpenAI,
    fake_anthropic: FakeAnthropic,
) -> live.Gateway:
    return live_gateway


@pytest.fixture
def make_caller(request: pytest.FixtureRequest) -> Iterator[MakeCaller]:
    """Callers of the session's gateway, or of another one. A key of theirs has no limit to speak of, unless given."""
    made: list[Caller] = []

    def make(
        *, at: live.Gateway | None = None, rpm: int | None = UNLIMITED, credit: int = 1000, **organization: Any
    ) -> Caller:
        at = at or request.getfixturevalue("gateway")
        owner = make_organization(**organization)
        if credit:
            make_credit(owner, credit)
        key, secret = make_key(owner, requests_per_minute=rpm)
        made.append(Caller(owner, key, secret, at.base_url))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


@pytest.fixture
def caller(gateway: live.Gateway, make_caller: MakeCaller) -> Caller:
    return make_caller()


@pytest.fixture
def log_file(tmp_path: Path) -> Callable[[], Path]:
    return lambda: tmp_path / "gateway.log"
