"""Staff's pages for payments by card and what Stripe told of them. Whatever is wrong is put right at Stripe."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.staff import ModelAdmin, ReadOnly, display, moment
from billing.admin.amounts import amount
from billing.models import Document, Payment, StripeEvent


@admin.register(Payment)
class PaymentAdmin(ReadOnly, ModelAdmin[Payment]):
    """One that waits for long was either left, or Stripe's webhook does not arrive."""

    list_display = ("at", "organization", "kind", "sum", "condition", "intent", "author", "failure")
    list_filter = ("state", "kind")
    list_select_related = ("organization",)
    search_fields = ("=organization__slug", "=intent", "=session", "=token")
    search_help_text = "An organisation's slug, or Stripe's number of the payment intent or session"
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("organization", "kind", "sum", "state", "failure", "author")}),
        ("At Stripe", {"fields": ("token", "session", "intent", "saves_method", "asked_at")}),
        ("In the ledger", {"fields": ("entry_id", "paid_at", "created_at")}),
    )

    @display(description="When")
    def at(self, payment: Payment) -> SafeString | None:
        return moment(payment.created_at)

    @display(description="Amount", ordering="amount_nano")
    def sum(self, payment: Payment) -> str:
        return amount(payment.amount_nano)

    @display(description="State", label={"Paid": "success", "Waiting": "info", "Failed": "danger"})
    def condition(self, payment: Payment) -> str:
        return payment.get_state_display()


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, ModelAdmin[StripeEvent]):
    list_display = ("at", "kind", "outcome", "payment", "event_id")
    list_filter = ("kind",)
    list_select_related = ("payment",)
    search_fields = ("=event_id",)
    show_full_result_count = False

    @display(description="When")
    def at(self, event: StripeEvent) -> SafeString | None:
        return moment(event.received_at)


@admin.register(Document)
class DocumentAdmin(ReadOnly, ModelAdmin[Document]):
    list_display = ("at", "printed", "organization", "kind", "sum", "ref")
    list_filter = ("kind",)
    list_select_related = ("organization",)
    search_fields = ("=organization__slug", "=number", "=ref")
    show_full_result_count = False

    @display(description="When")
    def at(self, document: Document) -> SafeString | None:
        return moment(document.issued_at)

    @display(description="Number", ordering="number")
    def printed(self, document: Document) -> str:
        return document.label

    @display(description="Total", ordering="total_nano")
    def sum(self, document: Document) -> str:
        return amount(document.total_nano)
