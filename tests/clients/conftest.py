"""The gateway with the registry that we ship, its vendors played by fakes that do what they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from gateway.models import Provider
from tests import live
from tests.factories import make_credit, make_key
from tests.fakes.acting import oblige
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.gemini import FakeGemini
from tests.fakes.openai import FakeOpenAI
from tests.fakes.server import FakeVendor

GPT, CLAUDE, GEMINI = "gpt-6.1-sol", "claude-haiku-5-5", "gemini-3.8-flash"
MODELS = (GPT, CLAUDE, GEMINI)  # as it is passed through, and through both translations
EMBEDDING = "text-embedding-3-small"
EMBEDDING_MODELS = (EMBEDDING, "sandbox/embedding")
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Access:
    """What a client needs to be told."""

    base_url: str
    key: str


@pytest.fixture(scope="session")
def vendors() -> Iterator[dict[str, FakeVendor]]:
    with ExitStack() as running:
        yield {
            "openai": running.enter_context(FakeOpenAI({GPT, EMBEDDING}, oblige)),
            "anthropic": running.enter_context(FakeAnthropic({CLAUDE}, oblige)),
            "gemini": running.enter_context(FakeGemini({GEMINI}, oblige)),
        }


@pytest.fixture(scope="session")
def access(
    empty_database: str,
    django_db_blocker: DjangoDbBlocker,
    vendors: dict[str, FakeVendor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Access]:
    log = tmp_path_factory.mktemp("clients") / "gateway.log"
    with live.database(f"{empty_database}_clients", template=empty_database) as database:
        with django_db_blocker.unblock(), live.connected_to(database):
            call_command("sync_registry", str(live.ROOT / "gateway" / "registry.toml"), verbosity=0)
            for slug, vendor in vendors.items():
                Provider.objects.filter(slug=slug).update(base_url=vendor.base_url)
            key, secret = make_key(requests_per_minute=100_000)
            make_credit(key.organization)
        chosen: dict[str, Any] = {f"{slug.upper()}_API_KEY": vendor.credential for slug, vendor in vendors.items()}
        chosen |= {"GATEWAY_STRANGERS_RPM": 100_000, "GATEWAY_BAD_KEYS_RPM": 100_000}  # all suites try a wrong key
        with live.serving(database=database, log=log, workers=WORKERS, TRUSTED_PROXIES="", **chosen) as gateway:
            yield Access(gateway.base_url, secret)
