"""Budgets as the ledger heeds them: the tightest wins, a soft one only tells, and a period ends on time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Organization
from billing.models import Budget
from tests import books
from tests.books import Connection, Wish
from tests.factories import make_organization

pytestmark = pytest.mark.django_db(transaction=True)

KEY, PROJECT, MEMBER = 11, 22, 33
TARGETS = {"organization": None, "project": PROJECT, "api_key": KEY, "member": MEMBER}
SCOPES = pytest.mark.parametrize("scope", TARGETS)


@pytest.fixture
def acme() -> Organization:
    return make_organization("acme")


@pytest.fixture
def opened(acme: Organization) -> Iterator[Connection]:
    with books.connect() as own:
        books.enter(own, acme, 1_000_000)
        yield own
        books.assert_balanced(own)


def make_budget(acme: Organization, limit: int, scope: str = "organization", **fields: Any) -> Budget:
    return Budget.objects.create(
        organization=acme, scope=scope, limit_nano=limit, **{"name": scope, "target_id": TARGETS[scope], **fields}
    )


def wish(acme: Organization, wanted: int, **fields: Any) -> Wish:
    return Wish(acme.pk, wanted, **{"key": KEY, "project": PROJECT, "member": MEMBER, **fields})


def period(opened: Connection, budget: Budget) -> list[tuple[int, int]]:
    """What it has spent and what it holds, in the order of its periods."""
    query = "SELECT spent_nano, held_nano FROM billing_budgetperiod WHERE budget_id = %s ORDER BY starts_at"
    return [(spent, held) for spent, held in opened.execute(query, [budget.pk]).fetchall()]


def spend(opened: Connection, acme: Organization, amount: int) -> None:
    request = wish(acme, amount)
    assert books.reserve(opened, request).outcome == "ok"
    books.settle(opened, books.event(request, amount))


def payloads(opened: Connection) -> list[dict[str, Any]]:
    return [payload for (payload,) in opened.execute("SELECT payload FROM billing_outbox ORDER BY id").fetchall()]


@SCOPES
def test_the_tightest_budget_decides_whichever_it_is(opened: Connection, acme: Organization, scope: str) -> None:
    for other in TARGETS:
        make_budget(acme, 500 if other == scope else 900, other)
    assert books.reserve(opened, wish(acme, 500)).outcome == "ok"
    refused = books.reserve(opened, wish(acme, 1))
    assert (refused.outcome, refused.scope, refused.named) == ("insufficient", scope, scope)
    assert (refused.spent, refused.on_hold, refused.ceiling, refused.affordable) == (0, 500, 500, 0)


@pytest.mark.parametrize("scope", ["project", "api_key", "member"])
def test_a_budget_of_somebody_else_does_not_count(opened: Connection, acme: Organization, scope: str) -> None:
    make_budget(acme, 0, scope, target_id=99)
    assert books.reserve(opened, wish(acme, 500)).outcome == "ok"
    assert books.reserve(opened, wish(acme, 500, project=None, member=None)).outcome == "ok"


def test_a_budget_of_another_organisation_does_not_count(opened: Connection, acme: Organization) -> None:
    make_budget(make_organization("stranger"), 0)
    assert books.reserve(opened, wish(acme, 500)).outcome == "ok"


def test_the_wallet_is_tighter_than_a_generous_budget(opened: Connection, acme: Organization) -> None:
    make_budget(acme, 10**12)
    assert books.reserve(opened, wish(acme, 1_000_001)).scope == "wallet"


def test_a_budget_for_ten_admits_ten_of_two_hundred(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000, "api_key")

    def work(_: int) -> list[str]:
        with books.connect() as own:
            return [books.reserve(own, wish(acme, 100)).outcome for _ in range(20)]

    with ThreadPoolExecutor(10) as pool:
        answers = [outcome for answer in pool.map(work, range(10)) for outcome in answer]
    assert Counter(answers) == {"ok": 10, "insufficient": 190}
    assert period(opened, budget) == [(0, 1000)]


def test_a_soft_budget_never_refuses_and_counts_all_the_same(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 100, hard=False)
    spend(opened, acme, 5000)
    assert books.reserve(opened, wish(acme, 300)).outcome == "ok"
    assert period(opened, budget) == [(5000, 300)]


def test_a_budget_that_becomes_hard_refuses_from_then_on(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 100, hard=False)
    spend(opened, acme, 5000)
    Budget.objects.filter(pk=budget.pk).update(hard=True)
    assert books.reserve(opened, wish(acme, 1)).outcome == "insufficient"
    Budget.objects.filter(pk=budget.pk).update(limit_nano=5001)
    assert books.reserve(opened, wish(acme, 1)).outcome == "ok"


def test_a_budget_that_becomes_soft_admits_beyond_its_limit(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 100)
    spend(opened, acme, 100)
    Budget.objects.filter(pk=budget.pk).update(hard=False)
    spend(opened, acme, 900)
    assert period(opened, budget) == [(1000, 0)]


@pytest.mark.parametrize("name", ["day", "week", "month", "total"])
def test_a_refusal_says_what_was_spent_and_when_it_ends(opened: Connection, acme: Organization, name: str) -> None:
    budget = make_budget(acme, 1000, period=name)
    spend(opened, acme, 300)
    books.reserve(opened, wish(acme, 200))
    refused = books.reserve(opened, wish(acme, 501))
    assert (refused.target, refused.spent, refused.on_hold, refused.affordable) == (budget.pk, 300, 200, 500)
    assert refused.resets_at == _end(name)


def _end(name: str) -> datetime | None:
    """When the period that we are in ends, in UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "day":
        return today + timedelta(days=1)
    if name == "week":
        return today + timedelta(days=7 - today.weekday())
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1) if name == "month" else None


def test_a_limit_that_was_lowered_refuses_and_lets_open_requests_end(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000)
    request = wish(acme, 800)
    books.reserve(opened, request)
    Budget.objects.filter(pk=budget.pk).update(limit_nano=500)
    refused = books.reserve(opened, wish(acme, 1))
    assert (refused.outcome, refused.affordable, refused.ceiling) == ("insufficient", 0, 500)
    assert books.reserve(opened, wish(acme, 0)).outcome == "ok"  # what costs nothing is no matter of budgets
    assert books.settle(opened, books.event(request, 800)) == ["new"]
    assert period(opened, budget) == [(800, 0)]


def test_a_budget_that_is_switched_off_does_not_refuse(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000)
    request = wish(acme, 800)
    books.reserve(opened, request)
    Budget.objects.filter(pk=budget.pk).update(enabled=False)
    assert books.reserve(opened, wish(acme, 900)).outcome == "ok"
    books.settle(opened, books.event(request, 700))
    assert period(opened, budget) == [(700, 0)]


def test_a_request_counts_in_the_period_that_admitted_it(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000, period="day")
    request = wish(acme, 800)
    books.reserve(opened, request)
    _a_day_goes_by(opened)
    assert books.reserve(opened, wish(acme, 1000)).outcome == "ok"  # a new day
    books.settle(opened, books.event(request, 700))
    assert period(opened, budget) == [(700, 0), (0, 1000)]
    assert payloads(opened) == []  # what is said of yesterday helps nobody today


def _a_day_goes_by(opened: Connection) -> None:
    """What is in the books was admitted yesterday."""
    opened.execute("UPDATE billing_budgetperiod SET starts_at = starts_at - interval '1 day'")
    opened.execute(
        "UPDATE billing_hold SET admitted_at = admitted_at - interval '1 day',"
        " budget_starts = ARRAY(SELECT s - interval '1 day' FROM unnest(budget_starts) s)"
    )


def test_a_late_count_is_spent_in_the_period_that_admitted_it(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000, period="day")
    request = wish(acme, 800)
    books.reserve(opened, request)
    books.progress(opened, request, 100)
    _a_day_goes_by(opened)
    books.sweep(opened)
    spend(opened, acme, 950)
    assert books.settle(opened, books.event(request, 600)) == ["late"]
    assert period(opened, budget) == [(600, 0), (950, 0)]


@SCOPES
def test_a_late_count_is_spent_whoever_else_has_used_the_budget(
    opened: Connection, acme: Organization, scope: str
) -> None:
    """It was produced: the budget may end above its limit, and then admits nothing."""
    budget = make_budget(acme, 1000, scope)
    request = wish(acme, 800)
    books.reserve(opened, request)
    books.sweep(opened)
    spend(opened, acme, 1000)
    assert books.settle(opened, books.event(request, 600)) == ["late"]
    assert period(opened, budget) == [(1600, 0)]
    assert books.reserve(opened, wish(acme, 1)).affordable == 0


def test_each_threshold_is_told_once(opened: Connection, acme: Organization) -> None:
    budget = make_budget(acme, 1000)
    for _ in range(10):
        spend(opened, acme, 100)
    told = payloads(opened)
    assert [(one["threshold"], one["spent_nano"]) for one in told] == [(50, 500), (80, 800), (100, 1000)]
    assert {one["budget_id"] for one in told} == {budget.pk}


def test_thresholds_that_are_passed_together_are_told_as_the_highest(opened: Connection, acme: Organization) -> None:
    make_budget(acme, 1000)
    spend(opened, acme, 900)
    assert [one["threshold"] for one in payloads(opened)] == [80]


def test_each_threshold_is_told_once_however_many_spend_at_once(opened: Connection, acme: Organization) -> None:
    budgets = [make_budget(acme, 1000, scope, hard=scope != "member") for scope in TARGETS]

    def work(_: int) -> None:
        with books.connect() as own:
            for _ in range(10):
                request = wish(acme, 10)
                books.reserve(own, request)
                books.settle(own, books.event(request, 10))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))
    told = Counter((one["budget_id"], one["threshold"]) for one in payloads(opened))
    assert told == {(budget.pk, threshold): 1 for budget in budgets for threshold in (50, 80, 100)}
    assert books.count(opened, "billing_outbox", "topic <> 'budget.threshold'") == 0
