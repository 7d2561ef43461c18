"""Where a page of the list of keys begins: after the last key of the page before, whatever happened meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Lower

PAGE = 50
NEWEST, NAME, USED, SPENT = "", "name", "used", "spent"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last key that was shown: what it was sorted by, and its number."""

    value: str | int | None
    key: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.value, self.key]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """None for what is no cursor: then the list begins at its beginning."""
        try:
            padded = text + "=" * (-len(text) % 4)
            value, key = json.loads(base64.urlsafe_b64decode(padded.encode()))
        except (binascii.Error, ValueError, TypeError):
            return None
        fits = value is None or type(value) in {str, int}
        return cls(value, key) if fits and type(key) is int and 0 <= key < 2**63 else None


@dataclass(frozen=True, slots=True)
class Page:
    """Numbers of keys in their order, and the cursor of what follows."""

    numbers: list[int]
    next: Cursor | None


def page_of(found: Any, sort: str, after: Cursor | None, spent: Mapping[int, int]) -> Page:
    """The page of these keys that comes after the cursor. Money is summed elsewhere, so `spent` says what it was."""
    rows = _by_money(found, after, spent) if sort == SPENT else _by_column(found, sort, after)
    numbers = [row["pk"] for row in rows[:PAGE]]
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return Page(numbers, Cursor(last["by"], last["pk"]) if last else None)


def _by_column(found: Any, sort: str, after: Cursor | None) -> Sequence[dict[str, Any]]:
    if sort == USED:
        found, order = found.with_standing().annotate(by=F("last_use")), F("by").desc(nulls_last=True)
    elif sort == NAME:
        found, order = found.annotate(by=Lower("name")), F("by").asc()
    else:
        found, order = found.annotate(by=F("created_at")), F("by").desc()
    if after is not None:
        found = found.filter(_following(sort, after))
    rows = list(found.order_by(order, "-pk").values("pk", "by")[: PAGE + 1])
    return [{**row, "by": _plain(row["by"])} for row in rows]


def _following(sort: str, after: Cursor) -> Q:
    """What comes later in the order. A cursor of another order is none."""
    beside = Q(by=after.value, pk__lt=after.key)
    if sort == NAME:
        return Q(by__gt=after.value) | beside if isinstance(after.value, str) else Q()
    if after.value is None:
        return Q(by=None, pk__lt=after.key) if sort == USED else Q()
    at = _instant(after.value)
    if at is None:
        return Q()
    later = Q(by__lt=at) | Q(by=at, pk__lt=after.key)
    return later | Q(by=None) if sort == USED else later


def _by_money(found: Any, after: Cursor | None, spent: Mapping[int, int]) -> Sequence[dict[str, Any]]:
    rows = [{"pk": pk, "by": spent.get(pk, 0)} for pk in found.values_list("pk", flat=True)]
    rows.sort(key=lambda row: (-row["by"], -row["pk"]))
    if after is None or not isinstance(after.value, int):
        return rows
    passed = (-after.value, -after.key)
    return [row for row in rows if (-row["by"], -row["pk"]) > passed]


def _plain(value: Any) -> str | int | None:
    return value.isoformat() if isinstance(value, datetime) else value


def _instant(value: str | int) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None
