"""Staff's pages for wallets: what an organisation has, how far below zero it may go, and the form for credit."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import audit
from accounts.audit import Action
from accounts.models import Organization
from accounts.staff import Kept, ModelAdmin, action, display, moment
from billing import money, wallets
from billing.admin.amounts import DollarsField, Select, Textarea, TextInput, amount, author, form_page
from billing.models import Transfer, Wallet


class WalletForm(forms.ModelForm[Wallet]):
    """What is agreed with the organisation. Its balance moves by entries alone."""

    overdraft = DollarsField(label="Overdraft", help_text="Dollars that it may go below zero.")
    markup_basis_points = forms.IntegerField(
        label="Markup",
        min_value=-10_000,
        max_value=100_000,
        widget=TextInput(attrs={"inputmode": "numeric"}),
        help_text="On top of the provider's price, in hundredths of a per cent: 1000 is 10 %, -500 is 5 % off.",
    )

    class Meta:
        model = Wallet
        fields = ("markup_basis_points",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["overdraft"] = self.instance.overdraft_nano

    def clean_overdraft(self) -> int:
        """Nobody's overdraft ends above what they have used of it. The row stays locked until it is saved."""
        overdraft: int = self.cleaned_data["overdraft"]
        wallet = Wallet.objects.select_for_update().get(pk=self.instance.pk)
        used = wallet.held_nano - wallet.posted_nano - wallet.owed_nano
        if used > overdraft:
            raise ValidationError(f"${money.dollars(used)} of it is used or held at this moment: give at least that.")
        self.instance.overdraft_nano = overdraft
        return overdraft


class CreditForm(forms.Form):
    organization = forms.CharField(label="Organisation", widget=TextInput(), help_text="Its slug, such as acme.")
    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in wallets.BY_HAND], widget=Select())
    amount = DollarsField(
        label="Dollars", negative=True, help_text="Such as 25 or 12.50. Only an adjustment may be below zero."
    )
    ref = forms.CharField(
        widget=TextInput(), help_text="What it is for, such as an invoice's number. The same one is entered once."
    )
    reason = forms.CharField(
        required=False,
        widget=Textarea(attrs={"rows": 3}),
        help_text="The organisation reads it. Needed for a refund or an adjustment.",
    )

    def clean_organization(self) -> Organization:
        slug = self.cleaned_data["organization"].strip()
        found = Organization.objects.filter(slug=slug).first()
        if found is None:
            raise ValidationError(f"There is no organisation '{slug}'.")
        return found

    def enter(self, who: str) -> tuple[int, bool]:
        """Raises `LedgerError`."""
        told = self.cleaned_data
        return wallets.enter(told["organization"], told["kind"], told["ref"], told["amount"], told["reason"], who)


@admin.register(Wallet)
class WalletAdmin(Kept, ModelAdmin[Wallet]):
    """Made by the first entry or the first priced request, never here."""

    form = WalletForm
    list_display = ("organization", "balance", "held", "available", "overdraft_now", "markup", "halted")
    list_select_related = ("organization",)
    list_filter = (("halted_at", admin.EmptyFieldListFilter),)
    search_fields = ("organization__name", "organization__slug")
    actions_list = ("enter_credit",)
    actions_detail = ("enter_credit_here",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_entry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.add_transfer")

    def get_fieldsets(self, request: HttpRequest, obj: Wallet | None = None) -> Any:
        may_change = self.has_change_permission(request, obj)
        agreed = ("overdraft", "markup_basis_points") if may_change else ("overdraft_now", "markup")
        return (
            (None, {"fields": ("organization",)}),
            ("Money", {"fields": ("balance", "held", "available")}),
            ("Agreed", {"fields": agreed}),
            ("State", {"fields": ("halted_at", "halted_reason", "created_at")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Wallet | None = None) -> tuple[str, ...]:
        shown = ("organization", "balance", "held", "available", "halted_at", "halted_reason", "created_at")
        return shown if self.has_change_permission(request, obj) else (*shown, "overdraft_now", "markup")

    def save_model(self, request: HttpRequest, obj: Wallet, form: forms.ModelForm[Wallet], change: bool) -> None:
        """Only these two: what the page was opened with must not be written over what moved since."""
        before = Wallet.objects.get(pk=obj.pk)
        obj.save(update_fields=["overdraft_nano", "markup_basis_points"])
        differing = audit.changes(_terms(before), _terms(obj))
        if differing:
            who = audit.operator(request)
            audit.record(who, obj.organization, Action.CREDIT_TERMS_CHANGED, None, **differing)

    @display(description="Balance", ordering="posted_nano")
    def balance(self, wallet: Wallet) -> str:
        return amount(wallet.posted_nano)

    @display(description="Held", ordering="held_nano")
    def held(self, wallet: Wallet) -> str:
        return amount(wallet.held_nano)

    @display(description="Available")
    def available(self, wallet: Wallet) -> str:
        return amount(wallet.available_nano)

    @display(description="Overdraft", ordering="overdraft_nano")
    def overdraft_now(self, wallet: Wallet) -> str:
        return amount(wallet.overdraft_nano)

    @display(description="Markup", ordering="markup_basis_points")
    def markup(self, wallet: Wallet) -> str:
        return f"{wallet.markup_basis_points / 100:g} %"

    @display(description="Halted", ordering="halted_at", empty_value="no")
    def halted(self, wallet: Wallet) -> SafeString | None:
        return moment(wallet.halted_at)

    @action(description="Enter credit", permissions=["entry"], url_path="enter-credit")
    @transaction.atomic
    def enter_credit(self, request: HttpRequest) -> HttpResponse:
        form = CreditForm(request.POST or None, initial=_suggested(request.GET.get("organization", "")))
        if form.is_valid():
            try:
                entry, created = form.enter(author(request))
            except wallets.LedgerError as error:
                form.add_error(None, str(error))
            else:
                return self._entered(request, form.cleaned_data, entry, created)
        intro = (
            "An entry is final: it can be reversed, and is never changed. A second try with the same ref does nothing."
        )
        return form_page(self, request, form, title="Enter credit", intro=intro, button="Enter credit")

    @action(description="Enter credit", permissions=["entry"], url_path="enter-credit-here")
    def enter_credit_here(self, request: HttpRequest, object_id: str) -> HttpResponse:
        wallet = get_object_or_404(Wallet.objects.select_related("organization"), pk=object_id)
        page = reverse("admin:billing_wallet_enter_credit")
        return redirect(f"{page}?organization={wallet.organization.slug}")

    def _entered(self, request: HttpRequest, told: dict[str, Any], entry: int, created: bool) -> HttpResponse:
        wallet = wallets.of(told["organization"])
        what = (
            f"{Transfer.Kind(told['kind']).label} of ${money.dollars(told['amount'])}, entry {entry}, ref {told['ref']}"
        )
        if created:
            self.log_change(request, wallet, f"{what}. {told['reason']}".strip())
            wallets.record_entry(audit.operator(request), told["organization"], entry)
            messages.success(request, f"{what}. {wallet}.")
        else:
            messages.info(request, f"Nothing was entered: the ref was used before. {what}. {wallet}.")
        return redirect("admin:billing_transfer_change", entry)


def _terms(wallet: Wallet) -> dict[str, object]:
    return {
        "overdraft": f"${money.grouped(wallet.overdraft_nano)}",
        "markup": f"{wallet.markup_basis_points / 100:g} %",
    }


def _suggested(slug: str) -> dict[str, str]:
    """A ref that nobody used, so that a form that is sent twice is entered once."""
    return {"organization": slug, "ref": f"staff-{timezone.now():%Y%m%d}-{secrets.token_hex(4)}"}
