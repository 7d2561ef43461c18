"""What requests used, what they cost, and the money that pays for them: a module a subject."""

from billing.models.audits import AuditRun, Block, Statement
from billing.models.budgets import Budget, BudgetPeriod
from billing.models.outbox import OutboxMessage, RollupDue
from billing.models.prices import Price, PriceList
from billing.models.rollups import DetachedMonth, UsageDay, UsageHour
from billing.models.usage import UsageEvent
from billing.models.wallets import Hold, Transfer, Wallet

__all__ = [
    "AuditRun",
    "Block",
    "Budget",
    "BudgetPeriod",
    "DetachedMonth",
    "Hold",
    "OutboxMessage",
    "Price",
    "PriceList",
    "RollupDue",
    "Statement",
    "Transfer",
    "UsageDay",
    "UsageEvent",
    "UsageHour",
    "Wallet",
]
