"""What the gateway needs in its database before it can be measured: customers with keys, money and a budget, models
with prices. Written through the tests' factories, into the database that DATABASE_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

KEYS = 32  # a key may do 100,000 requests a minute, and the exact limit is on
MOST_A_MINUTE = 100_000
DOLLARS = 1_000_000
CUSTOMERS = 1000


def ready() -> None:
    """Django, for whoever writes to the database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()


def models(provider_port: int) -> None:
    """A provider for each behaviour of the fake one, and its models by both dialects."""
    from benchmarks.shapes import ALL
    from tests.factories import make_model, make_price, make_provider, make_route

    for shape in {shape.name: shape for shape in ALL}.values():
        base_url = f"http://127.0.0.1:{provider_port}{shape.base_path}"
        provider = make_provider(shape.name, kind=shape.dialect, base_url=base_url, api_key_env="BENCH_CREDENTIAL")
        make_route(make_model(shape.name, capabilities={"vision": True}), provider, "bench")
        make_price(shape.name, input="1", output="2")


def customer(slug: str, keys: int = KEYS) -> list[str]:
    """An organisation with credit and a hard budget. The secrets of its keys."""
    from billing import money
    from billing.models import Budget
    from tests.factories import make_credit, make_key, make_organization

    organization = make_organization(slug)
    make_credit(organization, DOLLARS, ref=slug)
    Budget.objects.create(organization=organization, name="bench", limit_nano=DOLLARS * money.NANO, hard=True)
    return [make_key(organization, requests_per_minute=MOST_A_MINUTE)[1] for _ in range(keys)]


@contextmanager
def copied(name: str) -> Iterator[str]:
    """A copy of the database as it is now, to be filled with more. No gateway may be running."""
    from django.db import connection

    from tests import live

    template = str(connection.settings_dict["NAME"])
    connection.close()
    with live.database(name, template=template):
        yield name


def fill(keys: int, events: int, *, start: datetime | None = None) -> None:
    """So many more keys and usage events of 1,000 more organisations, as they would be after years."""
    from benchmarks.ledger import FIRST, customers, fill_events

    organizations, _ = customers(CUSTOMERS)
    fill_keys(organizations, keys)
    fill_events(organizations[0], events, start=start or FIRST)


def fill_keys(organizations: list[int], keys: int) -> None:
    """So many more keys of these 1,000 organisations, in every project of theirs."""
    from django.db import connection

    with connection.cursor() as cursor:
        for first in range(0, keys, 100_000):
            cursor.execute(MANY_KEYS, {"first": first, "last": min(first + 100_000, keys) - 1, "of": organizations})


def open_holds() -> int:
    """Requests that the ledger still holds money for."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_hold")
        return int(cursor.fetchone()[0])


def reads_of_keys() -> int:
    """How many digests of keys were looked up so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes"
            " WHERE relname = 'accounts_apikeysecret' AND pg_get_indexdef(indexrelid) LIKE '%(digest)'"
        )
        return int(cursor.fetchone()[0])


# Each is like the first key there is, whatever columns that has, but for what must differ.
MANY_KEYS = """
WITH made AS (
  INSERT INTO accounts_apikey
  SELECT row.* FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
  JOIN accounts_project owner ON owner.organization_id = (%(of)s::bigint[])[1 + n %% 1000]
  JOIN accounts_apikey sample ON sample.id = (SELECT min(id) FROM accounts_apikey)
  CROSS JOIN LATERAL jsonb_populate_record(sample, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('accounts_apikey', 'id')), 'organization_id', owner.organization_id,
    'project_id', owner.id, 'owner_id', NULL, 'form', NULL, 'name', 'old key ' || n)) row
  RETURNING id
)
INSERT INTO accounts_apikeysecret
SELECT row.* FROM made
JOIN accounts_apikeysecret sample ON sample.id = (SELECT min(id) FROM accounts_apikeysecret)
CROSS JOIN LATERAL jsonb_populate_record(sample, jsonb_build_object(
  'id', nextval(pg_get_serial_sequence('accounts_apikeysecret', 'id')), 'api_key_id', made.id,
  'digest', sha256(made.id::text::bytea))) row
"""
