"""Money in members' forms: typed as people write it, shown with its sign, kept in nano-dollars."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import money

CENT = money.NANO // 100


class DollarsInput(forms.TextInput):
    """A text field behind a dollar sign, with a keyboard of digits on telephones."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off", "class": "amount", **(attrs or {})})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, attrs, renderer)
        return format_html('<span class="amount-field"><span aria-hidden="true">$</span>{}</span>', field)


class DollarsField(forms.CharField):
    """Exact dollars such as `1,234.56`, with or without their sign. Its value is nano-dollars, or None when empty.

    `least` and `most` are nano-dollars. With `cents`, an amount that a card can be charged.
    """

    def __init__(self, *, least: int = 0, most: int = money.MOST_NANO, cents: bool = False, **options: Any) -> None:
        self.least, self.most, self.cents = least, most, cents
        super().__init__(**{"widget": DollarsInput(), **options})

    def prepare_value(self, value: Any) -> Any:
        return money.grouped(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            nano = money.nano_from_dollars(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if nano < 0:
            raise ValidationError("Give an amount that is not below zero.")
        if self.cents and nano % CENT:
            raise ValidationError("Give whole cents.")
        if nano < self.least:
            raise ValidationError(f"Give at least ${money.grouped(self.least)}.")
        if nano > self.most:
            raise ValidationError(f"Give at most ${money.grouped(self.most)}.")
        return nano

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(money.nano_from_dollars(str(data)) != initial)
        except ValueError:
            return bool(data) or initial is not None
