"""The shipped registry keeps the API reference's promises, and its numbers are the vendors'."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from gateway import lifecycle
from gateway.capability_words import WORDS
from gateway.lifecycle import Lifecycle
from gateway.providers import providers
from gateway.providers.openai import OpenAI
from gateway.providers.sandbox import BEHAVIOURS
from gateway.providers.sandbox_prompts import EMBEDDING
from gateway.registry_file import ModelEntry, parse

PATH = Path(__file__).parents[2] / "gateway" / "registry.toml"
FILE = parse(PATH.read_text(encoding="utf-8"), name=PATH.name)
MODELS = {model.id: model for model in FILE.models}
TODAY = date(2026, 11, 23)
PRICED_AT = datetime(2026, 11, 22, tzinfo=UTC)

REFERENCE = [
    ("gpt-4o", "openai", "Most capable GPT-4 model"),
    ("gpt-4o-mini", "openai", "Affordable, fast GPT-4 model"),
    ("gpt-4-turbo", "openai", "GPT-4 Turbo with vision capabilities"),
    ("gpt-4", "openai", "Original GPT-4 model"),
    ("gpt-3.5-turbo", "openai", "Fast and cost-effective"),
    ("o1", "openai", "Reasoning model for complex tasks"),
    ("o1-mini", "openai", "Smaller, faster reasoning model"),
    ("claude-opus-4-5-20250514", "anthropic", "Most capable Claude model"),
    ("claude-sonnet-4-5-20250514", "anthropic", "Balanced performance and speed"),
    ("claude-sonnet-4-20250514", "anthropic", "Latest Sonnet model"),
    ("claude-3-5-sonnet-20241022", "anthropic", "Claude 3.5 Sonnet"),
    ("claude-3-5-haiku-20241022", "anthropic", "Fast and efficient"),
    ("claude-3-opus-20240229", "anthropic", "Claude 3 Opus"),
    ("claude-3-haiku-20240307", "anthropic", "Claude 3 Haiku"),
]
CLAUDE = {
    "sampling", "thinking", "efforts", "forced_tool_choice", "mid_conversation_system", "prefill",
    "json_schema", "vision", "image_urls", "tools", "pdf", "reasoning",
}  # fmt: skip
EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh", "max"}
RATES = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "output": "output_mtok",
}


def stage(model: ModelEntry) -> Lifecycle:
    return lifecycle.of(
        vendor_id=model.vendor_id,
        deprecated_on=model.deprecated_on,
        shutdown_on=model.shutdown_on,
        vendor_gone=False,
        today=TODAY,
    )


def test_the_models_of_the_reference_come_first_word_for_word() -> None:
    shipped = [(model.id, model.owned_by, model.description) for model in FILE.models]
    assert shipped[: len(REFERENCE)] == REFERENCE


@pytest.mark.parametrize("name", [name for name, _, _ in REFERENCE])
def test_every_promised_name_is_answered_by_a_living_model(name: str) -> None:
    model = MODELS[name]
    while stage(model) is Lifecycle.RETIRED:
        assert model.successor is not None, f"{model.id} is retired and leads nowhere"
        model = MODELS[model.successor]
    assert model.routes
    assert model.owned_by == MODELS[name].owned_by


@pytest.mark.parametrize("name", ["claude-opus-4-5-20250514", "claude-sonnet-4-5-20250514"])
def test_a_name_that_the_vendor_never_had_is_retired_from_the_start(name: str) -> None:
    assert MODELS[name].vendor_id == ""
    assert not MODELS[name].routes
    assert stage(MODELS[name]) is Lifecycle.RETIRED


def test_what_still_lives_is_not_called_retired() -> None:
    assert [name for name, _, _ in REFERENCE if stage(MODELS[name]) is not Lifecycle.RETIRED] == [
        "gpt-4o",
        "gpt-4o-mini",
    ]


def vendor_prices(model: ModelEntry) -> Any:
    """What the price list of the package says: prices by rate, then those above a prompt length."""
    known = model.id.replace("-4-5-20250514", "-4-5")
    provider, found = get_snapshot().find_provider_model(known, None, model.owned_by, None)
    listed = found.get_prices(PRICED_AT)
    base, tiers = dict[str, Decimal](), dict[int, dict[str, Decimal]]()
    for rate, column in RATES.items():
        price = getattr(listed, column)
        if isinstance(price, TieredPrices):
            base[rate] = price.base
            for tier in price.tiers:
                tiers.setdefault(tier.start, {})[rate] = tier.price
        elif price is not None:
            base[rate] = price
    assert provider.id == model.owned_by
    return {"output": Decimal(0), **base}, tiers


@pytest.mark.parametrize("model", [m for m in FILE.models if m.owned_by in {"openai", "anthropic"}], ids=lambda m: m.id)
def test_prices_are_those_of_the_vendor(model: ModelEntry) -> None:
    assert model.prices is not None
    base = {rate: price for rate, price in model.prices.rates.items() if price is not None}
    tiers = {
        tier["above"]: {rate: Decimal(price) for rate, price in tier.items() if rate != "above"}
        for tier in model.prices.tiers
    }
    assert (base, tiers) == vendor_prices(model)


@pytest.mark.parametrize("model", [m for m in FILE.models if m.owned_by == "anthropic"], ids=lambda m: m.id)
def test_each_claude_says_all_that_its_translation_asks(model: ModelEntry) -> None:
    assert set(model.capabilities) == CLAUDE
    assert model.capabilities["sampling"] in {"both", "one", "none"}
    assert model.capabilities["thinking"] in {"adaptive", "manual", "none"}


@pytest.mark.parametrize("model", [m for m in FILE.models if not m.capabilities.get("embeddings")], ids=lambda m: m.id)
def test_each_model_says_what_it_reads_and_whether_it_calls_tools_and_reasons(model: ModelEntry) -> None:
    assert {"vision", "tools", "json_schema", "reasoning"} <= set(model.capabilities)
    assert set(model.capabilities) <= set(WORDS)
    assert set(model.capabilities.get("efforts", [])) <= EFFORTS
    if "thinking" in model.capabilities:
        assert model.capabilities["reasoning"] == (model.capabilities["thinking"] != "none")


def claude(sampling: str, thinking: str, *, forced: bool, middle: bool, prefill: bool, longest: int) -> dict[str, Any]:
    return {
        "sampling": sampling,
        "thinking": thinking,
        "forced_tool_choice": forced,
        "mid_conversation_system": middle,
        "prefill": prefill,
        "json_schema": True,
        "max_output_tokens": longest,
    }


BUDGETS = claude("one", "manual", forced=True, middle=False, prefill=True, longest=64000)
FIRST_ADAPTIVE = claude("one", "adaptive", forced=True, middle=False, prefill=False, longest=128000)
UNSAMPLED = claude("none", "adaptive", forced=True, middle=False, prefill=False, longest=128000)
CURRENT = claude("none", "adaptive", forced=True, middle=True, prefill=False, longest=128000)
UNFORCED = claude("none", "adaptive", forced=False, middle=True, prefill=False, longest=128000)
GENERATIONS = {
    "claude-haiku-4-5": BUDGETS, "claude-sonnet-4-5": BUDGETS, "claude-opus-4-5": BUDGETS,
    "claude-sonnet-4-6": FIRST_ADAPTIVE, "claude-opus-4-6": FIRST_ADAPTIVE,
    "claude-opus-4-7": UNSAMPLED,
    "claude-opus-4-8": CURRENT, "claude-sonnet-5": CURRENT, "claude-opus-5": CURRENT, "claude-fable-5": CURRENT,
    "claude-haiku-5-5": CURRENT,
    "claude-sonnet-5-5": UNFORCED, "claude-opus-5-5": UNFORCED, "claude-fable-5-1": UNFORCED,
    "claude-fable-5-2": UNFORCED,
}  # fmt: skip


@pytest.mark.parametrize("name", GENERATIONS)
def test_each_claude_is_asked_what_its_generation_takes(name: str) -> None:
    said = {**MODELS[name].capabilities, "max_output_tokens": MODELS[name].max_output_tokens}
    assert {field: said[field] for field in GENERATIONS[name]} == GENERATIONS[name]


@pytest.mark.parametrize("model", [m for m in FILE.models if m.owned_by == "openai"], ids=lambda m: m.id)
def test_a_route_to_openai_takes_away_what_the_model_is_said_to_lack(model: ModelEntry) -> None:
    can, options = model.capabilities, model.routes[0].options if model.routes else {}
    always, unless_none = set(options.get("drop", ())), set(options.get("drop_unless_effort_none", ()))
    assert bool(options.get("rename_max_tokens")) == bool(can.get("reasoning"))
    assert ({"temperature", "top_p"} <= always) == (can.get("sampling") == "none")
    assert ({"temperature", "top_p"} <= unless_none) == (can.get("sampling") == "without_reasoning")
    assert ({"logprobs", "top_logprobs"} <= always) == (can.get("logprobs") is False)
    assert ({"logprobs", "top_logprobs"} <= unless_none) == (can.get("logprobs") == "without_reasoning")
    assert ("none" in can.get("efforts", ())) == bool(unless_none) == (can.get("tools") == "without_reasoning")


def test_every_behaviour_of_the_sandbox_is_a_model_that_is_described_and_free() -> None:
    sandbox = [model for model in FILE.models if model.sandbox]
    assert {model.id for model in sandbox} == {f"sandbox/{name}" for name in (*BEHAVIOURS, EMBEDDING)}
    for model in sandbox:
        assert model.routes is not None
        assert [route.upstream_model for route in model.routes] == [model.id.removeprefix("sandbox/")]
        assert re.fullmatch(r"[A-Z][^.]+\.", model.description)
        assert model.prices is not None
        assert not any(model.prices.rates.values())


def test_the_local_model_is_marked_as_a_demonstration_and_answers_in_english() -> None:
    local = MODELS["local/smollm2-135m"]
    provider = next(entry for entry in FILE.providers if entry.slug == "local")
    assert local.demonstration
    assert "English" in local.default_system_prompt
    assert (provider.base_url_env, provider.needs_credential) == ("LOCAL_MODEL_URL", False)


def test_the_examples_that_are_commented_out_would_work() -> None:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# [[provider]]"))
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("#"))
    examples = parse("\n".join(line.removeprefix("#").strip() for line in lines[start:end]), name="examples")
    speaks = {kind for kind, provider in providers().items() if isinstance(provider, OpenAI)}
    assert {provider.kind for provider in examples.providers} == speaks - {"openai", "sandbox"}
    assert not {provider.slug for provider in examples.providers} & {provider.slug for provider in FILE.providers}
