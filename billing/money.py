"""Units of money: dollars for people, nano-dollars (bigint) for the ledger, pico-dollars for the price of one token.

A price of $1 for a million tokens is exactly 1,000,000 pico-dollars a token, so that every price with up to six
decimals is a whole number of them. Costs are summed in pico-dollars and rounded up to nano-dollars once a request.
Nothing here is a float.
"""

from __future__ import annotations

import re
from decimal import Decimal

NANO = 10**9
MOST_NANO = 2**63 - 1  # what the ledger's columns hold: some nine thousand million dollars
PICO_PER_NANO = 1000
PICO_PER_DOLLAR_A_MILLION = 10**6
BASIS_POINTS = 10_000  # in the whole: a markup of 100 is one per cent
_DOLLARS = re.compile(r"(-?)\$?([0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.([0-9]{1,9}))?")


def pico_per_token(dollars_per_million: Decimal) -> int:
    """A token's price. Raises `ValueError` for a price with more than six decimals or below zero."""
    return _whole(dollars_per_million, PICO_PER_DOLLAR_A_MILLION, "six")


def pico_per_request(dollars_each: Decimal) -> int:
    """A request's fee. Raises `ValueError` for one with more than nine decimals or below zero."""
    return PICO_PER_NANO * _whole(dollars_each, NANO, "nine")


def nano_from_pico(pico: int) -> int:
    """Rounded up: what is charged never falls short of what it cost."""
    return -(-pico // PICO_PER_NANO)


def with_markup(pico: int, basis_points: int) -> int:
    """Nano-dollars: the markup on the exact amount, and only then rounded up, once."""
    return -(-pico * (BASIS_POINTS + basis_points) // (BASIS_POINTS * PICO_PER_NANO))


def nano_from_dollars(text: str) -> int:
    """The exact amount that a person typed: `12`, `$1,234.56`, `$0.000842`, `-3`. Raises `ValueError`.

    A comma stands before three digits or it is refused: `12,50` is twelve and a half to some, and nothing to us.
    """
    found = _DOLLARS.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not an amount: give dollars such as 12.50, with at most nine decimals.")
    sign, whole, fraction = found.groups()
    nano = int(whole.replace(",", "")) * NANO + int((fraction or "").ljust(9, "0"))
    if nano > MOST_NANO:
        raise ValueError(f"{text} is more than the ledger holds: at most {dollars(MOST_NANO)} dollars.")
    return -nano if sign else nano


def dollars(nano: int) -> str:
    """The exact amount as text, with at least two decimals: `0.000842`, `12.50`, `-3.00`."""
    sign, whole, fraction = "-" if nano < 0 else "", abs(nano) // NANO, f"{abs(nano) % NANO:09d}"
    return f"{sign}{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def grouped(nano: int) -> str:
    """The exact amount as people write it: `1,234.56`."""
    whole, _, fraction = dollars(nano).partition(".")
    return f"{int(whole):,}.{fraction}" if nano >= 0 else f"-{grouped(-nano)}"


def _whole(price: Decimal, units: int, decimals: str) -> int:
    counted = price * units
    if counted != counted.to_integral_value() or counted < 0:
        raise ValueError(f"{price} is not a price: use dollars with at most {decimals} decimals, not negative.")
    return int(counted)
