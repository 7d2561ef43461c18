"""What vendors really counted, priced by hand: read where the recordings lie beside the checkout.

Prices are round numbers, so that the arithmetic can be followed: a dollar a million tokens is 1,000 nano-dollars a
token. Each bucket has a price of its own, so that a token in the wrong one shows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.pricing import tariff
from billing.usage import Usage
from gateway.providers.anthropic import Anthropic
from gateway.providers.base import Provider
from gateway.providers.gemini import Gemini
from gateway.providers.openai import OpenAI
from gateway.providers.openai_compatible import OpenAICompatible
from tests.gateway import streams
from tests.gateway.transcripts import Case, cases

# In nano-dollars a token: input 3,000; cached 300; written 3,750, for an hour 6,000; output 15,000; reasoning 20,000.
PRICES = {
    "input": Decimal(3),
    "cached_input": Decimal("0.30"),
    "cache_write": Decimal("3.75"),
    "cache_write_1h": Decimal(6),
    "audio_input": Decimal(100),
    "image_input": Decimal(200),
    "output": Decimal(15),
    "reasoning": Decimal(20),
    "audio_output": Decimal(300),
    "image_output": Decimal(400),
}
TARIFF = tariff(version=1, model="m", prices=PRICES)
VENDORS: dict[str, Provider] = {
    "openai-chat": OpenAI(),
    "openai-compatible": OpenAICompatible(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
}
EXPECTED: dict[str, tuple[Usage, int]] = {
    # -- OpenAI: cached tokens are part of the prompt, reasoning is part of the completion ----------------------
    # 1,149 of which 1,024 cached: 125 * 3,000 = 375,000; 1,024 * 300 = 307,200; 353 * 15,000 = 5,295,000
    "openai-chat/prompt-cache-json": (Usage(input=125, cache_read=1024, output=353), 5_977_200),
    # 19 * 3,000 = 57,000; 84 of which 64 reasoned: 20 * 15,000 = 300,000; 64 * 20,000 = 1,280,000
    "openai-chat/reasoning-json": (Usage(input=19, output=20, reasoning=64), 1_637_000),
    # 20 * 3,000 = 60,000; 2 * 15,000 = 30,000
    "openai-chat/text-stream": (Usage(input=20, output=2), 90_000),
    # 26 * 3,000 = 78,000; 133 * 15,000 = 1,995,000: both choices
    "openai-chat/two-choices-stream": (Usage(input=26, output=133), 2_073_000),
    # 12 * 3,000 = 36,000; all 100 reasoned: 100 * 20,000 = 2,000,000
    "openai-chat/length-stream": (Usage(input=12, reasoning=100), 2_036_000),
    # 61 * 3,000 = 183,000; 16 * 15,000 = 240,000
    "openai-chat/tool-single-stream": (Usage(input=61, output=16), 423_000),
    # 106 * 3,000 = 318,000; 50 * 15,000 = 750,000
    "openai-chat/tools-parallel-stream": (Usage(input=106, output=50), 1_068_000),
    # 172 * 3,000 = 516,000; 20 * 15,000 = 300,000
    "openai-chat/tools-parallel-stream-turn2": (Usage(input=172, output=20), 816_000),
    # 99 * 3,000 = 297,000; 13 * 15,000 = 195,000
    "openai-chat/structured-output-stream": (Usage(input=99, output=13), 492_000),
    # 15 * 3,000 = 45,000; 78 of which 64 reasoned: 14 * 15,000 = 210,000; 64 * 20,000 = 1,280,000
    "openai-chat/azure-router-stream": (Usage(input=15, output=14, reasoning=64), 1_535_000),
    # -- Anthropic: both caches are beside the input; the last count of a stream holds ---------------------------
    # 10 * 3,000 = 30,000; 7,351 * 3,750 = 27,566,250; 4 * 15,000 = 60,000
    "anthropic/cache-write-json": (Usage(input=10, cache_write_5m=7351, output=4), 27_656_250),
    # 10 * 3,000 = 30,000; 7,351 * 300 = 2,205,300; 4 * 15,000 = 60,000
    "anthropic/cache-read-json": (Usage(input=10, cache_read=7351, output=4), 2_295_300),
    # It does not tell thinking apart from the rest: 43 * 3,000 = 129,000; 282 * 15,000 = 4,230,000
    "anthropic/thinking-stream": (Usage(input=43, output=282), 4_359_000),
    # 424 * 3,000 = 1,272,000; 118 * 15,000 = 1,770,000
    "anthropic/thinking-tool-json": (Usage(input=424, output=118), 3_042_000),
    # 424 * 3,000 = 1,272,000; 119 * 15,000 = 1,785,000
    "anthropic/thinking-tool-stream": (Usage(input=424, output=119), 3_057_000),
    # 558 * 3,000 = 1,674,000; 51 * 15,000 = 765,000
    "anthropic/thinking-tool-stream-turn2": (Usage(input=558, output=51), 2_439_000),
    # 92 * 3,000 = 276,000; 189 * 15,000 = 2,835,000
    "anthropic/redacted-thinking-stream": (Usage(input=92, output=189), 3_111_000),
    # It begins with 43 and ends with 61: 61 * 3,000 = 183,000; 2 * 15,000 = 30,000
    "anthropic/usage-input-only-in-delta-stream": (Usage(input=61, output=2), 213_000),
    # It begins with 2,049 and the search adds what it read: 13,520 * 3,000 = 40,560,000; 415 * 15,000 = 6,225,000
    "anthropic/web-search-stream": (Usage(input=13_520, output=415), 46_785_000),
    # -- Gemini: thoughts are beside the candidates -------------------------------------------------------------
    # 11 * 3,000 = 33,000; 2 * 15,000 = 30,000; 24 * 20,000 = 480,000
    "gemini/text-json": (Usage(input=11, output=2, reasoning=24), 543_000),
    # 11 * 3,000 = 33,000; 2 * 15,000 = 30,000; 21 * 20,000 = 420,000
    "gemini/text-stream": (Usage(input=11, output=2, reasoning=21), 483_000),
    # 125 * 3,000 = 375,000; 36 * 15,000 = 540,000; 342 * 20,000 = 6,840,000
    "gemini/tools-thought-json": (Usage(input=125, output=36, reasoning=342), 7_755_000),
    # Each event counts all so far, the last one holds: 11 * 3,000 = 33,000; 39 * 15,000 = 585,000;
    # 206 * 20,000 = 4,120,000
    "gemini/thought-signature-stream": (Usage(input=11, output=39, reasoning=206), 4_738_000),
    # 121 * 3,000 = 363,000; 36 * 15,000 = 540,000; 38 * 20,000 = 760,000
    "gemini/tools-parallel-stream": (Usage(input=121, output=36, reasoning=38), 1_663_000),
    # -- servers that speak OpenAI's format ---------------------------------------------------------------------
    # DeepSeek, nothing cached: 11 * 3,000 = 33,000; 8 * 15,000 = 120,000
    "openai-compatible/deepseek-text-stream": (Usage(input=11, output=8), 153_000),
    # xAI counts reasoning beside the completion: 466 of which 192 cached: 274 * 3,000 = 822,000; 192 * 300 = 57,600;
    # 68 * 15,000 = 1,020,000; 266 * 20,000 = 5,320,000
    "openai-compatible/xai-tools-stream": (Usage(input=274, cache_read=192, output=68, reasoning=266), 7_219_600),
    # Groq says it twice, in `x_groq` and outside, and it counts once: 20 * 3,000 = 60,000; 4 * 15,000 = 60,000
    "openai-compatible/groq-text-stream": (Usage(input=20, output=4), 120_000),
    # 201 * 3,000 = 603,000; 58 * 15,000 = 870,000
    "openai-compatible/groq-tools-stream": (Usage(input=201, output=58), 1_473_000),
    # Mistral, which does not tell thinking apart: 31 * 3,000 = 93,000; 66 * 15,000 = 990,000
    "openai-compatible/mistral-thinking-stream": (Usage(input=31, output=66), 1_083_000),
    # OpenRouter: 685 * 3,000 = 2,055,000; 120 * 15,000 = 1,800,000
    "openai-compatible/openrouter-claude-tools-stream": (Usage(input=685, output=120), 3_855_000),
    # It fails half way, and counts 11 reasoned of 10 in all: 43 * 3,000 = 129,000; 10 * 20,000 = 200,000
    "openai-compatible/openrouter-comments-and-error-stream": (Usage(input=43, reasoning=10), 329_000),
    # llama.cpp: 139 * 3,000 = 417,000; 58 * 15,000 = 870,000
    "openai-compatible/llamacpp-tool-json": (Usage(input=139, output=58), 1_287_000),
}
SILENT = {"openai-compatible/anthropic-compat-endpoint-tool-stream", "openai-compatible/groq-error-mid-stream"}
RECORDED = [case for vendor in VENDORS for case in cases(vendor)]


def counts(case: Case) -> Usage | None:
    """As the vendor's module reads them from the recording."""
    vendor = case.name.split("/")[0]
    provider = VENDORS[vendor]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": case.stream}
    call = streams.call(body, kind=provider.kind)
    if not case.stream:
        return provider.response(call, case.body).usage
    translator = streams.run(provider, call, [case.body]).translator
    assert translator is not None
    return translator.usage


@pytest.mark.parametrize(("usage", "nano"), EXPECTED.values(), ids=list(EXPECTED))
def test_the_tariff_does_the_same_arithmetic_as_a_hand(usage: Usage, nano: int) -> None:
    assert TARIFF.cost(usage) == nano


@pytest.mark.parametrize("case", [case for case in RECORDED if case.name in EXPECTED], ids=str)
def test_a_recorded_answer_has_the_counts_that_the_hand_started_from(case: Case) -> None:
    assert counts(case) == EXPECTED[case.name][0]


@pytest.mark.parametrize("case", [case for case in RECORDED if case.name in SILENT], ids=str)
def test_a_recording_without_counts_has_none(case: Case) -> None:
    assert counts(case) is None


@pytest.mark.skipif(not RECORDED, reason="the recordings do not lie beside this checkout")
def test_every_expectation_has_its_recording() -> None:
    assert {*EXPECTED, *SILENT} <= {case.name for case in RECORDED}


@pytest.mark.parametrize("provider", [OpenAI(), OpenAICompatible()], ids=["OpenAI", "compatible"])
@pytest.mark.parametrize("usage", ["", ', "usage": null'], ids=["left out", "null"])
def test_usage_that_is_absent_is_not_a_count_of_nothing(provider: Provider, usage: str) -> None:
    body = f'{{"choices": [{{"index": 0, "message": {{"content": "hi"}}, "finish_reason": "stop"}}]{usage}}}'
    assert provider.response(streams.call({"messages": []}), body.encode()).usage is None
