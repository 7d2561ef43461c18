"""The forms of the pages about budgets."""

from __future__ import annotations

import re
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import Organization
from billing import coverage
from billing.amount_field import DollarsField
from billing.budgets import Terms
from billing.models import Budget
from billing.models.budgets import default_thresholds

MOST_THRESHOLDS = 10
HARD, SOFT = "refuse", "tell"


class ThresholdsField(forms.CharField):
    """Per cents, as `50, 80, 100`."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        words = [word.removesuffix("%") for word in re.split(r"[\s,;]+(?!%)", text.strip().replace(" %", "%")) if word]
        if not all(word.isascii() and word.isdigit() and len(word) < 5 and 1 <= int(word) <= 1000 for word in words):
            raise ValidationError("Give whole per cents between 1 and 1000, such as 50, 80, 100.")
        if len(set(words)) > MOST_THRESHOLDS:
            raise ValidationError(f"Give at most {MOST_THRESHOLDS}.")
        return sorted({int(word) for word in words})


class TermsForm(forms.Form):
    """What may be changed of a budget."""

    name = forms.CharField(
        label="Name", max_length=120, help_text="It stands in mail and in the answer to what is refused.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}), error_messages={"required": "Give the budget a name."},
    )  # fmt: skip
    limit = DollarsField(
        label="Limit", help_text="Such as 250 or 1,234.56, in each period.",
        error_messages={"required": "Give an amount in dollars."},
    )  # fmt: skip
    does = forms.ChoiceField(
        label="When it is used up", widget=forms.RadioSelect, initial=HARD,
        choices=[(HARD, "Refuse requests that do not fit, with 402"), (SOFT, "Refuse nothing, only tell")],
    )  # fmt: skip
    thresholds = ThresholdsField(
        label="Tell at", required=False, initial=default_thresholds,
        help_text="Per cent of the limit. Owners, admins and billing members get mail, once in a period for each.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )  # fmt: skip

    @classmethod
    def initial_of(cls, budget: Budget) -> dict[str, Any]:
        return {
            "name": budget.name,
            "limit": budget.limit_nano,
            "does": HARD if budget.hard else SOFT,
            "thresholds": budget.thresholds,
        }

    @property
    def terms(self) -> Terms:
        told = self.cleaned_data
        return Terms(told["name"], told["limit"], told["does"] == HARD, told["thresholds"])


class BudgetForm(TermsForm):
    """A new one."""

    covers = forms.ChoiceField(label="Covers", help_text="This cannot be changed later; a budget can be removed.")
    period = forms.ChoiceField(label="For each", choices=Budget.Period, initial=Budget.Period.MONTH)
    field_order = ("name", "covers", "limit", "period", "does", "thresholds")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["covers"]).choices = coverage.choices(organization)

    @property
    def target(self) -> tuple[str, int | None]:
        """The scope, and the number of what it is in it."""
        scope, _, number = self.cleaned_data["covers"].partition(":")
        return scope, int(number) if number else None
