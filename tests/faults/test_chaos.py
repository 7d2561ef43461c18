"""Workers are killed, Postgres crashes, callers hang up; and afterwards the books are right to the last request."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from billing import audit
from billing.ledger import Ledger
from billing.spool import Spool
from tests import books, live
from tests.books import Connection
from tests.end_to_end import registry
from tests.factories import make_credit, make_key, make_organization
from tests.fakes.answers import Answer
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import PROMPT_TOKENS, FakeOpenAI
from tests.faults.load import Call, Load
from tests.faults.servers import OwnPostgres, kill_worker, own_postgres, workers
from tests.pools import open_pool

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SECONDS = float(os.environ.get("FAULTS_SECONDS", "12"))
CLIENTS, WORKERS, LEAST_WORKERS = 24, 4, 2
WORDS = 250
ANSWER = Answer(text="word " * WORDS, pause=0.02)
HEARTBEAT_SECONDS = 0.5
HEARTBEATS = 10 + int(WORDS * 0.02 / HEARTBEAT_SECONDS)  # of one stream, at most
MARKER = re.compile(r"request (\d+)")
_ROWS = """
SELECT api_key_id, rule, usage_source, status, input_tokens, output_tokens, charged_nano FROM billing_usageevent
"""


@dataclass(frozen=True)
class Row:
    api_key_id: int
    rule: str
    usage_source: str
    status: int
    input_tokens: int
    output_tokens: int
    charged_nano: int


@pytest.fixture
def postgres(django_db_blocker: DjangoDbBlocker) -> Iterator[OwnPostgres]:
    """One of its own, which Django is connected to as well."""
    with own_postgres() as server, django_db_blocker.unblock(), live.connected_to(server.database, **server.django):
        call_command("migrate", verbosity=0, interactive=False)
        yield server


@pytest.fixture
def vendor(postgres: OwnPostgres) -> Iterator[FakeOpenAI]:
    with FakeOpenAI(registry.KNOWN_TO_OPENAI) as openai, FakeAnthropic(registry.KNOWN_TO_ANTHROPIC) as anthropic:
        registry.seed(openai, anthropic)
        openai.usual = ANSWER
        yield openai


@pytest.fixture
def gateway(postgres: OwnPostgres, vendor: FakeOpenAI, tmp_path: Path) -> Iterator[live.Gateway]:
    settings: dict[str, Any] = {
        "DATABASE_URL": postgres.cluster.url(),
        "OPENAI_API_KEY": vendor.credential,
        "GATEWAY_HEARTBEAT_SECONDS": HEARTBEAT_SECONDS,
        "GATEWAY_POOL_SIZE": 4,
        "GATEWAY_STREAMS_PER_KEY": 10_000,  # those of workers that are killed count for a minute
        "GATEWAY_STREAMS_PER_ORGANIZATION": 10_000,
    }
    log = tmp_path / "gateway.log"
    with live.serving(database=postgres.database, log=log, workers=WORKERS, **settings) as running:
        yield running


def test_the_books_are_right_whatever_is_killed(
    postgres: OwnPostgres, vendor: FakeOpenAI, gateway: live.Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
    with capsys.disabled():
        print(f"\nseed {seed}, {SECONDS:.0f} s")  # noqa: T201 - how to do it again: FAULTS_SEED
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    load = Load(f"{gateway.base_url}/chat/completions", _keys(), chance)
    asyncio.run(_storm(postgres, gateway, load))
    calls = load.calls
    assert gateway.process.poll() is None, gateway.log.read_text(encoding="utf-8")[-2000:]
    live._stop(gateway.process)
    _settle_the_rest(gateway.log.parent / "spool", sweep_first=chance.random() < 0.5)
    with books.connect() as opened:
        rows = _rows(opened)
        with capsys.disabled():
            print(_summary(calls, rows, vendor, killed=_killed(gateway)))  # noqa: T201 - figures for whoever watches
        books.assert_balanced(opened)
        _audit()
        assert books.count(opened, "billing_hold") == 0
        assert books.count(opened, "billing_wallet", "held_nano <> 0") == 0
    _check_rows(calls, rows, vendor)
    _check_hang_ups(calls, rows, vendor)
    _check_log(gateway)
    assert _killed(gateway) >= SECONDS / 6


def _audit() -> None:
    """The audit that operators run finds nothing. Postgres crashed beneath Django's connection, so it takes another."""
    connection.close()
    assert audit.look(full=True, organization_id=None)[1] == []


def _keys() -> Iterator[tuple[int, str]]:
    """More than will be needed: a request each."""
    organization = make_organization()
    make_credit(organization, 1000)
    made = [make_key(organization, requests_per_minute=1000) for _ in range(int(SECONDS * CLIENTS * 2))]
    return iter([(key.pk, secret) for key, secret in made])


async def _storm(postgres: OwnPostgres, gateway: live.Gateway, load: Load) -> None:
    running = asyncio.create_task(load.run(CLIENTS))
    killing = asyncio.create_task(_kill_workers(gateway, load.chance))
    for _ in range(2):
        await asyncio.sleep(SECONDS / 3)
        await postgres.crash()
    await asyncio.sleep(SECONDS / 3)
    killing.cancel()
    load.over.set()
    await running


async def _kill_workers(gateway: live.Gateway, chance: random.Random) -> None:
    """One a second, but not the last that serves."""
    while True:
        await asyncio.sleep(1)
        there = workers(gateway)
        if len(there) >= LEAST_WORKERS:
            kill_worker(chance.choice(there))


def _settle_the_rest(spool: Path, *, sweep_first: bool) -> None:
    """What killed workers left on disk, and what they left open."""

    async def adopt() -> None:
        async with open_pool() as pool:
            await Ledger(pool, Spool(spool)).adopt()

    if not sweep_first:
        asyncio.run(adopt())
    with books.connect() as opened:
        while books.sweep(opened):
            pass
    asyncio.run(adopt())


def _rows(opened: Connection) -> list[Row]:
    return [Row(*values) for values in opened.execute(_ROWS).fetchall()]


def _reached(vendor: FakeOpenAI) -> dict[int, int]:
    """The keys whose requests came to the provider, and the words that it wrote for the last of them."""
    found = {}
    for received in vendor.requests:
        body = received.json
        marker = MARKER.fullmatch(body["messages"][-1]["content"])
        assert marker is not None
        found[int(marker[1])] = _words(vendor, body, received.sent) if body.get("stream") else WORDS
    return found


def _words(vendor: FakeOpenAI, body: dict[str, Any], sent: int) -> int:
    return b"".join(vendor.events(body, ANSWER))[:sent].count(b'"word ')


def _check_rows(calls: list[Call], rows: list[Row], vendor: FakeOpenAI) -> None:
    """One row for each request that may have cost something, and the right one for each that was answered whole."""
    by_key, reached = {row.api_key_id: row for row in rows}, _reached(vendor)
    assert len(by_key) == len(rows)
    assert set(reached) <= set(by_key)
    for row in rows:
        if row.rule == "orphaned":  # pieces are counted between two heartbeats, which may add a token to each
            assert row.output_tokens <= reached.get(row.api_key_id, 0) + HEARTBEATS
    assert 401 not in {call.status for call in calls}
    assert {call.status for call in calls} <= {0, 200, 502, 503}
    for call in calls:
        if call.whole:
            row = by_key[call.key_id]
            assert row.rule in {"complete", "late"}, row
            assert (row.input_tokens, row.output_tokens) == (PROMPT_TOKENS, WORDS)
            assert row.charged_nano == PROMPT_TOKENS * 1000 + WORDS * 2000


def _hang_ups(calls: list[Call], rows: list[Row], vendor: FakeOpenAI) -> list[tuple[int, int]]:
    """Tokens billed and words sent of the streams that were hung up on, and whose worker lived to see it."""
    by_key, sent = {row.api_key_id: row for row in rows}, _reached(vendor)
    ended = [by_key[call.key_id] for call in calls if call.hung_up]
    return [(row.output_tokens, sent[row.api_key_id]) for row in ended if row.status == 499]


def _check_hang_ups(calls: list[Call], rows: list[Row], vendor: FakeOpenAI) -> None:
    pairs = _hang_ups(calls, rows, vendor)
    billed, sent = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    assert len(pairs) >= SECONDS / 2
    assert abs(billed - sent) <= 0.02 * sent


def _check_log(gateway: live.Gateway) -> None:
    log = gateway.log.read_text(encoding="utf-8", errors="replace")
    traces = [line for line in log.splitlines() if "Traceback" in line and "CancelledError" not in line]
    assert traces == []


def _killed(gateway: live.Gateway) -> int:
    return gateway.log.read_text(encoding="utf-8", errors="replace").count("died")


def _summary(calls: list[Call], rows: list[Row], vendor: FakeOpenAI, *, killed: int) -> str:
    pairs = _hang_ups(calls, rows, vendor)
    return "\n".join(
        (
            f"{len(calls)} calls, {sum(call.whole for call in calls)} answered whole, {killed} workers killed",
            f"statuses {dict(Counter(call.status for call in calls))}",
            f"{len(vendor.requests)} reached the provider; rows {dict(Counter(row.rule for row in rows))}",
            f"hung up on: {sum(pair[0] for pair in pairs)} tokens billed, {sum(pair[1] for pair in pairs)} words sent",
        )
    )
