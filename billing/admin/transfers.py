"""Staff's pages for the ledger: every entry, and a way to reverse one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.safestring import SafeString

from accounts import audit
from accounts.staff import ModelAdmin, ReadOnly, action, display, moment
from billing import money, wallets
from billing.admin.amounts import Textarea, amount, author, form_page
from billing.models import Transfer

if TYPE_CHECKING:
    _Endless = Paginator[Transfer]
else:
    from unfold.paginator import InfinitePaginator as _Endless


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=Textarea(attrs={"rows": 3}), help_text="The organisation reads it.")


@admin.register(Transfer)
class TransferAdmin(ReadOnly, ModelAdmin[Transfer]):
    """Newest first. There may be a great many, so they are never counted."""

    list_display = ("at", "organization", "kind", "change", "ref", "reason", "author")
    list_filter = ("kind", ("created_at", admin.DateFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("=organization__slug", "=ref")
    search_help_text = "An organisation's slug or a ref"
    ordering = ("-id",)
    list_per_page = 50
    paginator = _Endless
    show_full_result_count = False
    actions_detail = ("reverse",)
    fieldsets = (
        (None, {"fields": ("id", "organization", "kind", "change", "ref")}),
        ("Accounts", {"fields": ("debit", "credit", "reverses_id")}),
        ("Who and why", {"fields": ("reason", "author", "created_at")}),
    )

    def has_entry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.add_transfer")

    @display(description="When")
    def at(self, entry: Transfer) -> SafeString | None:
        return moment(entry.created_at)

    @display(description="Change", ordering="amount_nano")
    def change(self, entry: Transfer) -> str:
        return amount(entry.change_nano)

    @action(description="Reverse", permissions=["entry"], url_path="reverse")
    def reverse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entry = get_object_or_404(Transfer.objects.select_related("organization"), pk=object_id)
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            try:
                return self._reverse(request, entry, form.cleaned_data["reason"])
            except wallets.LedgerError as error:
                form.add_error(None, str(error))
        intro = (
            f"{entry.organization}: {entry.get_kind_display()} of ${money.dollars(entry.amount_nano)}, "
            f"ref {entry.ref}. The opposite entry is made, once; both stay in the ledger."
        )
        return form_page(
            self, request, form, title=f"Reverse entry {entry.pk}", intro=intro, button="Reverse the entry"
        )

    @transaction.atomic
    def _reverse(self, request: HttpRequest, entry: Transfer, reason: str) -> HttpResponse:
        opposite, created = wallets.reverse(entry.organization, entry.pk, reason, author(request))
        if created:
            wallets.record_entry(audit.operator(request), entry.organization, opposite)
            self.log_change(request, entry, f"Reversed by entry {opposite}. {reason}")
            messages.success(request, f"Reversed. {wallets.of(entry.organization)}.")
        else:
            messages.info(request, "It was reversed before; nothing was entered.")
        return redirect("admin:billing_transfer_change", opposite)
