"""Price rows: free says so, a version is there once, and nobody changes what was written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from billing.models import Price, PriceList
from billing.pricing import RATES
from tests.factories import make_price, make_price_list

pytestmark = pytest.mark.django_db
NOTHING = {"input": Decimal(0), "output": Decimal(0)}


@pytest.mark.parametrize(
    "costs",
    [*({rate: Decimal("0.000001")} for rate in RATES), {"request": Decimal("0.000000001")}, {"tiers": [{"above": 1}]}],
    ids=lambda costs: "".join(costs),
)
def test_what_costs_something_is_not_free_and_the_rest_must_say_that_it_is(costs: dict[str, Any]) -> None:
    Price.objects.create(model="small", **{**NOTHING, **costs})
    with pytest.raises(IntegrityError, match="price_free_is_said"):
        Price.objects.create(model="small", free=True, **{**NOTHING, **costs})


@pytest.mark.parametrize("nothing", [{}, {"request": Decimal(0)}, dict.fromkeys(RATES, Decimal(0))], ids=str)
def test_zeros_that_do_not_say_free_are_refused(nothing: dict[str, Any]) -> None:
    Price.objects.create(model="small", free=True, **{**NOTHING, **nothing})
    with pytest.raises(IntegrityError, match="price_free_is_said"):
        Price.objects.create(model="small", **{**NOTHING, **nothing})


def test_a_version_is_there_once_a_list() -> None:
    now, customers = timezone.now(), make_price_list()
    for price_list in (None, customers, make_price_list()):
        make_price("small", effective_at=now, price_list=price_list)
    for price_list in (None, customers):
        with pytest.raises(IntegrityError, match="price_version_unique"), transaction.atomic():
            make_price("small", effective_at=now, price_list=price_list)


def test_a_price_is_never_changed_or_deleted() -> None:
    price = make_price("small")
    for change in (
        lambda: Price.objects.update(input=9),
        lambda: Price.objects.filter(pk=price.pk).delete(),
        price.save,
        lambda: connection.cursor().execute("UPDATE billing_price SET model = model"),
    ):
        with pytest.raises(IntegrityError, match="A price is never changed or deleted"), transaction.atomic():
            change()
    assert Price.objects.get().input == 1


def test_a_test_that_commits_can_still_clean_up() -> None:
    make_price("small")
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE billing_price CASCADE")
    assert not Price.objects.exists()


def test_what_providers_ask_is_apart_from_what_customers_pay() -> None:
    day = timedelta(days=1)
    make_price("small", input="1", effective_at=timezone.now() - 2 * day)
    make_price("small", input="2", effective_at=timezone.now() - day)
    make_price("small", input="3", effective_at=timezone.now() + day)
    make_price("small", input="4", price_list=make_price_list())
    make_price("large", input="5")
    assert {model: price.input for model, price in Price.objects.in_force().items()} == {"small": 2, "large": 5}


@pytest.mark.parametrize("markup", [-10_001, 100_001])
def test_a_markup_has_bounds(markup: int) -> None:
    with pytest.raises(IntegrityError, match="price_list_markup_bounds"):
        make_price_list(markup_basis_points=markup)


def test_a_list_with_prices_stays() -> None:
    price_list = make_price_list()
    make_price("small", price_list=price_list)
    with pytest.raises(ProtectedError):
        price_list.delete()
    assert PriceList.objects.exists()
