"""Admissions and settlements that come together are one transaction, and neither suffers from the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.models import Organization
from billing.admission import Admission, Reservation
from billing.models import Hold, UsageEvent
from billing.moves import Moves, warm
from billing.spool import Record
from tests import books
from tests.books import Wish
from tests.factories import make_credit, make_organization
from tests.pools import open_pool

pytestmark = pytest.mark.django_db(transaction=True)

CREDIT = 1_000_000_000


@pytest.fixture
def organization() -> Organization:
    made = make_organization("acme")
    make_credit(made, 1)
    return made


def _reservation(wish: Wish) -> Reservation:
    return Reservation(
        wish.request, wish.organization, wish.key, wish.project, wish.member, wish.wanted, wish.wanted, "model",
        "model", False, None, None, 0,
    )  # fmt: skip


def _run(work: Callable[[Moves], Awaitable[Any]], **parameters: Any) -> Any:
    async def main() -> Any:
        async with open_pool(**parameters) as pool:
            return await work(Moves(pool))

    return asyncio.run(main())


def _together(*moves: Reservation | Record) -> list[Any]:
    """What comes of them, when all of them are there before the first is asked for."""

    async def work(making: Moves) -> list[Any]:
        asked = [making.reserve(one) if isinstance(one, Reservation) else making.settle(one) for one in moves]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    found: list[Any] = _run(work)
    return found


def _transaction_of(table: str, wish: Wish) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT xmin::text::bigint FROM {table} WHERE request_id = %s", [wish.request])  # noqa: S608
        return int(cursor.fetchone()[0])


def _held(organization: Organization, amount: int) -> Wish:
    wish = Wish(organization.pk, amount)
    with books.connect() as opened:
        assert books.reserve(opened, wish).outcome == "ok"
    return wish


def test_those_that_come_together_are_one_transaction(organization: Organization) -> None:
    old, new = _held(organization, 300), Wish(organization.pk, 400)
    settled, admission = _together(books.event(old, 200), _reservation(new))
    assert settled is None
    assert (admission.outcome, admission.held) == ("ok", 400)
    assert _transaction_of("billing_usageevent", old) == _transaction_of("billing_hold", new)
    with books.connect() as opened:
        books.assert_balanced(opened)


def test_what_a_settlement_gives_back_is_there_for_who_comes_with_it(organization: Organization) -> None:
    old, new = _held(organization, CREDIT), Wish(organization.pk, CREDIT - 100)
    _, admission = _together(books.event(old, 100), _reservation(new))
    assert (admission.outcome, admission.held) == ("ok", CREDIT - 100)


def test_each_hears_of_its_own(organization: Organization) -> None:
    other = make_organization("other")
    held = [_held(organization, 10) for _ in range(5)]
    wishes = [Wish(one, wanted) for wanted in (1, 2, 3) for one in (other.pk, organization.pk)]
    moves: list[Reservation | Record] = []
    for place, wish in enumerate(wishes):
        moves += [_reservation(wish), *(books.event(one, 1) for one in held[place : place + 1])]
    found = [one for one in _together(*moves) if one is not None]
    assert [(one.outcome, one.held) for one in found] == [
        (("insufficient", 0) if wish.organization == other.pk else ("ok", wish.wanted)) for wish in wishes
    ]
    assert UsageEvent.objects.count() == 5


def test_a_settlement_that_is_refused_costs_nobody_else_anything(
    organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, new = _held(organization, 10), _held(organization, 10), Wish(organization.pk, 10)
    wrong = books.event(bad, 5, status=99_999)  # more than the column holds
    found = _together(books.event(good, 5), wrong, _reservation(new))
    assert found[:2] == [None, None]
    assert isinstance(found[2], Admission)
    assert found[2].outcome == "ok"
    assert [event.request_id for event in UsageEvent.objects.all()] == [good.request]
    told = [record.__dict__["request_id"] for record in caplog.records if record.levelname == "CRITICAL"]
    assert told == [str(bad.request)]


def test_a_reservation_that_fails_costs_no_settlement_anything(organization: Organization) -> None:
    old, stray = _held(organization, 10), Wish(2**40, 10)  # nobody's
    settled, failed = _together(books.event(old, 5), _reservation(stray))
    assert settled is None
    assert isinstance(failed, psycopg.errors.ForeignKeyViolation)
    assert UsageEvent.objects.get().request_id == old.request
    assert not Hold.objects.exists()


def test_what_was_above_the_hold_is_told(organization: Organization, caplog: pytest.LogCaptureFixture) -> None:
    old, new = _held(organization, 10), Wish(organization.pk, 10)
    _, admission = _together(books.event(old, 25), _reservation(new))
    assert admission.outcome == "ok"
    assert [(record.getMessage(), record.__dict__["request_id"]) for record in caplog.records] == [
        ("15 nano-dollars above the hold were absorbed", str(old.request))
    ]


def test_a_cancelled_caller_hears_of_it_when_the_answer_is_there(organization: Organization) -> None:
    """Or the hold could be made after its request was closed."""
    wish = Wish(organization.pk, 10)

    async def work(moves: Moves) -> int:
        async def ask() -> None:
            await moves.reserve(_reservation(wish))

        with psycopg.connect(**_parameters(), autocommit=False) as locker:
            locker.execute("SELECT FROM billing_wallet WHERE organization_id = %s FOR UPDATE", [organization.pk])
            asking = asyncio.create_task(ask())
            await asyncio.sleep(0.1)
            asking.cancel()
            await asyncio.wait({asking}, timeout=0.2)
            waited = not asking.done()
            locker.rollback()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return waited

    assert _run(work)
    assert Hold.objects.get().request_id == wish.request


def test_two_processes_that_do_both_for_both_never_wait_for_each_other_for_ever(organization: Organization) -> None:
    other = make_organization("other")
    make_credit(other, 1)

    async def process(moves: Moves, first: Organization, second: Organization) -> None:
        held = Wish(first.pk, 10)
        await moves.reserve(_reservation(held))
        for _ in range(60):
            new = Wish(second.pk, 10)
            settled, _ = moves.settle(books.event(held, 1)), await moves.reserve(_reservation(new))
            await settled
            held, first, second = new, second, first

    async def work(moves: Moves) -> None:
        async with open_pool() as pool:
            others = Moves(pool)
            await asyncio.gather(process(moves, organization, other), process(others, other, organization))

    _run(work)
    assert UsageEvent.objects.count() == 120
    with books.connect() as opened:
        books.assert_balanced(opened)


def test_a_connection_that_is_made_ready_has_moved_nothing(organization: Organization) -> None:
    async def work() -> str:
        async with await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True) as opened:
            await warm(opened)
            return str(opened.info.transaction_status.name)

    assert asyncio.run(work()) == "IDLE"
    assert not UsageEvent.objects.exists()
    assert not Hold.objects.exists()


def test_a_connection_to_an_empty_database_is_no_less_ready() -> None:
    async def work() -> str:
        async with await psycopg.AsyncConnection.connect(
            **{**_parameters(), "dbname": "postgres"}, autocommit=True
        ) as opened:
            await warm(opened)
            return str(opened.info.transaction_status.name)

    assert asyncio.run(work()) == "IDLE"


def _parameters() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port")}
