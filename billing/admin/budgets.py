"""Staff's pages for budgets: limits in dollars, on targets that are the organisation's own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts import audit
from accounts.audit import Action
from accounts.staff import Kept, ModelAdmin, display
from billing import budgets, coverage
from billing.admin.amounts import DollarsField, amount
from billing.models import Budget

_FIXED = ("organization", "scope", "target_id", "period")


class BudgetForm(forms.ModelForm[Budget]):
    limit = DollarsField(label="Limit", help_text="Dollars in each period.")

    class Meta:
        model = Budget
        fields = ("organization", "name", "scope", "target_id", "period", "hard", "thresholds", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["limit"] = self.instance.limit_nano

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.instance.limit_nano = cleaned.get("limit", 0)
        organization, target = cleaned.get("organization"), cleaned.get("target_id")
        scope = str(cleaned.get("scope") or Budget.Scope.ORGANIZATION)
        needs_one = scope != Budget.Scope.ORGANIZATION and target is not None
        if organization and needs_one and not coverage.belongs(organization, scope, target):
            self.add_error("target_id", f"{organization} has nobody and nothing with this id in this scope.")
        return cleaned


@admin.register(Budget)
class BudgetAdmin(Kept, ModelAdmin[Budget]):
    """What a budget counts is fixed: for another target or period make another one, and switch this one off."""

    form = BudgetForm
    list_display = ("name", "organization", "scope", "target_id", "period", "limit_now", "hard", "enabled")
    list_filter = ("enabled", "hard", "period", "scope")
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name", "organization__slug")
    autocomplete_fields = ("organization",)

    def save_model(self, request: HttpRequest, obj: Budget, form: forms.ModelForm[Budget], change: bool) -> None:
        """As a member's change is: in the organisation's log, and counted from the beginning of the period."""
        who = audit.operator(request)
        if change:
            self._change(who, obj, form)
            return
        super().save_model(request, obj, form, change)
        if obj.enabled:
            budgets.count_anew(obj)
        audit.record(who, obj.organization, Action.BUDGET_CREATED, obj, **budgets.told(obj))

    def _change(self, who: audit.Actor, obj: Budget, form: forms.ModelForm[Budget]) -> None:
        wanted = budgets.Terms(obj.name, obj.limit_nano, obj.hard, obj.thresholds)
        switch = "enabled" in form.changed_data
        enabled = obj.enabled
        budgets.change(who, obj, wanted)
        if switch and enabled:
            budgets.restore(who, obj)
        elif switch:
            budgets.remove(who, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        counts = _FIXED if obj is None else (*_FIXED, "covers")
        limit = "limit" if obj is None or self.has_change_permission(request, obj) else "limit_now"
        return (
            (None, {"fields": ("name", "enabled")}),
            ("What it counts", {"fields": counts}),
            ("What it does", {"fields": (limit, "hard", "thresholds")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        return () if obj is None else (*_FIXED, "covers", "limit_now")

    @display(description="Limit", ordering="limit_nano")
    def limit_now(self, budget: Budget) -> str:
        return amount(budget.limit_nano)

    @display(description="Covers")
    def covers(self, budget: Budget) -> str:
        return coverage.names([budget])[budget.pk]
