"""The data that pages are looked at with is as true as any."""

from __future__ import annotations

import pytest

from billing import audit
from billing.models import BudgetPeriod, UsageDay, UsageEvent
from tests.browser import demonstration

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def test_a_month_was_called_and_paid_and_the_audit_finds_nothing() -> None:
    acme = demonstration.make(days=30, a_day=8)
    assert UsageEvent.objects.of(acme.organization).count() > 150
    assert UsageDay.objects.of(acme.organization).values("day").distinct().count() > 25
    assert BudgetPeriod.objects.of(acme.organization).filter(spent_nano__gt=0).exists()
    _, violations = audit.run(full=True)
    assert violations == []
