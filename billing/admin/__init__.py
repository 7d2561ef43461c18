"""Staff's pages for money and usage. None of it is ever edited or deleted."""

from billing.admin.prices import PriceAdmin, PriceListAdmin
from billing.admin.usage import UsageEventAdmin

__all__ = ["PriceAdmin", "PriceListAdmin", "UsageEventAdmin"]
