"""Nano-dollars as people read them."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import money

register = template.Library()

CENT = money.NANO // 100
MINUS = "\u2212"  # as wide as a plus, where amounts stand beneath each other


@register.filter
def exact(nano: int) -> str:
    """Every decimal: `$12.50`, `$0.000842`."""
    whole, _, fraction = money.dollars(abs(nano)).partition(".")
    return f"{MINUS if nano < 0 else ''}${int(whole):,}.{fraction}"


@register.filter
def change(nano: int) -> str:
    """With its sign, whichever it is."""
    return f"+{exact(nano)}" if nano > 0 else exact(nano)


@register.filter
def cents(nano: int) -> SafeString:
    """To the cent, towards zero, with the exact amount under the pointer; less than a cent is not rounded away."""
    rounded = nano if abs(nano) < CENT else (abs(nano) // CENT * CENT) * (-1 if nano < 0 else 1)
    return format_html('<data value="{}" title="{}">{}</data>', money.dollars(nano), exact(nano), exact(rounded))


@register.filter
def short(nano: int) -> SafeString:
    """To the cent from a dollar on, else to the first two digits that say something; exact under the pointer."""
    dollars = Decimal(abs(nano)) / money.NANO
    places = 2 if nano == 0 or dollars >= 1 else max(2, 1 - dollars.adjusted())
    rounded = f"{dollars:,.{places}f}"
    sign = MINUS if nano < 0 else ""
    return format_html('<data value="{}" title="{}">{}${}</data>', money.dollars(nano), exact(nano), sign, rounded)
