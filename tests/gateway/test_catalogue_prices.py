"""What models cost their readers: exactly what they are charged."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from accounts.models import Organization, User
from billing import tariffs
from billing.models import Price, Wallet
from billing.usage import Usage
from gateway.catalogue_prices import price_tables
from tests.factories import make_price, make_price_list
from tests.gateway.catalogue_pages import make_served, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

MILLION = 1_000_000


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


def test_prices_are_exact(client: Client) -> None:
    make_served("alpha")
    make_price("alpha", input="0.075", cached_input="0.018750", output="1234.5")
    page = words(client, "/models/")
    assert "$0.075" in page
    assert "$0.01875" in page
    assert "$1,234.50" in page


def test_the_price_in_force_is_shown_and_not_the_next_one(client: Client) -> None:
    make_served("alpha")
    make_price("alpha", input="7", effective_at=datetime(2026, 1, 1, tzinfo=UTC))
    make_price("alpha", input="8", effective_at=datetime(2026, 6, 1, tzinfo=UTC))
    make_price("alpha", input="9", effective_at=datetime(2027, 1, 1, tzinfo=UTC))
    page = words(client, "/models/alpha/")
    assert "$8.00" in page
    assert "$9.00" not in page
    assert "$7.00" not in page


def test_a_model_without_a_price_and_a_free_one_say_so(client: Client) -> None:
    make_served("free")
    make_served("unpriced")
    make_price("free", input="0", output="0")
    page = words(client, "/models/")
    assert "Free" in page
    assert "No price, so not to be used" in page
    assert "model_not_priced" in words(client, "/models/unpriced/")


def test_tiers_and_the_fee_for_a_request_are_shown(client: Client) -> None:
    make_served("alpha")
    make_price("alpha", input="1.25", output="10", request="0.000000001", tiers=[{"above": 200_000, "input": "2.50"}])
    page = words(client, "/models/alpha/")
    assert "Up to 200,000 tokens Above 200,000 tokens Input $1.25 $2.50 Output $10.00 $10.00" in page
    assert "Input read from a cache as input $1.25 $2.50" in page
    assert "And $0.000000001 for each request." in page


def book() -> tariffs.Book:
    """The prices as the data plane reads them."""
    with connection.cursor() as cursor:
        rows = []
        for query in (tariffs._PRICES, tariffs._TERMS):
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            rows.append([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
    return tariffs.build([{**row, "tiers": Price.objects.get(pk=row["id"]).tiers} for row in rows[0]], rows[1])


@pytest.mark.parametrize("markup", [0, 1250, -333])
@pytest.mark.parametrize("list_markup", [None, 0, 500])
@pytest.mark.parametrize("own_price", [False, True])
def test_what_is_shown_is_what_is_charged(
    organization: Organization, markup: int, list_markup: int | None, own_price: bool
) -> None:
    prices = make_price_list(markup_basis_points=list_markup) if list_markup is not None else None
    make_price("alpha", input="1.25", cached_input="0.125", output="10", tiers=[{"above": 200_000, "output": "15"}])
    if own_price and prices:
        make_price("alpha", input="0.9", output="7", reasoning="8", price_list=prices)
    Wallet.objects.create(
        organization=organization, markup_basis_points=markup, price_list_id=prices.pk if prices else None
    )
    table = price_tables(organization)["alpha"]
    quote = book().quote("alpha", organization.pk, datetime.now(UTC))
    assert quote is not None
    last = len(table.tiers)
    # A million tokens of one bucket come to its price; the tier is that of the prompt.
    for usage, shown in [
        (Usage(input=100_000), table.rate("input") / 10),
        (Usage(cache_read=100_000), table.rate("cached_input") / 10),
        (Usage(cache_write_1h=100_000), table.rate("cache_write_1h") / 10),
        (Usage(output=MILLION), table.rate("output")),
        (Usage(reasoning=MILLION), table.rate("reasoning")),
        (Usage(input=300_000, output=MILLION), table.rate("input", last) * 3 / 10 + table.rate("output", last)),
    ]:
        charged = Decimal(quote.charge(usage)) / 10**9
        assert shown <= charged < shown + Decimal("0.000000001")


def test_members_see_their_own_prices_and_the_public_does_not(
    member: Client, organization: Organization, charlie: User
) -> None:
    make_served("alpha")
    make_price("alpha", input="2", output="4")
    Wallet.objects.create(organization=organization, markup_basis_points=1250)
    assert "$2.25" in words(member, "/o/acme/models/")
    assert "12.5 % more than the public ones" in words(member, "/o/acme/models/")
    assert "$2.25" in words(member, "/o/acme/models/alpha/")
    for path in ("/models/", "/models/alpha/"):
        assert "$2.25" not in words(member, path)
        assert "$2.00" in words(member, path)
    stranger = Client()
    stranger.force_login(charlie)
    assert "$2.25" not in words(stranger, "/o/stranger/models/")
    assert stranger.get("/o/acme/models/").status_code == 404
    assert stranger.get("/o/acme/models/alpha/").status_code == 404


def test_a_discount_is_told_as_one(member: Client, organization: Organization) -> None:
    Wallet.objects.create(organization=organization, markup_basis_points=-300)
    assert "3 % less than the public ones" in words(member, "/o/acme/models/")
