"""What an organisation pays for each model at this moment, for pages: by its price list, else ours and its markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import Organization
from billing import tariffs
from billing.models import Price, PriceList, Wallet
from billing.pricing import PRICES
from billing.quotes import Quote


def quotes(organization: Organization, models: Iterable[str], at: datetime) -> dict[str, Quote]:
    """By model, as the data plane would charge it; a model that has no price is not there."""
    models = list(models)
    terms = list(_terms(organization))
    lists = Q(price_list=None) | Q(price_list__in=[one["price_list_id"] for one in terms if one["price_list_id"]])
    rows = Price.objects.filter(lists, model__in=models).order_by("-effective_at", "-pk")
    columns = ("id", "model", "price_list_id", "effective_at", "tiers", "free", *PRICES)
    book = tariffs.build(list(rows.values(*columns)), terms)
    found = {model: book.quote(model, organization.pk, at) for model in models}
    return {model: quote for model, quote in found.items() if quote is not None}


def _terms(organization: Organization) -> Iterator[dict[str, Any]]:
    """Nothing for whoever pays what all do."""
    wallet = Wallet.objects.of(organization).first()
    if wallet is None:
        return
    of_list = PriceList.objects.filter(pk=wallet.price_list_id).first() if wallet.price_list_id else None
    markup = wallet.markup_basis_points or (of_list.markup_basis_points if of_list else 0)
    if markup or wallet.price_list_id:
        yield {
            "organization_id": organization.pk,
            "price_list_id": wallet.price_list_id,
            "markup_basis_points": markup,
        }
