"""One table of a TOML file, read field by field. What is wrong is noted with the table and the field, not raised."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")

_WORDS: dict[type, str] = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    date: "a date such as 2026-10-23, without quotes",
    dict: "a table",
    list: "a list",
}


class Table:
    """The fields of one table. `finish` complains of those that nobody asked for."""

    def __init__(self, where: str, values: object, problems: list[str]) -> None:
        self.where = where
        self._problems = problems
        self._asked: set[str] = set()
        self._values: dict[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            problems.append(f"{where} must be a table, not {values!r}.")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def complain(self, name: str, complaint: str) -> None:
        self._problems.append(f"{self.where}: {name} {complaint}")

    def text(self, name: str, default: str = "") -> str:
        found = self._take(name, str)
        return default if found is None else found

    def required(self, name: str) -> str:
        found = self._take(name, str)
        if not found and name not in self._values:
            self.complain(name, "is missing.")
        elif found == "":
            self.complain(name, "is empty.")
        return found or ""

    def flag(self, name: str) -> bool | None:
        return self._take(name, bool)

    def whole(self, name: str) -> int | None:
        return self._take(name, int)

    def day(self, name: str) -> date | None:
        return self._take(name, date)

    def mapping(self, name: str) -> dict[str, Any]:
        return self._take(name, dict) or {}

    def table(self, name: str) -> Table:
        return Table(f"{self.where}, {name}", self.mapping(name), self._problems)

    def tables(self, name: str) -> list[Table]:
        rows = self._take(name, list) or []
        return [Table(f"{self.where}, {name}[{place}]", row, self._problems) for place, row in enumerate(rows)]

    def decimal(self, name: str) -> Decimal | None:
        """An exact number, in quotes: TOML's own fractions are binary and would not be the price that was meant."""
        self._asked.add(name)
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.complain(name, f'must be a decimal in quotes, such as "{value}", so that it is exact.')
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            self.complain(name, f'must be a decimal such as "0.15", not {value!r}.')
            return None
        return number

    def finish(self) -> None:
        for name in self._values:
            if name not in self._asked:
                self.complain(name, f"is not a field of this table.{nearest(name, self._asked)}")

    def _take(self, name: str, kind: type[T]) -> T | None:
        self._asked.add(name)
        value = self._values.get(name)
        if type(value) is kind:
            return value
        if value is not None:
            self.complain(name, f"must be {_WORDS[kind]}, not {value!r}.")
        return None


def nearest(name: str, known: Collection[str]) -> str:
    """A sentence that suggests what was meant, with a space before it, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
