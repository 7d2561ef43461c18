"""Prices are only added, usage is only read, and nothing that others rely on is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Model as Row
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey
from billing.models import Price, PriceList, UsageEvent
from tests.admin.pages import NEVER_DELETED, READ_ONLY, change_url, html, make_usage, run
from tests.factories import make_key, make_price, make_price_list

pytestmark = pytest.mark.django_db


def price_form(**fields: Any) -> dict[str, Any]:
    now = timezone.now()
    known = {"model": "small", "effective_at_0": f"{now:%Y-%m-%d}", "effective_at_1": f"{now:%H:%M:%S}"}
    return {**known, "input": "0.15", "output": "0.60", "tiers": "[]", **fields}


def test_a_new_price_is_a_new_row(staff: Client) -> None:
    old = make_price("small", effective_at=timezone.now() - timedelta(days=1))
    response = staff.post("/admin/billing/price/add/", price_form(tiers='[{"above": 200000, "input": "0.30"}]'))
    assert response.status_code == 302, response.content.decode()
    assert Price.objects.count() == 2
    assert Price.objects.exclude(pk=old.pk).get().input == Decimal("0.15")


def test_the_list_tells_which_price_is_in_force(staff: Client) -> None:
    for days in (-2, -1, 1):
        make_price("small", effective_at=timezone.now() + timedelta(days=days))
    page = html(staff, "/admin/billing/price/")
    assert [page.count(state) for state in ("superseded", "in force", "to come")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"effective_at_0": "2020-01-01"}, "A price cannot begin in the past"),
        ({"tiers": '[{"input": "1"}]'}, "Give a list such as"),
        ({"tiers": '[{"above": 5, "input": "cheap"}]'}, "Give a list such as"),
        ({"tiers": '{"above": 5}'}, "Give a list such as"),
        ({"tiers": "[1]"}, "Give a list such as"),
        ({"input": "-1"}, "greater than or equal to 0"),
        ({"input": "0.0000001"}, "no more than 6 decimal places"),
        ({"request": "0.0000000001"}, "no more than 9 decimal places"),
        ({"input": "0", "output": "0"}, "Say that it is free"),
        ({"free": "on"}, "Say that it is free"),
        ({"free": "on", "input": "0", "output": "0", "request": "1"}, "Say that it is free"),
    ],
)
def test_a_price_that_cannot_be_charged_is_refused(staff: Client, fields: dict[str, str], complaint: str) -> None:
    assert complaint in staff.post("/admin/billing/price/add/", price_form(**fields)).content.decode()
    assert not Price.objects.exists()


def test_the_price_in_force_on_a_list_is_another_one_than_the_providers(staff: Client) -> None:
    customers = make_price_list()
    for days in (-2, -1):
        make_price("small", effective_at=timezone.now() + timedelta(days=days))
        make_price("small", effective_at=timezone.now() + timedelta(days=days), price_list=customers)
    page = html(staff, "/admin/billing/price/")
    assert [page.count(state) for state in ("superseded", "in force")] == [2, 2]


def test_what_is_free_says_so(staff: Client) -> None:
    form = price_form(input="0", output="0", free="on")
    assert staff.post("/admin/billing/price/add/", form).status_code == 302
    assert Price.objects.get().free


@pytest.mark.parametrize(("markup", "outcome"), [("-10000", 302), ("100000", 302), ("-10001", 200), ("100001", 200)])
def test_a_markup_has_bounds(staff: Client, markup: str, outcome: int) -> None:
    form = {"name": "Resellers", "slug": "resellers", "markup_basis_points": markup}
    assert staff.post("/admin/billing/pricelist/add/", form).status_code == outcome
    assert PriceList.objects.exists() == (outcome == 302)


@pytest.mark.parametrize("page", ["billing/price", *READ_ONLY])
def test_money_and_usage_cannot_be_edited_even_by_a_superuser(staff: Client, rows: dict[str, Row], page: str) -> None:
    before = list(type(rows[page]).objects.values())  # type: ignore[attr-defined]  # every model has objects
    assert staff.post(change_url(page, rows), {"model": "other", "input": "0", "output": "0"}).status_code == 403
    assert list(type(rows[page]).objects.values()) == before  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize("page", [*READ_ONLY, "billing/wallet"])
def test_what_happened_cannot_be_made_up(staff: Client, page: str) -> None:
    assert staff.get(f"/admin/{page}/add/").status_code == 403


@pytest.mark.parametrize("page", NEVER_DELETED)
def test_what_others_rely_on_is_never_deleted(staff: Client, rows: dict[str, Row], page: str) -> None:
    row = rows[page]
    assert staff.post(f"/admin/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    run(staff, page, "delete_selected", row)
    assert type(row).objects.filter(pk=row.pk).exists()  # type: ignore[attr-defined]  # every model has objects


Finder = Callable[[UsageEvent], str]


@pytest.mark.parametrize(
    "words",
    [
        lambda event: str(event.request_id),
        lambda event: event.organization.slug,
        lambda event: event.model,
        lambda event: event.model_requested,
        lambda event: event.external_id,
    ],
    ids=["request id", "organisation", "served model", "requested model", "proxy's id"],
)
def test_usage_is_found_by_what_a_customer_would_quote(staff: Client, key: ApiKey, words: Finder) -> None:
    event = make_usage(key, external_id="proxy-1")
    other = make_usage(make_key()[0], model_requested="x", model="y")
    page = html(staff, f"/admin/billing/usageevent/?q={words(event)}")
    assert str(event.request_id) in page
    assert str(other.request_id) not in page


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "ok"), (404, "refused"), (499, "hung-up"), (500, "failed"), (503, "failed")]
)
def test_usage_is_filtered_by_outcome_and_model(staff: Client, key: ApiKey, status: int, outcome: str) -> None:
    event = make_usage(key, status=status)
    make_price("small")
    for name in ("ok", "refused", "hung-up", "failed"):
        found = str(event.request_id) in html(staff, f"/admin/billing/usageevent/?outcome={name}&model=small")
        assert found == (name == outcome)
    assert str(event.request_id) not in html(staff, "/admin/billing/usageevent/?model=other")
