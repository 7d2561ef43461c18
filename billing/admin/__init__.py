"""Staff's pages for money and usage. What happened is never edited or deleted; what is agreed on may change."""

from billing.admin.audits import AuditRunAdmin, BlockAdmin, StatementAdmin
from billing.admin.budgets import BudgetAdmin
from billing.admin.holds import HoldAdmin
from billing.admin.outbox import OutboxMessageAdmin
from billing.admin.payments import DocumentAdmin, PaymentAdmin, StripeEventAdmin
from billing.admin.prices import PriceAdmin, PriceListAdmin
from billing.admin.transfers import TransferAdmin
from billing.admin.usage import UsageEventAdmin
from billing.admin.wallets import WalletAdmin

__all__ = [
    "AuditRunAdmin",
    "BlockAdmin",
    "BudgetAdmin",
    "DocumentAdmin",
    "HoldAdmin",
    "OutboxMessageAdmin",
    "PaymentAdmin",
    "PriceAdmin",
    "PriceListAdmin",
    "StatementAdmin",
    "StripeEventAdmin",
    "TransferAdmin",
    "UsageEventAdmin",
    "WalletAdmin",
]
