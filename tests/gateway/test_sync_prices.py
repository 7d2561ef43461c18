"""sync_prices: shows where prices differ from what vendors list, and writes new versions only when told to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from genai_prices.types import ModelInfo, ModelPrice, Tier, TieredPrices

from billing.models import Price
from gateway import vendor_prices
from tests.factories import make_model, make_price, make_price_list, make_provider, make_route

pytestmark = pytest.mark.django_db
PRICED: dict[str, Any] = {"input_mtok": Decimal("2.50"), "output_mtok": Decimal(10), "cache_read_mtok": Decimal("1.25")}

List = Callable[..., None]


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("sync_prices", *arguments, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> List:
    """Make the package's prices for OpenAI what the test says, by model."""
    snapshot = vendor_prices.package()

    def put(**prices: ModelPrice) -> None:
        models = [
            ModelInfo(id=name, match=None, prices=price)  # type: ignore[arg-type]  # found by its id
            for name, price in prices.items()
        ]
        known = {model.id: model for model in models}

        def find(name: str, vendor: Any, *_: object) -> tuple[Any, ModelInfo]:
            if vendor.id != "openai" or name not in known:
                raise LookupError(name)
            return vendor, known[name]

        monkeypatch.setattr(snapshot, "find_provider_model", find)
        monkeypatch.setattr(vendor_prices, "package", lambda: snapshot)

    return put


def served(name: str, *, kind: str = "openai", base_url: str = "", upstream: str = "", **fields: Any) -> None:
    make_route(make_model(name, **fields), make_provider(kind=kind, base_url=base_url), upstream)


def test_a_difference_is_shown_rate_by_rate_and_nothing_is_written(listed: List) -> None:
    tiers = TieredPrices(base=Decimal("2.50"), tiers=[Tier(start=200_000, price=Decimal(5))])
    listed(small=ModelPrice(**{**PRICED, "input_mtok": tiers, "requests_kcount": Decimal(3)}))
    served("small")
    make_price("small", input="2.50", output="8", reasoning="9", tiers=[{"above": 100, "output": "1.50"}])
    assert run() == [
        "small",
        "  cached_input none -> 1.25",
        "  output 8 -> 10",
        "  reasoning 9 -> none",
        "  request none -> 0.003",
        "  above 100: output 1.5 -> none",
        "  above 200,000: input none -> 5",
        "1 differ, 0 are the same, 0 left alone. Nothing was written; --apply does it.",
    ]
    assert Price.objects.count() == 1


def test_what_is_applied_is_a_new_version_and_the_second_time_there_is_nothing_to_do(listed: List) -> None:
    listed(small=ModelPrice(**PRICED))
    served("small")
    old = make_price("small", effective_at=timezone.now() - timedelta(days=1))
    assert "Written." in run("--apply")[-1]
    newest = Price.objects.exclude(pk=old.pk).get()
    assert (newest.input, newest.output, newest.cached_input) == (Decimal("2.50"), 10, Decimal("1.25"))
    assert run("--apply") == ["0 differ, 1 are the same, 0 left alone."]
    assert Price.objects.count() == 2


def test_tiers_are_written_as_the_registry_writes_them(listed: List) -> None:
    tiers = TieredPrices(base=Decimal(1), tiers=[Tier(start=200, price=Decimal("5.50"))])
    listed(small=ModelPrice(input_mtok=tiers, output_mtok=Decimal(2)))
    served("small")
    run("--apply")
    assert Price.objects.get().tiers == [{"above": 200, "input": "5.50"}]
    assert run() == ["0 differ, 1 are the same, 0 left alone."]


def test_models_can_be_chosen(listed: List) -> None:
    listed(**{name: ModelPrice(**PRICED) for name in ("one", "two", "three")})
    for name in ("one", "two", "three"):
        served(name)
    run("--apply", "--model", "one", "--model", "three")
    assert set(Price.objects.values_list("model", flat=True)) == {"one", "three"}


@pytest.mark.parametrize("kind", ["sandbox", "demonstration"])
def test_what_is_for_trying_things_out_is_never_touched(listed: List, kind: str) -> None:
    listed(small=ModelPrice(**PRICED))
    served("small", sandbox=kind == "sandbox", demonstration=kind == "demonstration")
    assert run("--apply") == ["0 differ, 0 are the same, 0 left alone."]
    with pytest.raises(CommandError, match="--model small: there is no such model"):
        run("--model", "small")


def test_what_is_free_stays_free(listed: List) -> None:
    listed(small=ModelPrice(**PRICED))
    served("small")
    make_price("small", input="0", output="0")
    assert run("--apply")[0] == "left alone: small is free here"
    assert Price.objects.get().free


def test_what_customers_pay_is_not_touched(listed: List) -> None:
    listed(small=ModelPrice(**PRICED))
    served("small")
    make_price("small", input="99", price_list=make_price_list())
    run("--apply")
    assert Price.objects.from_providers().get().input == Decimal("2.50")


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        ({"other": ModelPrice(**PRICED)}, "is not known to the package"),
        ({"small": ModelPrice()}, "costs nothing by the token or the request in the package"),
        ({"small": ModelPrice(input_mtok=Decimal("0.0833333"))}, "has input 0.0833333 in the package, which cannot be"),
    ],
    ids=["unknown", "nothing", "inexact"],
)
def test_what_cannot_be_taken_over_is_said(listed: List, prices: dict[str, ModelPrice], why: str) -> None:
    listed(**prices)
    served("small")
    said = run("--apply")
    assert said[0].startswith(f"left alone: small {why}")
    assert said[-1] == "0 differ, 0 are the same, 1 left alone."
    assert not Price.objects.exists()


def test_a_model_without_routes_is_not_known(listed: List) -> None:
    listed(small=ModelPrice(**PRICED))
    make_model("small")
    assert run()[0] == "left alone: small is not known to the package"


def test_embeddings_cost_nothing_to_give_back(listed: List) -> None:
    listed(small=ModelPrice(input_mtok=Decimal("0.02")))
    served("small")
    run("--apply")
    assert (Price.objects.get().output, Price.objects.get().free) == (0, False)


@pytest.mark.parametrize(
    ("provider", "known"),
    [
        ({"kind": "openai"}, True),
        ({"kind": "openai", "base_url": "https://proxy.example/v1"}, True),
        ({"kind": "openai_compatible", "base_url": "https://api.openai.com/v1"}, True),
        ({"kind": "openai_compatible", "base_url": "http://127.0.0.1:8000/v1"}, False),
        ({"kind": "anthropic"}, False),
        ({"kind": "of long ago"}, False),
    ],
    ids=str,
)
def test_a_server_is_known_by_its_address_or_its_kind(listed: List, provider: dict[str, str], known: bool) -> None:
    listed(small=ModelPrice(**PRICED))
    served("public/name", vendor_id="small", upstream="deployment-7", **provider)
    assert (run()[0] == "public/name") is known


def test_a_model_is_also_known_by_the_name_that_the_server_has_for_it(listed: List) -> None:
    listed(small=ModelPrice(**PRICED))
    served("mine", upstream="small")
    assert run()[0] == "mine"


@pytest.mark.parametrize(
    ("kind", "base_url", "model"),
    [
        ("openai", "", "gpt-4o"),
        ("anthropic", "", "claude-opus-4-5"),
        ("gemini", "", "gemini-2.5-flash"),
        ("openai_compatible", "https://api.deepseek.com/v1", "deepseek-chat"),
        ("openai_compatible", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
    ],
)
def test_the_package_itself_knows_the_vendors(kind: str, base_url: str, model: str) -> None:
    served(model, kind=kind, base_url=base_url)
    run("--apply")
    assert Price.objects.get(model=model).input > 0


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    with pytest.raises(CommandError, match="pip install genai-prices"):
        run()
