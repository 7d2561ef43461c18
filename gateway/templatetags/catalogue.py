"""Prices of models as people read them."""

from __future__ import annotations

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def price(dollars: Decimal) -> str:
    """Every decimal, and at least two: `$2.50`, `$0.075`."""
    whole, _, fraction = f"{dollars.normalize():f}".partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}"


@register.filter
def markup(basis_points: int) -> str:
    """In words that need no sign: `12.5 % more`, `3 % less`."""
    per_cent = f"{(Decimal(abs(basis_points)) / 100).normalize():f}"
    return f"{per_cent} % {'more' if basis_points > 0 else 'less'}"
