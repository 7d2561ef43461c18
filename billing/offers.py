"""What an organisation pays for each model at this moment, for pages: by its price list, else ours and its markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from accounts.models import Organization
from billing import tariffs
from billing.models import Price, PriceList, Wallet
from billing.pricing import PRICES
from billing.quotes import Quote


@dataclass(frozen=True, slots=True)
class Terms:
    """How a customer's prices come about."""

    price_list: PriceList | None = None
    markup_basis_points: int = 0

    @property
    def usual(self) -> bool:
        return self.price_list is None and not self.markup_basis_points


def terms_of(organization: Organization | None) -> Terms:
    """As `billing.tariffs` reads them: a wallet's own markup before that of its price list."""
    if organization is None:
        return Terms()
    wallet = Wallet.objects.filter(organization=organization).first()
    if wallet is None:
        return Terms()
    found = PriceList.objects.filter(pk=wallet.price_list_id).first() if wallet.price_list_id else None
    return Terms(found, wallet.markup_basis_points or (found.markup_basis_points if found else 0))


def quotes(organization: Organization, models: Iterable[str], at: datetime) -> dict[str, Quote]:
    """By model, as the data plane would charge it; a model that has no price is not there."""
    models = list(models)
    terms = terms_of(organization)
    lists = Q(price_list=None) | Q(price_list=terms.price_list) if terms.price_list else Q(price_list=None)
    rows = Price.objects.filter(lists, model__in=models).order_by("-effective_at", "-pk")
    columns = ("id", "model", "price_list_id", "effective_at", "tiers", "free", *PRICES)
    ours = {
        "organization_id": organization.pk,
        "price_list_id": terms.price_list.pk if terms.price_list else None,
        "markup_basis_points": terms.markup_basis_points,
    }
    book = tariffs.build(list(rows.values(*columns)), [] if terms.usual else [ours])
    found = {model: book.quote(model, organization.pk, at) for model in models}
    return {model: quote for model, quote in found.items() if quote is not None}
