"""Many durations in little memory, kept to within a quarter of a per cent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Self

_EXACT = 1024  # microseconds below which every value has a place of its own
_HALF = _EXACT // 2


class Histogram:
    """Durations in microseconds, shown in milliseconds."""

    __slots__ = ("_counts", "count", "highest", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.highest = 0

    @classmethod
    def of(cls, microseconds: Iterable[int]) -> Self:
        made = cls()
        for value in microseconds:
            made.record(value)
        return made

    @classmethod
    def from_json(cls, pairs: Sequence[Sequence[int]]) -> Self:
        """What `to_json` made. The first pair is the total and the highest."""
        made = cls()
        if pairs:
            made.total, made.highest = pairs[0]
            made._counts = {int(place): int(count) for place, count in pairs[1:]}
            made.count = sum(made._counts.values())
        return made

    def to_json(self) -> list[tuple[int, int]]:
        return [(self.total, self.highest), *sorted(self._counts.items())] if self.count else []

    def record(self, microseconds: int) -> None:
        value = max(microseconds, 0)
        if value < _EXACT:
            place = value
        else:
            shift = value.bit_length() - 10
            place = shift * _HALF + (value >> shift)
        self._counts[place] = self._counts.get(place, 0) + 1
        self.count += 1
        self.total += value
        self.highest = max(self.highest, value)

    def add(self, other: Histogram) -> None:
        for place, count in other._counts.items():
            self._counts[place] = self._counts.get(place, 0) + count
        self.count += other.count
        self.total += other.total
        self.highest = max(self.highest, other.highest)

    def percentile(self, percent: float) -> float:
        """Milliseconds that so many per cent of the durations do not exceed, by the nearest rank. NaN without any."""
        if not self.count:
            return math.nan
        rank, seen = max(1, math.ceil(self.count * percent / 100)), 0
        if rank == self.count:
            return self.highest / 1000
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= rank:
                return _middle(place) / 1000
        raise AssertionError("the counts do not add up")

    @property
    def mean(self) -> float:
        return self.total / self.count / 1000 if self.count else math.nan


def _middle(place: int) -> float:
    """The middle of the values that share a place."""
    if place < _EXACT:
        return place
    shift = place // _HALF - 1
    return ((place - shift * _HALF) << shift) + (1 << shift) / 2 - 0.5
