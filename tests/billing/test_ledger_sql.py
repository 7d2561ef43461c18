"""The functions that move money, from many sides at once: what is there is spent once, and no entry is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg
import pytest
from psycopg import errors as sql_errors

from accounts.models import Organization
from tests import books
from tests.books import Connection, Wish
from tests.factories import make_organization
from tests.live import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Answer = TypeVar("Answer")


@pytest.fixture
def acme() -> Organization:
    return make_organization("acme")


@pytest.fixture
def opened(acme: Organization) -> Iterator[Connection]:
    """A connection of the test's own; what it did must add up in the end."""
    with books.connect() as own:
        yield own
        books.assert_balanced(own)


def at_once(work: Callable[[Connection, int], Answer], *, times: int, connections: int) -> list[Answer]:
    """`work` so many times over so many connections, each of which begins when all of them are there."""
    ready = threading.Barrier(connections)

    def run(lane: int) -> list[Answer]:
        with books.connect() as own:
            ready.wait(20)
            return [work(own, number) for number in range(lane, times, connections)]

    with ThreadPoolExecutor(connections) as pool:
        return [answer for answers in pool.map(run, range(connections)) for answer in answers]


@pytest.mark.parametrize("together", [1, 10])
def test_a_wallet_for_ten_admits_ten_of_two_hundred(opened: Connection, acme: Organization, together: int) -> None:
    books.enter(opened, acme, 1000)
    wishes = [Wish(acme.pk, 100) for _ in range(200)]

    def work(own: Connection, number: int) -> list[str]:
        batch = wishes[number * together : (number + 1) * together]
        return [admission.outcome for admission in books.reserve_all(own, batch)]

    answers = at_once(work, times=200 // together, connections=10)
    assert Counter(outcome for batch in answers for outcome in batch) == {"ok": 10, "insufficient": 190}
    assert books.wallet(opened, acme.pk) == (1000, 1000)
    assert books.count(opened, "billing_hold") == 10


def test_a_settlement_that_is_told_fifty_times_has_one_effect(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    answers = at_once(lambda own, _: books.settle(own, books.event(wish, 250)), times=50, connections=50)
    assert Counter(outcome for (outcome,) in answers) == {"new": 1, "dup": 49}
    assert books.wallet(opened, acme.pk) == (750, 0)
    assert books.count(opened, "billing_usageevent") == 1
    assert books.count(opened, "billing_transfer", "kind = 'usage'") == 1


def test_a_settlement_that_stands_twice_in_one_batch_has_one_effect(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    assert books.settle(opened, books.event(wish, 250), books.event(wish, 250)) == ["new"]
    assert books.wallet(opened, acme.pk) == (750, 0)


def test_a_top_up_that_is_told_fifty_times_is_entered_once(opened: Connection, acme: Organization) -> None:
    answers = at_once(lambda own, _: books.enter(own, acme, 700, ref="payment 1"), times=50, connections=50)
    assert sum(created for _, created in answers) == 1
    assert len({entry for entry, _ in answers}) == 1
    assert books.wallet(opened, acme.pk) == (700, 0)


def test_a_reference_is_not_used_for_another_amount(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 700)
    with pytest.raises(sql_errors.UniqueViolation):
        books.enter(opened, acme, 701)
    assert books.wallet(opened, acme.pk) == (700, 0)


def test_a_reservation_that_is_repeated_holds_once(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    answers = at_once(lambda own, _: books.reserve(own, wish), times=30, connections=10)
    assert {(answer.outcome, answer.held) for answer in answers} == {("ok", 600)}
    assert books.wallet(opened, acme.pk) == (1000, 600)


def test_a_request_takes_what_there_is_when_that_is_enough_for_it(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    assert books.reserve(opened, Wish(acme.pk, 5000, acceptable=900)).held == 1000
    refused = books.reserve(opened, Wish(acme.pk, 5000, acceptable=1))
    assert (refused.outcome, refused.scope, refused.affordable, refused.on_hold, refused.ceiling) == (
        "insufficient", "wallet", 0, 1000, 1000,
    )  # fmt: skip


def test_what_a_request_came_to_beyond_its_hold_is_absorbed(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    assert books.settle(opened, books.event(wish, 2**63 - 1)) == ["new"]
    (row,) = opened.execute("SELECT held_nano, charged_nano, absorbed_nano, cost_nano FROM billing_usageevent")
    assert row == (600, 600, 2**63 - 1 - 600, 2**63 - 1)
    assert books.wallet(opened, acme.pk) == (400, 0)


def test_a_request_that_was_never_admitted_is_recorded_and_costs_nothing(
    opened: Connection, acme: Organization
) -> None:
    books.enter(opened, acme, 1000)
    assert books.settle(opened, books.event(Wish(acme.pk, 0), 300, rule="refused")) == ["new"]
    assert books.wallet(opened, acme.pk) == (1000, 0)
    assert books.count(opened, "billing_usageevent", "charged_nano = 0 AND held_nano = 0") == 1


def test_what_is_released_can_be_held_again_by_the_same_request(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    for _ in range(2):
        opened.execute("SELECT billing_release(%s, %s)", [acme.pk, wish.request])
    assert books.wallet(opened, acme.pk) == (1000, 0)
    assert books.reserve(opened, Wish(acme.pk, 900, request=wish.request)).held == 900


def test_a_halted_wallet_admits_nothing_and_still_settles(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    opened.execute("UPDATE billing_wallet SET halted_at = now()")
    assert books.reserve(opened, Wish(acme.pk, 1)).outcome == "halted"
    assert books.settle(opened, books.event(wish, 100)) == ["new"]
    assert books.wallet(opened, acme.pk) == (900, 0)


def test_an_overdraft_is_spent_to_its_end_and_no_further(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 100)
    opened.execute("UPDATE billing_wallet SET overdraft_nano = 50")
    wish = Wish(acme.pk, 150)
    assert books.reserve(opened, wish).outcome == "ok"
    assert books.reserve(opened, Wish(acme.pk, 1)).outcome == "insufficient"
    books.settle(opened, books.event(wish, 150))
    assert books.wallet(opened, acme.pk) == (-50, 0)


# Corrections -----------------------------------------------------------------------------------------------------


def test_an_entry_is_reversed_once(opened: Connection, acme: Organization) -> None:
    entry, _ = books.enter(opened, acme, 700)
    reverse = "SELECT * FROM billing_reverse(%s, %s, 'a mistake', 'somebody')"
    answers = at_once(lambda own, _: own.execute(reverse, [acme.pk, entry]).fetchall()[0], times=20, connections=10)
    assert sum(created for _, created in answers) == 1
    assert books.wallet(opened, acme.pk) == (0, 0)
    with pytest.raises(sql_errors.CheckViolation):
        opened.execute(reverse, [acme.pk, answers[0][0]])


def test_what_is_held_or_spent_cannot_be_taken_back(opened: Connection, acme: Organization) -> None:
    entry, _ = books.enter(opened, acme, 700)
    books.reserve(opened, Wish(acme.pk, 1))
    with pytest.raises(sql_errors.CheckViolation, match="wallet_no_overspend"):
        opened.execute("SELECT billing_reverse(%s, %s, 'a mistake', 'somebody')", [acme.pk, entry])
    with pytest.raises(sql_errors.CheckViolation, match="wallet_no_overspend"):
        books.enter(opened, acme, -700, kind="adjustment")
    assert books.wallet(opened, acme.pk) == (700, 1)


@pytest.mark.parametrize(("kind", "amount"), [("topup", 0), ("topup", -1), ("adjustment", 0), ("refund", -5)])
def test_an_entry_needs_an_amount(opened: Connection, acme: Organization, kind: str, amount: int) -> None:
    with pytest.raises(sql_errors.CheckViolation):
        books.enter(opened, acme, amount, kind=kind)


@pytest.mark.parametrize("kind", ["usage", "late_usage", "reversal", "gift"])
def test_what_the_ledger_makes_itself_is_not_entered_by_hand(opened: Connection, acme: Organization, kind: str) -> None:
    with pytest.raises(sql_errors.RaiseException):
        books.enter(opened, acme, 5, kind=kind)


# Requests whose process is gone -----------------------------------------------------------------------------------


def test_a_request_that_is_not_heard_of_is_closed_at_what_it_had_come_to(
    opened: Connection, acme: Organization
) -> None:
    books.enter(opened, acme, 1000)
    wish, alive = Wish(acme.pk, 600), Wish(acme.pk, 100)
    books.reserve_all(opened, [wish, alive])
    assert books.progress(opened, wish, 250, tokens=25) == 1
    opened.execute("UPDATE billing_hold SET heard_at = now() - interval '1 minute' WHERE amount_nano = 600")
    assert books.sweep(opened, silence=30) == 1
    (row,) = opened.execute("SELECT charged_nano, output_tokens, usage_source, rule, status FROM billing_usageevent")
    assert row == (250, 25, "swept", "orphaned", 500)
    assert books.wallet(opened, acme.pk) == (750, 100)


@pytest.mark.parametrize(("came_to", "charged", "absorbed"), [(400, 400, 0), (100, 250, 0), (900, 600, 300)])
def test_the_owners_own_count_replaces_the_sweeps_within_the_hold(
    opened: Connection, acme: Organization, came_to: int, charged: int, absorbed: int
) -> None:
    """What was paid already is not paid back: it had been produced."""
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    books.progress(opened, wish, 250)
    books.sweep(opened)
    late = books.event(wish, came_to, output_tokens=7)
    answers = at_once(lambda own, _: books.settle(own, late)[0], times=20, connections=10)
    assert Counter(answers) == {"late": 1, "dup": 19}
    (row,) = opened.execute("SELECT charged_nano, absorbed_nano, rule, output_tokens FROM billing_usageevent")
    assert row == (charged, absorbed, "late", 7)
    assert books.wallet(opened, acme.pk) == (1000 - charged, 0)


def test_a_late_count_takes_no_more_than_is_left(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 600)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    books.sweep(opened)
    books.reserve(opened, Wish(acme.pk, 500))  # others have it by now
    assert books.settle(opened, books.event(wish, 600)) == ["late"]
    assert books.wallet(opened, acme.pk) == (500, 500)
    assert books.count(opened, "billing_usageevent", "charged_nano = 100 AND absorbed_nano = 500") == 1


def test_a_sweep_and_a_settlement_at_once_charge_once(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 100_000)
    wishes = [Wish(acme.pk, 100) for _ in range(100)]
    books.reserve_all(opened, wishes)

    def work(own: Connection, number: int) -> object:
        return books.sweep(own, most=3) if number % 2 else books.settle(own, books.event(wishes[number // 2], 60))

    at_once(work, times=200, connections=8)
    while books.sweep(opened):
        pass
    assert books.count(opened, "billing_hold") == 0
    assert (
        books.count(opened, "billing_usageevent")
        == books.count(opened, "billing_usageevent", "charged_nano = 60")
        == 100
    )
    assert books.wallet(opened, acme.pk) == (94_000, 0)


def swept_after(opened: Connection, wish: Wish, meanwhile: Callable[[Connection], object]) -> int:
    """How many a sweep closes that found `wish` silent, and then had to wait for its wallet."""
    books.enter(opened, wish.organization, 1000)
    books.reserve(opened, wish)
    opened.execute("UPDATE billing_hold SET heard_at = now() - interval '1 minute'")
    with books.connect(autocommit=False) as owner, ThreadPoolExecutor(1) as pool, books.connect() as sweeper:
        owner.execute("SELECT FROM billing_wallet FOR UPDATE")
        swept = pool.submit(books.sweep, sweeper, silence=30)
        waits = f"pid = {sweeper.info.backend_pid} AND wait_event_type = 'Lock'"
        wait_for(lambda: books.count(opened, "pg_stat_activity", waits), what="the sweep's wait")
        meanwhile(owner)
        owner.commit()
        return swept.result(10)


def test_a_request_that_is_heard_of_while_the_sweep_waits_stays_open(opened: Connection, acme: Organization) -> None:
    wish = Wish(acme.pk, 600)
    assert swept_after(opened, wish, lambda owner: books.progress(owner, wish, 250)) == 0
    assert books.wallet(opened, acme.pk) == (1000, 600)


def test_a_request_that_is_released_while_the_sweep_waits_leaves_no_row(opened: Connection, acme: Organization) -> None:
    """It will be reserved anew: a row of nothing would stand in its settlement's place."""
    wish = Wish(acme.pk, 600)
    release = "SELECT billing_release(%s, %s)"
    assert swept_after(opened, wish, lambda owner: owner.execute(release, [acme.pk, wish.request])) == 0
    books.reserve(opened, wish)
    assert books.settle(opened, books.event(wish, 100)) == ["new"]
    assert books.wallet(opened, acme.pk) == (900, 0)


def test_a_request_that_is_closed_while_the_sweep_waits_keeps_its_row(opened: Connection, acme: Organization) -> None:
    wish = Wish(acme.pk, 600)
    assert swept_after(opened, wish, lambda owner: books.settle(owner, books.event(wish, 100))) == 0
    assert books.count(opened, "billing_usageevent", "rule = 'complete'") == 1


def test_reserving_settling_sweeping_and_heartbeats_never_deadlock(opened: Connection, acme: Organization) -> None:
    organizations = [acme.pk, *(make_organization().pk for _ in range(4))]
    for organization in organizations:
        books.enter(opened, organization, 10**12)
    wishes = [Wish(organizations[number % 5], 1000) for number in range(400)]
    until = time.monotonic() + 2

    def work(lane: int) -> int:
        chance, rounds = random.Random(lane), 0  # noqa: S311 - repeatable on purpose
        with books.connect() as own:
            while time.monotonic() < until:
                some = sorted(chance.sample(wishes, 20), key=lambda wish: wish.organization)
                _hammer(own, lane % 4, some, chance)
                rounds += 1
        return rounds

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(work, range(8))) > 3


def _hammer(own: Connection, kind: int, some: list[Wish], chance: random.Random) -> None:
    if kind == 0:
        books.reserve_all(own, some)
    elif kind == 1:
        chance.shuffle(some)
        books.settle(own, *(books.event(wish, 400) for wish in some))
    elif kind == 2:
        chance.shuffle(some)
        for wish in some:
            books.progress(own, wish, 200)
    else:
        books.sweep(own, silence=0.05, most=20)


def test_text_and_numbers_that_no_column_holds_change_nothing(opened: Connection, acme: Organization) -> None:
    books.enter(opened, acme, 1000)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    with pytest.raises(psycopg.DataError):
        books.settle(opened, books.event(wish, 100, status=99_999))
    assert books.wallet(opened, acme.pk) == (1000, 600)
    assert books.settle(opened, books.event(wish, 100)) == ["new"]
