"""A month of requests, each reserved and settled by the functions of the ledger, and dated back to when it was made."""

from __future__ import annotations

import math
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import ApiKey, Organization
from accounts.models_keys import SecretUse
from billing.entries import Entry, Rule
from billing.models import Price
from billing.quotes import Quote
from billing.recompute import _tariff
from billing.usage import Usage, UsageSource

AT_ONCE = 200
ERRORS = (
    (429, "rate_limit_exceeded"),
    (502, "provider_unavailable"),
    (499, "client_closed"),
    (400, "context_length_exceeded"),
)
TRIGGERS = {"billing_transfer": "transfer_is_final", "accounts_auditevent": "audit_event_is_final"}
RESERVE = """
SELECT outcome FROM billing_reserve(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::bigint[], %s::integer[])
"""
# What the functions stamp with the present: the admission, which decides the hour and the day it is counted in, and
# the entry in the ledger.
ADMITTED = "UPDATE billing_hold SET admitted_at = %s WHERE organization_id = %s AND request_id = %s"
ENTERED = """
UPDATE billing_transfer t SET created_at = e.ended_at FROM billing_usageevent e
WHERE t.organization_id = %s AND e.organization_id = t.organization_id AND t.kind = 'usage'
  AND e.request_id = CASE WHEN t.kind = 'usage' THEN t.ref::uuid END
"""


BEFORE = (
    "UPDATE accounts_apikey SET created_at = %s + id * interval '1 hour' WHERE organization_id = %s",
    "UPDATE accounts_membership SET joined_at = %s + id * interval '9 minutes' WHERE organization_id = %s",
    """
    UPDATE accounts_apikeysecret s SET created_at = %s + s.api_key_id * interval '1 hour'
    FROM accounts_apikey k WHERE k.id = s.api_key_id AND k.organization_id = %s
    """,
)


@dataclass(frozen=True)
class Caller:
    """What one key asks of one model: how often beside the others, and the fewest and most tokens in and out."""

    key: ApiKey
    model: str
    provider: str
    weight: int
    reads: tuple[int, int]
    writes: tuple[int, int]
    random: Random


def spend_a_month(
    organization: Organization, callers: Sequence[Caller], *, days: int, a_day: int, budgets: Callable[[], None]
) -> None:
    """Requests of so many days until now. `budgets` is called where the present month begins: they count from there."""
    now = timezone.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    instants = list(_instants(callers[0].random, now, days, a_day))
    earlier = [at for at in instants if at < month]
    quotes = {caller.model: _quote(caller.model) for caller in callers}
    _spend(organization, callers, quotes, earlier)
    budgets()
    _spend(organization, callers, quotes, instants[len(earlier) :])
    _date_back(organization, now - timedelta(days=days + 2))
    for key in {caller.key for caller in callers}:
        ago = timedelta(minutes=callers[0].random.randint(1, 900))
        SecretUse.objects.create(secret=key.secrets.latest("pk"), last_used_at=now - ago)


def _instants(random: Random, now: datetime, days: int, a_day: int) -> Iterator[datetime]:
    """More by day than by night, fewer at weekends, and growing."""
    first = now - timedelta(days=days)
    found = []
    for day in range(days + 1):
        midnight = (first + timedelta(days=day)).replace(hour=0, minute=0, second=0, microsecond=0)
        busy = (0.35 if midnight.weekday() > 4 else 1.0) * (0.6 + 0.8 * day / max(1, days))
        for _ in range(round(a_day * busy)):
            hour = min(23.99, max(0.0, random.gauss(14, 4)))
            found.append(midnight + timedelta(hours=hour))
    yield from sorted(at for at in found if first < at < now)


def _quote(model: str) -> Quote:
    return Quote(_tariff(Price.objects.filter(model=model, price_list=None).latest("effective_at", "pk")))


def _spend(
    organization: Organization, callers: Sequence[Caller], quotes: dict[str, Quote], instants: Sequence[datetime]
) -> None:
    weights = [caller.weight for caller in callers]
    for batch in _batches(instants):
        chosen = [callers[0].random.choices(callers, weights)[0] for _ in batch]
        items = [_item(organization, one, quotes[one.model], at) for one, at in zip(chosen, batch, strict=True)]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(RESERVE, _columns(items, chosen))
            outcomes = {outcome for (outcome,) in cursor.fetchall()}
            assert outcomes == {"ok"}, outcomes
            cursor.executemany(ADMITTED, [(i["started_at"], organization.pk, i["request_id"]) for i in items])
            cursor.execute("SELECT count(*) FROM billing_settle(%s::jsonb)", [orjson.dumps(items).decode()])


def _batches(instants: Sequence[datetime]) -> Iterator[tuple[datetime, ...]]:
    for first in range(0, len(instants), AT_ONCE):
        yield tuple(instants[first : first + AT_ONCE])


def _columns(items: Sequence[dict[str, Any]], callers: Sequence[Caller]) -> list[list[Any]]:
    rows = [
        (
            item["request_id"], item["organization_id"], item["api_key_id"], item["project_id"], item["member_id"],
            item["held"], item["held"], item["model"], item["model"], item["stream"], item["price"], None, 0,
        )
        for item, caller in zip(items, callers, strict=True)
    ]  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]


def _item(organization: Organization, caller: Caller, quote: Quote, at: datetime) -> dict[str, Any]:
    random = caller.random
    entry = Entry(
        request_id=_id_at(at), organization_id=organization.pk, api_key_id=caller.key.pk,
        project_id=caller.key.project_id, member_id=caller.key.owner_id, model=caller.model,
        model_requested=caller.model, provider=caller.provider, upstream_model=caller.model,
        stream=caller.writes[1] > 0 and random.random() < 0.7, quote=quote,
    )  # fmt: skip
    tokens_in, tokens_out = random.randint(*caller.reads), random.randint(*caller.writes)
    failed = random.random() < 0.03
    if failed:
        entry.status, entry.error_code = random.choice(ERRORS)
        entry.rule = Rule.FAILED
    else:
        cached = tokens_in // 2 if random.random() < 0.3 and caller.writes[1] else 0
        entry.usage = Usage(input=tokens_in - cached, cache_read=cached, output=tokens_out)
        entry.status, entry.rule, entry.usage_source = 200, Rule.COMPLETE, UsageSource.PROVIDER
        entry.finish_reason = "length" if random.random() < 0.05 else "stop" if caller.writes[1] else ""
    entry.held_nano = quote.bound(input_tokens=tokens_in, output_tokens=max(tokens_out, 1) * 2)
    first = random.randint(180, 900)
    took = first + math.ceil(tokens_out * random.uniform(6, 14))
    entry.attempts = [
        {
            "provider": caller.provider,
            "upstream_model": caller.model,
            "status": entry.status,
            "error_code": entry.error_code,
            "ms": took - 9,
        }
    ]
    entry.started_at = at
    return {
        **entry.record(),
        "ended_at": (at + timedelta(milliseconds=took)).isoformat(),
        "first_token_ms": first if entry.stream and not failed else None,
        "duration_ms": took,
        "held": entry.held_nano,
        "price": quote.price_id,
    }


def _id_at(at: datetime) -> uuid.UUID:
    """A UUID version 7 of that instant."""
    value = int(at.timestamp() * 1000) << 80 | secrets.randbits(80)
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


@transaction.atomic
def _date_back(organization: Organization, founded: datetime) -> None:
    """Entries stand where their requests do, and what came before them a day or two earlier, in the order it was made.

    Both tables refuse changes; whoever owns a database that is thrown away may say otherwise.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks that are due cannot be altered
        for table, trigger in TRIGGERS.items():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        cursor.execute(ENTERED, [organization.pk])
        for table in ("billing_transfer", "accounts_auditevent"):
            kind = "AND kind <> 'usage'" if table == "billing_transfer" else ""
            cursor.execute(
                f"UPDATE {table} SET created_at = %s + id * interval '7 minutes' WHERE organization_id = %s {kind}",  # noqa: S608 - names from this file
                [founded, organization.pk],
            )
        for statement in BEFORE:
            cursor.execute(statement, [founded, organization.pk])
        for table, trigger in TRIGGERS.items():
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
