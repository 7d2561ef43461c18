"""What Postgres does not take is on disk when `settle` returns, and reaches Postgres later, whoever carries it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connection

from accounts.models import ApiKey
from billing.entries import Entry, Rule
from billing.ledger import Ledger
from billing.models import UsageEvent, Wallet
from billing.pricing import tariff
from billing.quotes import Quote
from billing.spool import Record, Spool, SpoolError
from billing.usage import Usage, UsageSource
from gateway import request_ids
from tests import books
from tests.doors import Door, door_to
from tests.factories import make_credit, make_key, make_organization
from tests.live import ROOT
from tests.pools import open_pool

pytestmark = pytest.mark.django_db(transaction=True)

DOLLAR = 10**9
WRITER = """
import pathlib, resource, signal, sys
import orjson
from billing.spool import Spool
spool = Spool(pathlib.Path(sys.argv[1]), reserve_bytes=0)
for line in sys.stdin.buffer:
    words = orjson.loads(line)
    if "limit" in words:
        resource.setrlimit(resource.RLIMIT_FSIZE, (words["limit"], resource.RLIM_INFINITY))
        continue
    try:
        spool.append(words["records"])
    except OSError as error:
        print("refused", error.errno, flush=True)
    else:
        print("kept", flush=True)
"""


@pytest.fixture
def api_key() -> ApiKey:
    organization = make_organization("acme")
    make_credit(organization, 10)
    return make_key(organization)[0]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.ledger.SETTLE_SECONDS", 0.5)


def spend(ledger: Ledger, key: ApiKey) -> Entry:
    """An answer of a million tokens of output."""
    entry = ledger.open(
        request_id=request_ids.new(),
        external_id="",
        organization_id=key.organization_id,
        api_key_id=key.pk,
        started=time.monotonic(),
    )
    entry.model = entry.model_requested = "model"
    entry.usage, entry.usage_source = Usage(output=10**6), UsageSource.PROVIDER
    entry.status, entry.rule = 200, Rule.COMPLETE
    return entry


def quote() -> Quote:
    """A dollar for a million tokens of output."""
    return Quote(tariff(version=1, model="model", prices={"input": Decimal(0), "output": Decimal(1)}))


@asynccontextmanager
async def ledger_behind(door: Door, folder: Path) -> AsyncIterator[Ledger]:
    async with open_pool(wait=0.3, host="127.0.0.1", port=door.port) as pool:
        yield Ledger(pool, Spool(folder, reserve_bytes=0))


def _door() -> AbstractAsyncContextManager[Door]:
    given = connection.get_connection_params()
    return door_to(given["host"], int(given["port"]))


def run(work: Callable[[Ledger, Door], Awaitable[Any]], folder: Path) -> Any:
    """`work` with a ledger whose way to Postgres may be shut."""

    async def main() -> Any:
        async with _door() as door, ledger_behind(door, folder) as ledger:
            return await work(ledger, door)

    return asyncio.run(main())


def lines(folder: Path) -> list[Record]:
    return [orjson.loads(line) for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines()]


class Writer:
    """Another process that keeps settlements in the same folder."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", WRITER, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=ROOT, **pipes)  # type: ignore[call-overload]

    def limit(self, size: int) -> None:
        """No file of its may become larger."""
        self._say({"limit": size})

    def keep(self, *records: Record) -> str:
        self._say({"records": records})
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().split()[0]

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _say(self, words: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(words) + b"\n")
        self._process.stdin.flush()


@contextmanager
def another(folder: Path) -> Iterator[Writer]:
    writer = Writer(folder)
    try:
        yield writer
    finally:
        writer.kill()


def test_a_settlement_is_on_disk_when_settle_returns_and_in_postgres_when_that_is_back(
    api_key: ApiKey, tmp_path: Path
) -> None:
    async def work(ledger: Ledger, door: Door) -> list[Record]:
        entries = [spend(ledger, api_key) for _ in range(20)]
        await asyncio.gather(*(ledger.reserve(e, quote(), wanted=DOLLAR // 2, acceptable=0) for e in entries))
        await door.shut()
        await asyncio.gather(*map(ledger.settle, entries))
        kept = lines(tmp_path)
        await ledger.replay()
        assert lines(tmp_path) == kept  # it is still away
        await door.open()
        while lines(tmp_path):
            await ledger.replay()
        await ledger.drain()
        return kept

    kept = run(work, tmp_path)
    assert len({record["request_id"] for record in kept}) == 20
    assert UsageEvent.objects.filter(charged_nano=DOLLAR // 2, rule="complete").count() == 20
    assert (Wallet.objects.get().posted_nano, Wallet.objects.get().held_nano) == (0, 0)
    assert list(tmp_path.iterdir()) == []
    with books.connect() as own:
        books.assert_balanced(own)


def test_what_is_on_disk_says_nothing_of_what_was_said(api_key: ApiKey, tmp_path: Path) -> None:
    async def work(ledger: Ledger, door: Door) -> None:
        await door.shut()
        await ledger.settle(spend(ledger, api_key))

    run(work, tmp_path)
    (record,) = lines(tmp_path)
    assert not {"messages", "prompt", "content", "body", "secret"} & set(record)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_a_request_is_not_admitted_while_postgres_is_away(api_key: ApiKey, tmp_path: Path) -> None:
    async def work(ledger: Ledger, door: Door) -> None:
        await door.shut()
        with pytest.raises(psycopg.OperationalError):
            await ledger.reserve(spend(ledger, api_key), quote(), wanted=1, acceptable=1)

    run(work, tmp_path)


@pytest.mark.parametrize("folder", ["full", "not a folder"])
def test_a_request_is_not_admitted_when_its_settlement_could_not_be_kept(
    api_key: ApiKey, tmp_path: Path, folder: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    spool = Spool(tmp_path, reserve_bytes=2**60) if folder == "full" else Spool(file / "below")

    async def work() -> None:
        async with open_pool() as pool:
            ledger = Ledger(pool, spool)
            with pytest.raises(SpoolError):
                await ledger.reserve(spend(ledger, api_key), quote(), wanted=1, acceptable=1)

    asyncio.run(work())
    assert Wallet.objects.get().held_nano == 0


def test_a_settlement_that_no_disk_takes_is_settled_when_postgres_is_back(
    api_key: ApiKey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "spool"

    async def work(ledger: Ledger, door: Door) -> None:
        entry = spend(ledger, api_key)
        await ledger.reserve(entry, quote(), wanted=DOLLAR, acceptable=0)
        await door.shut()
        folder.rmdir()
        folder.touch()
        await ledger.settle(entry)
        await door.open()
        while not await asyncio.to_thread(_events):
            await ledger.replay()

    run(work, folder)
    assert Wallet.objects.get().posted_nano == 9 * DOLLAR
    assert [record.levelname for record in caplog.records if "could not be kept" in record.message] == ["CRITICAL"]


def _events() -> int:
    with books.connect() as own:
        return books.count(own, "billing_usageevent")


def test_what_a_dead_process_left_is_settled_by_another(api_key: ApiKey, tmp_path: Path) -> None:
    async def work(ledger: Ledger, door: Door) -> None:
        entries = [spend(ledger, api_key) for _ in range(3)]
        with another(tmp_path) as writer:
            assert writer.keep(*(entry.record() for entry in entries)) == "kept"
            await ledger.adopt()
            assert len(lines(tmp_path)) == 3  # its owner lives
        await ledger.adopt()

    run(work, tmp_path)
    assert UsageEvent.objects.count() == 3
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_left_stays_until_postgres_has_taken_it(api_key: ApiKey, tmp_path: Path) -> None:
    async def work(ledger: Ledger, door: Door) -> None:
        with another(tmp_path) as writer:
            writer.keep(spend(ledger, api_key).record())
        await door.shut()
        with pytest.raises(psycopg.OperationalError):
            await ledger.adopt()
        assert len(lines(tmp_path)) == 1
        await door.open()
        await ledger.adopt()

    run(work, tmp_path)
    assert UsageEvent.objects.count() == 1


def test_a_line_that_was_cut_off_does_not_cost_the_others_theirs(
    api_key: ApiKey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(ledger: Ledger, door: Door) -> None:
        with another(tmp_path) as writer:
            writer.keep(*(spend(ledger, api_key).record() for _ in range(3)))
        _cut(tmp_path, 40)
        await ledger.adopt()

    run(work, tmp_path)
    assert UsageEvent.objects.count() == 2
    assert [record.levelname for record in caplog.records if "cut off" in record.message] == ["ERROR"]


def _cut(folder: Path, size: int) -> None:
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-size])


def test_many_that_adopt_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    with another(tmp_path) as writer:
        writer.keep({"n": 1})
    (path,) = tmp_path.iterdir()

    def adopt(_: int) -> int:
        with Spool(tmp_path).adopted(path) as records:
            time.sleep(0.001)
            return len(records or ())

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(adopt, range(200))) >= 1
    assert not path.exists()


def test_a_file_that_has_just_been_made_is_nobodys_orphan(tmp_path: Path) -> None:
    """Who looks for orphans at that moment must neither keep its owner from it nor remove it."""
    over = threading.Event()
    adopted: list[Record] = []

    def look() -> None:
        finder = Spool(tmp_path)
        while not over.is_set():
            for path in finder.orphans():
                with finder.adopted(path) as records:
                    adopted.extend(records or ())

    finders = [threading.Thread(target=look) for _ in range(3)]
    for finder in finders:
        finder.start()
    try:
        spools = [Spool(tmp_path) for _ in range(300)]
        for number, spool in enumerate(spools):
            spool.append([{"n": number}])
    finally:
        over.set()
        for finder in finders:
            finder.join()
    assert adopted == []
    assert sorted(record["n"] for record in lines(tmp_path)) == list(range(300))


def test_a_full_disk_takes_whole_lines_or_none(tmp_path: Path) -> None:
    with another(tmp_path) as writer:
        assert writer.keep({"n": 0}) == "kept"
        writer.limit(40)
        assert writer.keep({"n": 1, "text": "x" * 100}) == "refused"
        writer.limit(10_000)
        assert writer.keep({"n": 2}) == "kept"
    assert [record["n"] for record in lines(tmp_path)] == [0, 2]


class SlowDisk(Spool):
    """Writes at once, and takes its time to say so."""

    def append(self, records: list[Record]) -> None:
        super().append(records)
        time.sleep(4)


def test_a_settlement_that_comes_while_others_are_replayed_stays_on_disk(api_key: ApiKey, tmp_path: Path) -> None:
    async def work(door: Door, ledger: Ledger) -> int:
        await door.shut()
        await ledger.settle(spend(ledger, api_key))
        second = asyncio.create_task(ledger.settle(spend(ledger, api_key)))
        await _until(lambda: len(lines(tmp_path)) == 2)
        await door.open()  # the second is on disk, and not yet known to be there
        while not await asyncio.to_thread(_events):
            await ledger.replay()
        await ledger.replay()
        await second
        return len(lines(tmp_path)) + await asyncio.to_thread(_events)

    async def main() -> int:
        async with _door() as door, open_pool(wait=0.3, host="127.0.0.1", port=door.port) as pool:
            return await work(door, Ledger(pool, SlowDisk(tmp_path, reserve_bytes=0)))

    assert asyncio.run(main()) == 2


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - it is about a file
            await asyncio.sleep(0.01)
