"""What can be shown of usage: what each metric is called, how it comes from the sums, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from billing import money
from billing.templatetags import amounts
from billing.usage_sums import Sums

BILLION = 10**9
SIGNIFICANT = 2  # digits of what is less than a cent


class Kind(StrEnum):
    """What the numbers are, which is how they are written."""

    MONEY = "money"
    COUNT = "count"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing to show. An average has no value where there was nothing, and is never added up."""

    key: str
    label: str
    kind: Kind
    asks: str  # the question of the chart, around the period
    value: Callable[[Sums], int]
    rank: str  # which names come first: an expression of the columns of `Sums`
    count: Callable[[Sums], int] | None = None  # of an average: what `value` is divided by

    @property
    def is_average(self) -> bool:
        return self.count is not None

    def of(self, sums: Sums) -> int | None:
        """Rounded half up, where it is an average."""
        if self.count is None:
            return self.value(sums)
        count = self.count(sums)
        return (2 * self.value(sums) + count) // (2 * count) if count else None

    def shown(self, value: int | None) -> str:
        return "\u2013" if value is None else SHOWN[self.kind](value)

    def exact(self, value: int | None) -> str:
        """All of it, for who wants to know; nothing when what is shown is exact."""
        if value is None:
            return ""
        exact = amounts.exact(value) if self.kind == Kind.MONEY else f"{value:,}"
        if self.kind == Kind.TIME:
            exact += " ms"
        return "" if exact == self.shown(value) else exact

    def plain(self, value: int | None) -> str:
        """For a file: dollars, counts and milliseconds as bare numbers."""
        if value is None:
            return ""
        return money.dollars(value) if self.kind == Kind.MONEY else str(value)


def dollars(nano: int) -> str:
    """`$1,234.56`, towards zero; what is less than a cent by its first two digits: `$0.00084`."""
    if abs(nano) >= amounts.CENT or nano == 0:
        whole, cents = divmod(abs(nano) // amounts.CENT, 100)
        return f"{amounts.MINUS if nano < 0 else ''}${whole:,}.{cents:02}"
    digits = len(str(abs(nano)))
    step: int = 10 ** max(digits - SIGNIFICANT, 0)
    return amounts.exact(abs(nano) // step * step * (-1 if nano < 0 else 1))


def number(value: int) -> str:
    return f"{value:,}" if abs(value) < BILLION else f"{value / BILLION:,.2f} bn"


def milliseconds(value: int) -> str:
    return f"{value:,} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


SHOWN: dict[Kind, Callable[[int], str]] = {Kind.MONEY: dollars, Kind.COUNT: number, Kind.TIME: milliseconds}
UNITS = {Kind.MONEY: "US dollars", Kind.COUNT: "", Kind.TIME: "milliseconds"}

METRICS = {
    metric.key: metric
    for metric in (
        Metric("spend", "Spend", Kind.MONEY, "What did {} cost", lambda s: s.charged_nano, "charged_nano"),
        Metric("requests", "Requests", Kind.COUNT, "How many requests came in {}", lambda s: s.requests, "requests"),
        Metric("tokens", "Tokens", Kind.COUNT, "How many tokens were used in {}", lambda s: s.tokens,
               "input + cached + output"),
        Metric("input", "Input tokens", Kind.COUNT, "How many tokens were read in {}, not from a cache",
               lambda s: s.input, "input"),
        Metric("cached", "Cached tokens", Kind.COUNT, "How many tokens came from caches in {}", lambda s: s.cached,
               "cached"),
        Metric("output", "Output tokens", Kind.COUNT, "How many tokens were written in {}", lambda s: s.output,
               "output"),
        Metric("errors", "Errors", Kind.COUNT, "How many requests failed in {}", lambda s: s.errors, "errors"),
        Metric("latency", "Latency", Kind.TIME, "How long did requests take in {}", lambda s: s.duration_ms,
               "requests", count=lambda s: s.requests),
        Metric("first-token", "Time to first token", Kind.TIME, "How long did the first token take in {}",
               lambda s: s.first_token_ms, "requests", count=lambda s: s.first_tokens),
    )
}  # fmt: skip


# -- comparisons --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """How a value compares with that of the period before, as an arrow and in words."""

    direction: str
    words: str


def change(metric: Metric, now: int | None, before: int | None, period: str) -> Change | None:
    """None when there is nothing to compare: no average on one side, or nothing on both."""
    if now is None or before is None or now == before == 0:
        return None
    if before == 0:
        return Change("up", f"none in {period}")
    if now == before:
        return Change("flat", f"as in {period}")
    more, less = ("slower", "faster") if metric.kind == Kind.TIME else ("more", "less")
    if metric.kind == Kind.COUNT:
        less = "fewer"
    direction, word = ("up", more) if now > before else ("down", less)
    if now >= 10 * before:
        times = "as slow" if metric.kind == Kind.TIME else "as much" if metric.kind == Kind.MONEY else "as many"
        return Change(direction, f"{now // before:,} times {times} as in {period}")
    share = abs(now - before) * 100 / before
    per_cent = f"{share:.0f}" if share >= 10 else f"{share:.1f}" if share >= 0.1 else "under 0.1"
    if per_cent == "100" and now > 0 and now < before:
        per_cent = "over 99"
    return Change(direction, f"{per_cent} % {word} than in {period}")


def share(part: int, whole: int) -> str:
    """Of a hundred, with a decimal where it is small; never 0 of something nor 100 of less than all."""
    if not whole or not part:
        return "0 %"
    of_100 = part * 100 / whole
    if of_100 < 0.1:
        return "under 0.1 %"
    if part < whole and of_100 >= 99.5:
        return "over 99 %"
    return f"{of_100:.1f} %" if of_100 < 10 else f"{of_100:.0f} %"
