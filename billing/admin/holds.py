"""Staff's page for requests under way. It is looked at, never edited and never deleted."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.staff import ModelAdmin, ReadOnly, display, moment
from billing.admin.amounts import amount
from billing.models import Hold


@admin.register(Hold)
class HoldAdmin(ReadOnly, ModelAdmin[Hold]):
    """One that has not been heard of for minutes belongs to a process that died; the sweep closes it."""

    list_display = ("admitted", "organization", "key", "model", "held", "come_to", "heard")
    list_select_related = ("organization", "api_key")
    search_fields = ("=organization__slug", "=model")
    search_help_text = "An organisation's slug or a model"
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("request_id", "organization", "api_key")}),
        ("Model", {"fields": ("model_requested", "model", "provider", "upstream_model", "stream")}),
        ("Money", {"fields": ("held", "come_to", "cost")}),
        ("Times", {"fields": ("admitted_at", "heard_at")}),
    )

    @display(description="Admitted", ordering="admitted_at")
    def admitted(self, hold: Hold) -> SafeString | None:
        return moment(hold.admitted_at)

    @display(description="Key")
    def key(self, hold: Hold) -> str:
        return hold.api_key.name

    @display(description="Held", ordering="amount_nano")
    def held(self, hold: Hold) -> str:
        return amount(hold.amount_nano)

    @display(description="Come to")
    def come_to(self, hold: Hold) -> str:
        """What would be charged if it ended now."""
        return amount(hold.progress_charge_nano)

    @display(description="Cost so far")
    def cost(self, hold: Hold) -> str:
        return amount(hold.progress_cost_nano)

    @display(description="Heard of", ordering="heard_at")
    def heard(self, hold: Hold) -> SafeString | None:
        return moment(hold.heard_at)
