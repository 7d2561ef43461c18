"""The prices of a registry file: other numbers are a new version, and what costs nothing says that it is free."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from billing.models import Price
from tests.factories import make_price, make_price_list
from tests.gateway.registry_files import OPENAI, PRICES, SMALL, Sync

FREE = SMALL[: SMALL.index("prices")] + "prices = { free = true }\n" + SMALL[SMALL.index("routes") :]


@pytest.fixture
def sync(db: None, tmp_path: Path) -> Sync:
    return Sync(tmp_path)


def test_the_same_numbers_written_otherwise_are_not_a_new_price(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    sync(OPENAI + SMALL.replace('"0.15"', '"0.150"').replace('"0.30"', '"0.3"'))
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"0.15"', '"0.20"', "input 0.15 -> 0.2"), ('"0.30"', '"0.40"', "tiers"), ("200", "300", "tiers")],
    ids=["a rate", "a tier's rate", "a tier's length"],
)
def test_other_numbers_are_a_new_version_and_the_old_one_stays(sync: Sync, old: str, new: str, said: str) -> None:
    sync(OPENAI + SMALL)
    first = Price.objects.get()
    assert f"new price ({said})" in sync(OPENAI + SMALL.replace(old, new))
    newest, kept = Price.objects.all()
    assert kept.pk == first.pk
    assert (kept.input, kept.tiers) == (first.input, first.tiers)
    assert first.effective_at < newest.effective_at <= timezone.now()


def test_a_price_that_is_to_come_is_left_to_come(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    make_price("small", input="9", effective_at=timezone.now() + timedelta(days=1))
    sync(OPENAI + SMALL)
    assert Price.objects.count() == 2


def test_prices_that_the_file_leaves_out_belong_to_the_admin(sync: Sync) -> None:
    bare = "\n".join(line for line in SMALL.splitlines() if not line.startswith("prices"))
    sync(OPENAI + bare)
    assert not Price.objects.exists()
    make_price("small", input="9")
    sync(OPENAI + bare)
    assert Price.objects.get().input == 9


def test_free_alone_is_enough(sync: Sync) -> None:
    sync(OPENAI + FREE)
    price = Price.objects.get()
    assert (price.free, price.input, price.output, price.request, price.tiers) == (True, 0, 0, None, [])
    sync(OPENAI + FREE)
    assert Price.objects.count() == 1


def test_what_becomes_free_is_a_new_version(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    assert "new price (tiers)" in sync(OPENAI + FREE)
    assert [price.free for price in Price.objects.all()] == [True, False]


def test_all_rates_and_the_fee_become_columns(sync: Sync) -> None:
    rare = ("audio_input", "image_input", "reasoning", "audio_output", "image_output", "request")
    written = ", ".join(f'{rate} = "{number}"' for number, rate in enumerate(rare, start=1))
    sync(OPENAI + SMALL.replace('output = "0.60"', f'output = "0.60", {written}'))
    price = Price.objects.get()
    assert [getattr(price, rate) for rate in rare] == [1, 2, 3, 4, 5, 6]
    assert "new price (request 6 -> none)" in sync(
        OPENAI + SMALL.replace('output = "0.60"', f'output = "0.60", {written}').replace(', request = "6"', "")
    )


def test_a_model_that_costs_nothing_to_answer_is_not_free_when_its_prompt_costs(sync: Sync) -> None:
    sync(OPENAI + SMALL.replace('output = "0.60"', 'output = "0"'))
    assert not Price.objects.get().free


def test_what_customers_pay_is_not_the_files(sync: Sync) -> None:
    make_price("small", input="9", price_list=make_price_list())
    assert "created model small" in sync(OPENAI + SMALL)
    assert sync(OPENAI + SMALL).startswith("0 created, 0 changed")
    assert Price.objects.from_providers().count() == 1


@pytest.mark.parametrize(
    ("prices", "complaint"),
    [
        ('{ input = "0", output = "0.00" }', "prices: free is missing: nothing costs anything here. Write"),
        ('{ free = false, input = "0", output = "0" }', "prices: free is missing: nothing costs anything here"),
        ('{ input = "0", output = "0", tiers = [{ above = 9, input = "0" }] }', "prices: free is missing"),
        ('{ free = true, output = "1" }', "prices: output and free = true exclude each other: keep one."),
        ('{ free = true, tiers = [{ above = 9, input = "1" }] }', "prices: tiers and free = true exclude"),
        ('{ free = "yes" }', "prices: free must be true or false"),
        ('{ input = "1", output = "1", request = "0.0000000001" }', "request is 1E-10: Ensure that there are"),
        ('{ input = "1", output = "1", tiers = [{ above = 9, request = "1" }] }', "request is not a field of"),
    ],
)
def test_what_is_wrong_with_prices_is_named(sync: Sync, prices: str, complaint: str) -> None:
    assert complaint in sync.complaint(OPENAI + SMALL.replace(PRICES, prices))
    assert not Price.objects.exists()
