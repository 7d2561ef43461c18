"""The forms of the pages about payments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from billing import money
from billing.amount_field import DollarsField
from billing.models import BillingProfile


def _bounds() -> dict[str, Any]:
    return {"least": settings.TOP_UP_LEAST * money.NANO, "most": settings.TOP_UP_MOST * money.NANO}


class TopUpForm(forms.Form):
    """An amount to pay now."""

    saves_method = forms.BooleanField(
        label="Save the card", required=False,
        help_text="At Stripe, for automatic top-ups. Nothing is charged by itself until you switch them on.",
    )  # fmt: skip
    field_order = ("amount", "saves_method")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = DollarsField(
            label="Amount", cents=True, **_bounds(),
            help_text=f"From ${settings.TOP_UP_LEAST:,} to ${settings.TOP_UP_MOST:,}, such as 25 or 1,234.56.",
            error_messages={"required": "Say how much."},
        )  # fmt: skip
        self.order_fields(self.field_order)


class AutomaticForm(forms.Form):
    """When the saved card is charged by itself, and how often at most."""

    automatic = forms.BooleanField(label="Top up automatically", required=False)

    def __init__(self, *args: Any, profile: BillingProfile, **kwargs: Any) -> None:
        wanted = not args or args[0] is None or "automatic" in args[0]  # switched off, they need not be given
        most: dict[str, Any] = {
            "required": wanted,
            "error_messages": {"required": "Say how much."},
            "most": money.MOST_NANO,
            "cents": True,
        }
        super().__init__(*args, **kwargs)
        self.initial = {
            "automatic": profile.automatic,
            "below": profile.below_nano or 10 * money.NANO,
            "amount": profile.amount_nano or max(50, settings.TOP_UP_LEAST) * money.NANO,
            "cap": profile.cap_nano or max(200, settings.TOP_UP_LEAST) * money.NANO,
        }
        self.fields["below"] = DollarsField(
            label="When the balance is below", **most,
            help_text="What the organisation has, less what is held by requests under way.",
        )  # fmt: skip
        self.fields["amount"] = DollarsField(
            label="Pay", **{**most, **_bounds()},
            help_text=f"From ${settings.TOP_UP_LEAST:,} to ${settings.TOP_UP_MOST:,}.",
        )  # fmt: skip
        self.fields["cap"] = DollarsField(
            label="But at most in a month", **most,
            help_text="A month of UTC. Payments by hand do not count.",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        if not told.get("automatic"):
            return told
        amount, cap = told.get("amount"), told.get("cap")
        if amount and cap is not None and cap < amount:
            self.add_error("cap", "This is less than a single payment: nothing would ever be paid.")
        return told


class DetailsForm(forms.ModelForm[BillingProfile]):
    """Who stands on receipts and invoices from now on."""

    class Meta:
        model = BillingProfile
        fields = ("name", "address", "tax_id")
        labels = {"name": "Name", "address": "Address", "tax_id": "Tax number"}
        help_texts = {
            "name": "The company or person that pays. Empty: the organisation's name.",
            "address": "As it is to be printed, a line each.",
            "tax_id": "Such as a VAT number.",
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "organization"}),
            "address": forms.Textarea(attrs={"rows": 4, "maxlength": 1000, "autocomplete": "street-address"}),
            "tax_id": forms.TextInput(attrs={"autocomplete": "off"}),
        }

    def clean_address(self) -> str:
        lines = [line.strip() for line in self.cleaned_data["address"][:1000].splitlines()]
        return "\n".join(line for line in lines if line)
