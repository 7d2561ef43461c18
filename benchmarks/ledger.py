"""Pairs of reserve and settle a second, through the code that the data plane runs, against a Postgres that syncs.

    ./dev bench ledger [--seconds N] [--rows N]

One process. Each figure stands beside the rate of the machine's single durable statements in the same run, because
machines differ and are noisy. With `--rows` the same is measured again with so many usage events in the database, and
the roll-up of a day and the queries of a page of usage are timed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from billing.ledger import Ledger
    from billing.quotes import Quote

CLIENTS = 64
FILL = """
WITH made AS (
  SELECT %(organization)s::bigint + (n %% %(of)s) AS organization_id, n,
         %(start)s::timestamptz + n * %(apart)s * interval '1 s' AS at
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
)
INSERT INTO billing_usageevent (organization_id, request_id, api_key_id, project_id, model_requested, model, provider,
  upstream_model, stream, status, input_tokens, output_tokens, usage_source, rule, held_nano, cost_nano, charged_nano,
  admitted_at, started_at, ended_at, duration_ms)
SELECT organization_id, overlay(billing_uuid_at(at)::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid,
  organization_id, organization_id, 'gpt-test', 'gpt-test', 'openai', 'gpt-test', n %% 2 = 0, 200, 100, 50, 'provider',
  'complete', 0, 200, 0, at, at, at, 900
FROM made
"""
FILLED_SECONDS = 2_400_000  # they are spread over most of a month
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
SINGLE = "INSERT INTO billing_rollupdue (organization_id, hour) VALUES (0, clock_timestamp()) ON CONFLICT DO NOTHING"
PAGE = "SELECT * FROM billing_usageevent WHERE organization_id = %s ORDER BY request_id DESC LIMIT 50"
RECEIPT = "SELECT * FROM billing_usageevent WHERE organization_id = %s AND request_id = %s"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    parser = argparse.ArgumentParser(prog="./dev bench ledger")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each figure")
    parser.add_argument("--rows", type=int, default=0, help="usage events to fill the database with")
    options = parser.parse_args()
    organizations, keys = customers(1000)
    print("| what | a second |\n|---|---|", flush=True)
    asyncio.run(_rates(organizations, keys, options.seconds))
    if options.rows:
        fill_events(organizations[0], options.rows)
        print(f"\nWith {options.rows:,} usage events:\n\n| what | a second |\n|---|---|", flush=True)
        asyncio.run(_rates(organizations, keys, options.seconds))
        _time_queries(organizations[0])


def customers(count: int) -> tuple[list[int], list[int]]:
    from django.db import connection

    from accounts.models import ApiKey, Organization, Project

    organizations = Organization.objects.bulk_create(
        Organization(name=f"Customer {n}", slug=f"customer-{n}") for n in range(count)
    )
    projects = Project.objects.bulk_create(
        Project(organization=one, name="Default", slug="default") for one in organizations
    )
    keys = ApiKey.objects.bulk_create(
        ApiKey(
            organization=project.organization,
            project=project,
            name="bench",
            hint_first4="AAAA",
            hint_last4="AAAA",
        )
        for project in projects
    )
    with connection.cursor() as cursor:
        for one in organizations:
            cursor.execute("SELECT billing_enter(%s, 'grant', 'bench', %s, '', '')", [one.pk, 10**15])
    return [one.pk for one in organizations], [key.pk for key in keys]


async def _rates(organizations: Sequence[int], keys: Sequence[int], seconds: float) -> None:
    from psycopg_pool import AsyncConnectionPool

    from gateway.runtime import _connection_settings

    async with AsyncConnectionPool(kwargs=_connection_settings(), min_size=8, max_size=8, open=False) as pool:
        await pool.wait()
        _show("single durable statements, 1 client", await _rate(lambda n: _single(pool), seconds, clients=1))
        _show("single durable statements, 8 clients", await _rate(lambda n: _single(pool), seconds, clients=8))
        for label, customers in (("one organisation", 1), ("1,000 organisations", len(organizations))):
            for grouped in (False, True):
                ledger = _ledger(pool, grouped=grouped)
                rate = await _rate(
                    lambda n, ledger=ledger, customers=customers: _pair(  # type: ignore[misc]
                        ledger, organizations[n % customers], keys[n % customers]
                    ),
                    seconds,
                    clients=CLIENTS,
                )
                await ledger.drain()
                how = "group commit" if grouped else "one at a time"
                _show(f"reserve + settle, {label}, {CLIENTS} at once, {how}", rate)


def _ledger(pool: AsyncConnectionPool[Any], *, grouped: bool) -> Ledger:
    from billing.ledger import Ledger
    from billing.spool import Spool

    ledger = Ledger(pool, Spool(Path(mkdtemp())))
    if not grouped:
        ledger._moves._batcher._limit = 1  # noqa: SLF001 - to see what it is worth
    return ledger


async def _rate(work: Callable[[int], Awaitable[None]], seconds: float, *, clients: int) -> float:
    done, began = 0, time.monotonic()

    async def client(number: int) -> None:
        nonlocal done
        turn = number
        while time.monotonic() - began < seconds:
            await work(turn)
            done += 1
            turn += clients

    await asyncio.gather(*(client(number) for number in range(clients)))
    return done / (time.monotonic() - began)


async def _single(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection() as connection:
        await connection.execute(SINGLE, prepare=True)


async def _pair(ledger: Ledger, organization: int, key: int) -> None:
    from billing.entries import Rule
    from billing.usage import Usage, UsageSource
    from gateway import request_ids

    entry = ledger.open(
        request_id=request_ids.new(),
        external_id="",
        organization_id=organization,
        api_key_id=key,
        started=time.monotonic(),
    )
    entry.model = entry.model_requested = "gpt-test"
    quote = _quote()
    wanted = quote.bound(input_tokens=200, output_tokens=400)
    await ledger.reserve(entry, quote, wanted=wanted, acceptable=wanted)
    entry.usage, entry.usage_source = Usage(input=100, output=50), UsageSource.PROVIDER
    entry.status, entry.rule = 200, Rule.COMPLETE
    await ledger.settle(entry)


def _quote() -> Quote:
    from decimal import Decimal

    from billing.pricing import tariff
    from billing.quotes import Quote

    return Quote(tariff(version=1, model="gpt-test", prices={"input": Decimal(1), "output": Decimal(2)}))


def fill_events(organization: int, rows: int, *, start: datetime = FIRST, of: int = 1000) -> None:
    """So many events of the organization and of those that were made after it, `of` them together."""
    from django.db import connection

    began = time.monotonic()
    with connection.cursor() as cursor:
        for month in {start.date(), (start + timedelta(seconds=FILLED_SECONDS)).date()}:
            cursor.execute("SELECT billing_make_partition(%s)", [month])
        for first in range(0, rows, 100_000):
            last = min(first + 100_000, rows) - 1
            cursor.execute(
                FILL,
                {
                    "organization": organization,
                    "of": of,
                    "start": start,
                    "first": first,
                    "last": last,
                    "apart": FILLED_SECONDS / rows,
                },
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"\nFilled in {time.monotonic() - began:.0f} s.", flush=True)


def _time_queries(organization: int) -> None:
    from django.db import connection

    def timed(label: str, statement: str, parameters: list[Any]) -> list[Any]:
        with connection.cursor() as cursor:
            began = time.monotonic()
            cursor.execute(statement, parameters)
            rows: list[Any] = cursor.fetchall()
        print(f"| {label} | {(time.monotonic() - began) * 1000:.1f} ms |", flush=True)
        return rows

    print("\n| what | took |\n|---|---|", flush=True)
    newest = timed("an organisation's newest 50 requests", PAGE, [organization])
    timed("one receipt", RECEIPT, [organization, newest[-1][1]])
    for label, work in _rollups(organization):
        began = time.monotonic()
        done = work()
        print(f"| {label} ({done}) | {(time.monotonic() - began) * 1000:.1f} ms |", flush=True)


def _rollups(organization: int) -> list[tuple[str, Callable[[], object]]]:
    from datetime import date

    from accounts.models import Organization
    from billing import overview, rollups
    from billing.models import UsageDay

    one = Organization.objects.get(pk=organization)
    day = date(2026, 10, 15)
    return [
        ("the roll-up of a day of one organisation", lambda: f"{rollups.rebuild(one, day, day)} day"),
        (
            "the roll-up of its whole month",
            lambda: f"{rollups.rebuild(one, date(2026, 10, 1), date(2026, 10, 31))} days",
        ),
        ("a month by day, from the roll-ups", lambda: f"{len(UsageDay.objects.filter(organization_id=one.pk))} rows"),
        ("the ledger's newest 50 entries", lambda: f"{len(overview.entries(one, None).rows)} entries"),
    ]


def _show(label: str, rate: float) -> None:
    print(f"| {label} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
