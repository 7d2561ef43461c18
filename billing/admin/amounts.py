"""Money in staff's pages: typed in dollars, shown in dollars, kept in nano-dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.models import User
from accounts.staff import ModelAdmin, unbroken
from billing import money

if TYPE_CHECKING:
    from django.forms import Select, Textarea, TextInput
else:
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

__all__ = ["DollarsField", "Select", "TextInput", "Textarea", "amount", "author", "form_page"]


class DollarsField(forms.CharField):
    """Exact dollars, with up to nine decimals. Its value is nano-dollars."""

    def __init__(self, *, negative: bool = False, **options: Any) -> None:
        self.negative = negative
        super().__init__(widget=TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}), **options)

    def prepare_value(self, value: Any) -> Any:
        return money.dollars(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            nano = money.nano_from_dollars(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if nano < 0 and not self.negative:
            raise ValidationError("Give an amount that is not below zero.")
        return nano

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return initial is None or money.nano_from_dollars(str(data)) != initial
        except ValueError:
            return True


def amount(nano: int | None) -> str:
    """For a list's cell: exact dollars, on one line."""
    if nano is None:
        return ""
    return unbroken(f"{'-' if nano < 0 else ''}${money.dollars(abs(nano))}")


def author(request: HttpRequest) -> str:
    """Who is written beside an entry."""
    return request.user.email if isinstance(request.user, User) else ""


def form_page(
    admin: ModelAdmin[Any], request: HttpRequest, form: forms.Form, *, title: str, intro: str, button: str
) -> HttpResponse:
    """A page of its own for something that is done, between the lists and the rows."""
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": title,
        "intro": intro,
        "button": button,
        "form": form,
    }
    return TemplateResponse(request, "billing/admin_form.html", context)
