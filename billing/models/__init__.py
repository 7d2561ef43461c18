"""What requests used, what they cost, and the money that pays for them: a module a subject."""

from billing.models.audits import AuditRun, Block, Statement
from billing.models.budgets import Budget, BudgetPeriod
from billing.models.documents import Document, DocumentSeries
from billing.models.outbox import OutboxMessage, RollupDue
from billing.models.payments import BillingProfile, Payment, PaymentReturn, StripeEvent
from billing.models.prices import Price, PriceList
from billing.models.rollups import DetachedMonth, UsageDay, UsageHour
from billing.models.usage import UsageEvent
from billing.models.wallets import Hold, Transfer, Wallet

__all__ = [
    "AuditRun",
    "BillingProfile",
    "Block",
    "Budget",
    "BudgetPeriod",
    "DetachedMonth",
    "Document",
    "DocumentSeries",
    "Hold",
    "OutboxMessage",
    "Payment",
    "PaymentReturn",
    "Price",
    "PriceList",
    "RollupDue",
    "Statement",
    "StripeEvent",
    "Transfer",
    "UsageDay",
    "UsageEvent",
    "UsageHour",
    "Wallet",
]
