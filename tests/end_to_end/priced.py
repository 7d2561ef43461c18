"""Models whose prices are easy to reckon with, behind the same fakes, and customers with terms of their own."""

from __future__ import annotations

from accounts.models import Organization
from billing.models import Price, Wallet
from gateway.models import Model, Provider
from tests.end_to_end.registry import CLAUDE, GPT
from tests.factories import make_model, make_organization, make_price, make_price_list, make_provider, make_route
from tests.fakes.openai import FakeOpenAI

FEE, OUTPUT = "fee-only", "output-only"  # half a dollar a request; ten dollars for a million tokens of output
SHORT, COMPATIBLE, SHORT_CLAUDE = "short-answers", "compatible", "short-claude"  # as GPT; the short ones end at 4096
GONE = "gone-today"  # its vendor does not know it any more; GPT is its successor
UNPRICED = "without-price"
LIMIT = 4096
RESOLD, LISTED = "resold", "listed"  # organisations: a markup of 25 per cent; a price list with one of ten
MARKUP, LIST_MARKUP = 2500, 1000


def seed(openai: FakeOpenAI) -> None:
    vendor = Provider.objects.get(slug="openai")
    other = make_provider(
        "compatible", kind="openai_compatible", base_url=openai.base_url, api_key_env="OPENAI_API_KEY"
    )
    _serve(FEE, vendor, input="0", output="0", request="0.5")
    _serve(OUTPUT, vendor, input="0", output="10")
    _serve(SHORT, vendor, limit=LIMIT)
    _serve(COMPATIBLE, other, limit=LIMIT)
    _serve(SHORT_CLAUDE, Provider.objects.get(slug="anthropic"), upstream=CLAUDE, limit=LIMIT)
    gone = _serve(GONE, vendor, upstream="unknown-to-its-vendor", input="100", output="200")
    Model.objects.filter(pk=gone.pk).update(successor_id=GPT)
    make_route(make_model(UNPRICED), vendor, GPT)
    _customers()


def _serve(name: str, provider: Provider, *, upstream: str = GPT, limit: int | None = None, **prices: str) -> Model:
    model = make_model(name, max_output_tokens=limit)
    make_route(model, provider, upstream)
    make_price(name, **prices)
    return model


def _customers() -> None:
    Wallet.objects.create(organization=make_organization(RESOLD), markup_basis_points=MARKUP)
    customers = make_price_list(LISTED, markup_basis_points=LIST_MARKUP)
    make_price(GPT, input="30", output="40", price_list=customers)
    Wallet.objects.create(organization=make_organization(LISTED), price_list_id=customers.pk)


def customer(slug: str) -> Organization:
    return Organization.objects.get(slug=slug)


def price_of(model: str) -> Price:
    """What its provider asks."""
    return Price.objects.get(model=model, price_list=None)
