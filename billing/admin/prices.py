"""Staff's pages for prices, new versions only, and for the lists that customers pay by."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.staff import Kept, ModelAdmin, display, moment
from billing.models import Price, PriceList
from billing.pricing import RATES, tariff

LISTED = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "request")  # the others are rare


class PriceForm(forms.ModelForm[Price]):
    class Meta:
        model = Price
        fields = ("model", "price_list", "effective_at", *RATES, "request", "tiers", "free")

    def clean_effective_at(self) -> Any:
        """The past has been paid for: a price may begin now or later."""
        at = self.cleaned_data["effective_at"]
        if at < timezone.now() - timedelta(minutes=30):
            raise ValidationError("A price cannot begin in the past. Give now, or a moment to come.")
        return at

    def clean_tiers(self) -> Any:
        tiers = self.cleaned_data["tiers"] or []
        prices = dict.fromkeys(("input", "output"), Decimal(0))
        try:
            tariff(version=0, model="", prices=prices, tiers=tiers)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValidationError(
                'Give a list such as [{"above": 200000, "input": "2.50", "output": "10"}], with prices in quotes.'
            ) from error
        return tiers


@admin.register(Price)
class PriceAdmin(Kept, ModelAdmin[Price]):
    """New versions only: a price that was charged is never changed."""

    form = PriceForm
    list_display = ("model", "listed", "begins", "state", *(f"{rate}_price" for rate in LISTED), "tier_lengths")
    list_filter = ("effective_at", "price_list", "free")
    list_select_related = ("price_list",)
    search_fields = ("model",)
    fieldsets = (
        (None, {"fields": ("model", "price_list", "effective_at", "free")}),
        ("Dollars per million tokens", {"fields": (*RATES, "tiers")}),
        ("Dollars per request", {"fields": ("request",)}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        same = Price.objects.alias(of=Coalesce("price_list_id", 0)).filter(of=Coalesce(OuterRef("price_list_id"), 0))
        newest = same.filter(model=OuterRef("model"), effective_at__lte=timezone.now())
        return super().get_queryset(request).annotate(in_force=newest.order_by("-effective_at").values("pk")[:1])

    @display(description="Price list", ordering="price_list", empty_value="")
    def listed(self, price: Price) -> PriceList | None:
        return price.price_list

    @display(description="From", ordering="effective_at")
    def begins(self, price: Price) -> SafeString | None:
        return moment(price.effective_at)

    @display(description="State", label={"in force": "success", "to come": "info"})
    def state(self, price: Price) -> str:
        if price.effective_at > timezone.now():
            return "to come"
        return "in force" if getattr(price, "in_force", None) == price.pk else "superseded"

    @display(description="Input", ordering="input")
    def input_price(self, price: Price) -> str:
        return dollars(price.input)

    @display(description="Cached input", ordering="cached_input")
    def cached_input_price(self, price: Price) -> str:
        return dollars(price.cached_input)

    @display(description="Cache write", ordering="cache_write")
    def cache_write_price(self, price: Price) -> str:
        return dollars(price.cache_write)

    @display(description="Cache write 1 h", ordering="cache_write_1h")
    def cache_write_1h_price(self, price: Price) -> str:
        return dollars(price.cache_write_1h)

    @display(description="Output", ordering="output")
    def output_price(self, price: Price) -> str:
        return dollars(price.output)

    @display(description="Request", ordering="request")
    def request_price(self, price: Price) -> str:
        return dollars(price.request)

    @display(description="Tiers above")
    def tier_lengths(self, price: Price) -> str:
        return ", ".join(f"{tier['above']:,}" for tier in price.tiers)


@admin.register(PriceList)
class PriceListAdmin(Kept, ModelAdmin[PriceList]):
    """A list's markup may change, which holds from then on; its prices are versions like all others."""

    list_display = ("name", "slug", "markup", "own_prices")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceList]:
        return super().get_queryset(request).annotate(price_count=Count("prices__model", distinct=True))

    @display(description="Markup", ordering="markup_basis_points")
    def markup(self, price_list: PriceList) -> str:
        return f"{Decimal(price_list.markup_basis_points) / 100:+.2f} %"

    @display(description="Models with prices of its own", ordering="price_count")
    def own_prices(self, price_list: PriceList) -> int:
        return int(getattr(price_list, "price_count", 0))


def dollars(price: Decimal | None) -> str:
    """`$0.15`, `$2.50`, `$0.075`: at least two decimals, and as many as there are."""
    if price is None:
        return ""
    whole, _, fraction = f"{price:f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"
