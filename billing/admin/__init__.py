"""Staff's pages for money and usage. None of it is ever edited or deleted."""

from billing.admin.audits import AuditRunAdmin, BlockAdmin, StatementAdmin
from billing.admin.prices import PriceAdmin
from billing.admin.usage import UsageEventAdmin

__all__ = ["AuditRunAdmin", "BlockAdmin", "PriceAdmin", "StatementAdmin", "UsageEventAdmin"]
