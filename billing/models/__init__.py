"""What requests used, what they cost, and the money that pays for them: a module a subject."""

from billing.models.prices import Price, PriceList
from billing.models.usage import UsageEvent

__all__ = ["Price", "PriceList", "UsageEvent"]
