"""Closes each finished hour of an organisation's entries into a block. A changed past no longer fits its hashes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby, takewhile
from typing import Any

from django.db import connection, transaction

from billing import canonical
from billing.merkle import Tree
from billing.models import Block, Transfer, Wallet

FIRST = "0" * 64  # what the first block has for the hash of the block before it
PAGE = 5000


def seal_all() -> int:
    """Answers how many blocks were made."""
    return sum(seal(pk) for pk in Wallet.objects.order_by("pk").values_list("pk", flat=True))


def seal(organization_id: int) -> int:
    """Blocks for every finished hour that has none. Safe to run twice, also at once: both make the same blocks."""
    until = _finished(organization_id)
    last = Block.objects.filter(organization_id=organization_id).order_by("-number").first()
    finished = takewhile(lambda row: row.created_at < until, _entries(organization_id, last.last_id if last else 0))
    made = 0
    for hour, entries in groupby(_hours(finished, last), key=lambda pair: pair[0]):
        block = _block(organization_id, hour, (entry for _, entry in entries), last)
        kept, created = Block.objects.get_or_create(
            organization_id=organization_id, number=block.number, defaults=values(block)
        )
        if kept.hash != block.hash:
            break  # somebody else was here, and further on: the next run goes on from there
        made, last = made + created, kept
    return made


def _finished(organization_id: int) -> datetime:
    """The hour that is not finished yet. Every entry is made under the wallet's lock, and so, once it was ours, all
    entries of earlier hours are there to be read, and ids have grown in the order of time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM billing_wallet WHERE organization_id = %s FOR UPDATE", [organization_id])
        cursor.execute("SELECT date_trunc('hour', clock_timestamp(), 'UTC')")
        until: datetime = cursor.fetchone()[0]
        return until


def _entries(organization_id: int, after: int, until: int | None = None) -> Iterator[Transfer]:
    """In the order of their ids, a page at a time."""
    rows = Transfer.objects.filter(organization_id=organization_id).order_by("id")
    if until is not None:
        rows = rows.filter(id__lte=until)
    while page := list(rows.filter(id__gt=after)[:PAGE]):
        yield from page
        after = page[-1].id


def _hours(entries: Iterator[Transfer], last: Block | None) -> Iterator[tuple[datetime, Transfer]]:
    """Each with its hour. Should the clock have been set back, an entry joins the hour of the one before it."""
    hour = last.starts_at if last else datetime.min.replace(tzinfo=UTC)
    for entry in entries:
        hour = max(hour, entry.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
        yield hour, entry


def _block(organization_id: int, hour: datetime, entries: Iterator[Transfer], last: Block | None) -> Block:
    block = Block(
        organization_id=organization_id,
        number=last.number + 1 if last else 1,
        starts_at=hour,
        closing_nano=last.closing_nano if last else 0,
        previous_hash=last.hash if last else FIRST,
    )
    tree = Tree()
    for entry in entries:
        tree.add(canonical.encode(leaf(entry)))
        block.first_id = block.first_id or entry.id
        block.last_id = entry.id
        block.closing_nano += entry.change_nano
    block.entries, block.root = tree.leaves, tree.root()
    block.hash = canonical.digest(header(block))
    return block


def leaf(entry: Transfer) -> dict[str, Any]:
    """An entry as it is hashed, and as it stands in a statement."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "ref": entry.ref,
        "debit": entry.debit,
        "credit": entry.credit,
        "amount_nano": str(entry.amount_nano),
        "reverses_id": entry.reverses_id,
        "reason": entry.reason,
        "author": entry.author,
        "created_at": canonical.instant(entry.created_at),
    }


def header(block: Block) -> dict[str, Any]:
    """A block as it is hashed."""
    return {
        **values(block, without=("hash",)),
        "organization": block.organization_id,
        "number": block.number,
        "starts_at": canonical.instant(block.starts_at),
        "closing_nano": str(block.closing_nano),
    }


def values(block: Block, without: tuple[str, ...] = ()) -> dict[str, Any]:
    names = ("starts_at", "entries", "first_id", "last_id", "closing_nano", "root", "previous_hash", "hash")
    return {name: getattr(block, name) for name in names if name not in without}


def entries_of(block: Block) -> Iterator[Transfer]:
    """What the ledger has now where the block was closed."""
    return _entries(block.organization_id, block.first_id - 1, block.last_id)


def is_intact(block: Block) -> bool:
    """Whether the ledger still says what it said when the block was closed."""
    tree = Tree()
    for entry in entries_of(block):
        tree.add(canonical.encode(leaf(entry)))
    return (tree.leaves, tree.root()) == (block.entries, block.root) and canonical.digest(header(block)) == block.hash


def altered(organization_id: int | None, since: datetime) -> Iterator[tuple[int, str]]:
    """The blocks from `since` on that their entries do not fit any more, for the audit."""
    blocks = Block.objects.filter(starts_at__gte=since).order_by("id")
    if organization_id is not None:
        blocks = blocks.filter(organization_id=organization_id)
    for block in blocks.iterator():
        if not is_intact(block):
            yield block.organization_id, f"the entries of block {block.number} are not those that were sealed"
