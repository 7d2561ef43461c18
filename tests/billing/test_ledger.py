"""Every request that was opened ends in exactly one row, whatever happens to the caller."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from accounts.models import ApiKey, Organization
from billing.ledger import Entry, Ledger
from billing.models import UsageEvent
from billing.usage import Usage, UsageSource
from gateway import request_ids

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


def _run(work: Callable[[Ledger], Awaitable[Any]], **pool_settings: Any) -> Any:
    """`work` with a ledger on the test database, in an event loop of its own."""

    async def main() -> Any:
        parameters = connection.get_connection_params()
        kwargs = {key: parameters[key] for key in ("dbname", "user", "password", "host", "port")} | {"autocommit": True}
        pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]]
        async with AsyncConnectionPool(kwargs=kwargs | pool_settings, min_size=1, max_size=2, open=False) as pool:
            ledger = Ledger(pool)
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
