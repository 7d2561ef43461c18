"""Finished hours are closed into a chain of blocks, once, and a changed past no longer fits it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from accounts.models import Organization, User
from billing import audit, canonical, merkle, sealing
from billing.models import Block, Transfer
from billing.tasks import seal_ledger
from tests.billing.moves import DOLLAR, enter_at, reverse, tamper, top_up

pytestmark = pytest.mark.django_db(transaction=True)

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def acme(organization: Organization) -> Organization:
    """Acme, with three entries in one hour, one at the last instant of the next, and one two hours later."""
    top_up(organization, DOLLAR, "made today")
    tamper("DELETE FROM billing_transfer")
    tamper("UPDATE billing_wallet SET posted_nano = 0")
    for minutes in (0, 20, 40, 119, 240):
        enter_at(organization, MORNING + timedelta(minutes=minutes))
    return organization


def blocks(organization: Organization) -> list[Block]:
    return list(Block.objects.of(organization).order_by("number"))


def differences() -> set[str]:
    return {violation.check for violation in audit.look(full=True, organization_id=None)[1]}


def test_each_hour_with_entries_becomes_one_block(acme: Organization) -> None:
    assert sealing.seal(acme.pk) == 3
    made = blocks(acme)
    assert [(block.number, block.starts_at.hour, block.entries) for block in made] == [
        (1, 9, 3),
        (2, 10, 1),
        (3, 13, 1),
    ]
    assert [block.closing_nano for block in made] == [3 * DOLLAR, 4 * DOLLAR, 5 * DOLLAR]
    assert differences() == set()


def test_blocks_are_a_chain_of_hashes_over_the_entries(acme: Organization) -> None:
    sealing.seal(acme.pk)
    made = blocks(acme)
    assert [block.previous_hash for block in made] == [sealing.FIRST, made[0].hash, made[1].hash]
    leaves = [canonical.encode(sealing.leaf(entry)) for entry in Transfer.objects.order_by("id")[:3]]
    assert made[0].root == merkle.root(leaves)
    assert b'"amount_nano":"1000000000"' in leaves[0]
    assert b'"created_at":"2026-03-02T09:00:00.000000Z"' in leaves[0]


def test_sealing_again_makes_nothing_and_goes_on_where_it_stopped(acme: Organization) -> None:
    seal_ledger()
    seal_ledger()
    before = blocks(acme)
    enter_at(acme, MORNING + timedelta(days=1))
    assert sealing.seal_all() == 1
    assert blocks(acme)[:-1] == before


def test_an_hour_that_is_not_over_is_left_open(acme: Organization) -> None:
    top_up(acme, DOLLAR, "now")
    enter_at(acme, datetime.now(UTC) + timedelta(seconds=1))
    sealing.seal(acme.pk)
    assert sum(block.entries for block in blocks(acme)) == 5
    assert differences() == set()


def test_an_entry_of_a_clock_that_was_set_back_joins_the_hour_before_it(acme: Organization) -> None:
    sealing.seal(acme.pk)
    enter_at(acme, MORNING, ref="set back")
    sealing.seal(acme.pk)
    assert [block.starts_at.hour for block in blocks(acme)] == [9, 10, 13, 13]
    assert differences() == set()


def test_two_that_seal_at_once_make_the_same_blocks(acme: Organization) -> None:
    for minute in range(300, 1500, 30):
        enter_at(acme, MORNING + timedelta(minutes=minute))

    def work() -> None:
        try:
            sealing.seal(acme.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [block.number for block in blocks(acme)] == list(range(1, 24))
    assert differences() == set()


def test_organisations_have_chains_of_their_own(acme: Organization, charlie: User) -> None:
    stranger = Organization.objects.get(slug="stranger")
    enter_wallet(stranger)
    sealing.seal_all()
    assert [block.number for block in blocks(stranger)] == [1]
    assert blocks(stranger)[0].previous_hash == sealing.FIRST
    assert not Block.objects.visible_to(charlie).filter(organization=acme).exists()


def enter_wallet(organization: Organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_lock(ARRAY[%s::bigint])", [organization.pk])
    enter_at(organization, MORNING)


def test_a_reversal_is_sealed_with_what_it_reverses(acme: Organization) -> None:
    reverse(acme, Transfer.objects.earliest("id").pk)
    tamper("UPDATE billing_transfer SET created_at = %s WHERE kind = 'reversal'", MORNING + timedelta(hours=5))
    sealing.seal(acme.pk)
    assert blocks(acme)[-1].closing_nano == 4 * DOLLAR
    assert differences() == set()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_transfer SET reason = 'another' WHERE id = (SELECT min(id) FROM billing_transfer)",
        "UPDATE billing_transfer SET created_at = created_at + interval '1 us' WHERE ref = 'at 2026-03-02 09:00'",
        "UPDATE billing_block SET closing_nano = closing_nano + 1 WHERE number = 2",
        "UPDATE billing_block SET starts_at = starts_at + interval '1 hour' WHERE number = 2",
    ],
)
def test_a_change_of_the_past_is_found_though_every_sum_still_fits(acme: Organization, change: str) -> None:
    sealing.seal(acme.pk)
    tamper(change)
    assert differences() == {"sealed_blocks"}


def test_an_entry_that_was_slipped_into_the_past_is_found(acme: Organization) -> None:
    sealing.seal(acme.pk)
    tamper("UPDATE billing_transfer SET id = id + 100 WHERE id = (SELECT max(id) FROM billing_transfer)")
    assert differences() == {"sealed_blocks", "blocks_hold_every_entry"}


def test_a_block_that_was_taken_out_is_found(acme: Organization) -> None:
    sealing.seal(acme.pk)
    tamper("DELETE FROM billing_block WHERE number = 2")
    assert differences() == {"blocks_are_a_chain", "blocks_hold_every_entry"}


def test_a_block_is_never_changed(acme: Organization) -> None:
    sealing.seal(acme.pk)
    with pytest.raises(DatabaseError, match="billing_block is append-only"):
        Block.objects.filter(number=1).update(entries=4)
    with pytest.raises(DatabaseError, match="billing_block is append-only"):
        Block.objects.filter(number=1).delete()
