"""Every request that was opened ends in exactly one row, whatever happens to the caller."""

import asyncio
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.models import ApiKey, Organization
from billing.entries import Entry
from billing.ledger import Ledger
from billing.models import Hold, UsageEvent
from billing.pricing import tariff
from billing.quotes import Quote
from billing.spool import Spool
from billing.usage import Usage, UsageSource
from gateway import request_ids
from tests.factories import make_credit
from tests.pools import open_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api_key() -> ApiKey:
    organization = Organization.objects.create(name="Acme", slug="acme")
    return ApiKey.objects.issue(organization=organization, name="test")[0]


def _entry(ledger: Ledger, key: ApiKey) -> Entry:
    return ledger.open(
        request_id=request_ids.new(),
        external_id="",
        organization_id=key.organization_id,
        api_key_id=key.pk,
        started=0.0,
    )


def _run(work: Callable[[Ledger], Awaitable[Any]], *, spool: Path | None = None, **parameters: Any) -> Any:
    """`work` with a ledger on the test database, in an event loop of its own."""

    async def main() -> Any:
        async with open_pool(**parameters) as pool:
            ledger = Ledger(pool, Spool(spool or Path(tempfile.mkdtemp()), reserve_bytes=0))
            result = await work(ledger)
            await ledger.drain()
            return result

    return asyncio.run(main())


def test_a_settled_entry_is_one_row_with_all_that_was_known(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> uuid.UUID:
        entry = _entry(ledger, api_key)
        entry.model_requested = entry.model = "gpt-6-luna"
        entry.provider, entry.upstream_model = "openai", "gpt-6-luna"
        entry.status, entry.finish_reason = 200, "stop"
        entry.usage, entry.usage_source = Usage(input=5, cache_read=3, output=7, reasoning=2), UsageSource.PROVIDER
        entry.mark_first_token()
        await ledger.settle(entry)
        return entry.request_id

    row = UsageEvent.objects.of(api_key.organization).get(request_id=_run(work))
    assert (row.status, row.finish_reason, row.usage_source) == (200, "stop", "provider")
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.reasoning_tokens) == (5, 3, 7, 2)
    assert row.first_token_ms is not None
    assert row.started_at <= row.ended_at


def test_settling_twice_and_at_once_writes_one_row(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> None:
        entry = _entry(ledger, api_key)
        await asyncio.gather(*(ledger.settle(entry) for _ in range(50)))

    _run(work)
    assert UsageEvent.objects.count() == 1


def test_a_row_that_did_arrive_may_be_written_again(api_key: ApiKey, caplog: pytest.LogCaptureFixture) -> None:
    async def work(ledger: Ledger) -> None:
        entry = _entry(ledger, api_key)
        await ledger.settle(entry)
        await ledger.settle(replace(entry, settled=False))  # as after a connection that broke before it answered

    _run(work)
    assert UsageEvent.objects.count() == 1
    assert caplog.messages == []


def test_a_cancelled_caller_does_not_stop_the_row(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> None:
        task = asyncio.create_task(ledger.settle(_entry(ledger, api_key)))
        await asyncio.sleep(0)
        task.cancel()

    _run(work)
    assert UsageEvent.objects.count() == 1


def test_many_that_end_together_are_all_written(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.settle(_entry(ledger, api_key)) for _ in range(500)))

    _run(work)
    assert UsageEvent.objects.count() == 500


def test_rows_wait_while_postgres_drops_its_connections(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> None:
        await ledger.settle(_entry(ledger, api_key))
        async with await psycopg.AsyncConnection.connect(_dsn(), autocommit=True) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'ledger-test'"
            )
        await ledger.settle(_entry(ledger, api_key))

    _run(work, application_name="ledger-test")
    assert UsageEvent.objects.count() == 2


def _dsn() -> str:
    parameters = connection.get_connection_params()
    return psycopg.conninfo.make_conninfo(
        **{key: parameters[key] for key in ("dbname", "user", "password", "host", "port")}
    )


def test_request_ids_lie_in_the_order_of_time() -> None:
    made = [request_ids.new() for _ in range(3)]
    assert all(one.version == 7 and one.variant == uuid.RFC_4122 for one in made)
    assert [one.int >> 80 for one in made] == sorted(one.int >> 80 for one in made)
    assert len(set(made)) == 3


@pytest.mark.parametrize("field", ["external_id", "model_requested", "error_code", "finish_reason"])
def test_text_that_postgres_cannot_keep_is_kept_without_what_it_cannot(api_key: ApiKey, field: str) -> None:
    async def work(ledger: Ledger) -> None:
        entry = _entry(ledger, api_key)
        setattr(entry, field, "a\0b")
        entry.attempts = [{"provider": "p", "error_code": "a\0b"}]
        await ledger.settle(entry)

    _run(work)
    row = UsageEvent.objects.get()
    assert getattr(row, field) == "ab"
    assert row.attempts[0]["error_code"] == "ab"


def test_counts_that_cannot_be_true_are_kept_within_what_a_column_holds(api_key: ApiKey) -> None:
    async def work(ledger: Ledger) -> None:
        entry = _entry(ledger, api_key)
        entry.usage = Usage(input=2**40, output=-5)
        await ledger.settle(entry)

    _run(work)
    row = UsageEvent.objects.get()
    assert (row.input_tokens, row.output_tokens) == (2**31 - 1, 0)


def test_a_row_that_postgres_refuses_does_not_cost_its_neighbours_theirs(
    api_key: ApiKey, caplog: pytest.LogCaptureFixture
) -> None:
    """They share a statement: the second and all after it wait while the first is written."""

    async def work(ledger: Ledger) -> uuid.UUID:
        entries = [_entry(ledger, api_key) for _ in range(10)]
        entries[5].status = 99_999  # more than the column holds
        await asyncio.gather(*map(ledger.settle, entries))
        return entries[5].request_id

    refused = _run(work)
    assert UsageEvent.objects.count() == 9
    assert not UsageEvent.objects.filter(request_id=refused).exists()
    assert [record.__dict__["request_id"] for record in caplog.records if record.levelname == "CRITICAL"] == [
        str(refused)
    ]


def test_nobody_waits_long_for_a_database_that_hangs(api_key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.ledger.SETTLE_SECONDS", 0.1)

    async def work(ledger: Ledger) -> int:
        with psycopg.connect(**_parameters(), autocommit=False) as locker:
            locker.execute("LOCK TABLE billing_usageevent IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(2):
                await ledger.settle(_entry(ledger, api_key))
            rows: int = locker.execute("SELECT count(*) FROM billing_usageevent").fetchall()[0][0]
            locker.rollback()
        return rows

    assert _run(work) == 0
    assert UsageEvent.objects.count() == 1


def _parameters() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port")}


def test_a_count_that_cannot_be_true_does_not_silence_the_other_heartbeats(api_key: ApiKey) -> None:
    """They are told in one statement."""
    quote = Quote(tariff(version=1, model="model", prices={"input": Decimal(1), "output": Decimal(1)}))
    make_credit(api_key.organization)

    async def work(ledger: Ledger) -> None:
        for usage in (Usage(input=10**12, output=-5), Usage(output=7)):
            entry = _entry(ledger, api_key)
            await ledger.reserve(entry, quote, wanted=10**9, acceptable=0)
            entry.measure = partial(replace, usage)
        await ledger.report_progress()

    _run(work)
    told = Hold.objects.order_by("request_id").values_list("progress_charge_nano", flat=True)
    assert list(told) == [(2**31 - 1) * 1000, 7000]
