"""The models that the end-to-end tests call, and the fakes behind them."""

from __future__ import annotations

from datetime import date

from gateway.models import Model, Provider
from tests.factories import make_model, make_price, make_provider, make_route
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.openai import FakeOpenAI

GPT, CLAUDE, OLD = "gpt-test", "claude-test", "gpt-retired"
SLASHED = "vendor/family/model.v1:latest@2026"
UNCONFIGURED, BROKEN = "without-credential", "broken-inside"
FALLBACK = "two-routes"
EMBEDDING, INSTRUCT = "embedding-test", "instruct-test"
UNSET = "CREDENTIAL_THAT_NO_TEST_SETS"
SANDBOX = ("echo", "slow", "length", "tool", "refuse", "rate-limit", "error", "stream-error", "stream-cut", "embedding")

KNOWN_TO_OPENAI = {GPT, SLASHED, FALLBACK, EMBEDDING, INSTRUCT}
KNOWN_TO_ANTHROPIC = {CLAUDE}


def seed(openai: FakeOpenAI, anthropic: FakeAnthropic) -> None:
    first = make_provider("openai", kind="openai", base_url=openai.base_url, api_key_env="OPENAI_API_KEY")
    second = make_provider("anthropic", kind="anthropic", base_url=anthropic.base_url, api_key_env="ANTHROPIC_API_KEY")
    _serve(first, GPT)
    _serve(first, SLASHED)
    _serve(second, CLAUDE, max_output_tokens=4096)
    _serve(first, EMBEDDING, capabilities={"embeddings": True, "chat": False, "completions": False})
    _serve(first, INSTRUCT, capabilities={"completions": True, "chat": False})
    successor = make_model(OLD, shutdown_on=date(2026, 1, 5))
    successor.successor_id = GPT
    successor.save()
    _serve(make_provider("unconfigured", base_url=openai.base_url, api_key_env=UNSET), UNCONFIGURED)
    # A drop list that is not a list makes the provider module fail in a way that nobody planned for.
    _serve(make_provider("broken", base_url=openai.base_url, needs_credential=False, options={"drop": 1}), BROKEN)
    make_route(_serve(first, FALLBACK), second, CLAUDE)
    sandbox = make_provider("sandbox", kind="sandbox", needs_credential=False)
    for name in SANDBOX:
        abilities = {"embeddings": True, "chat": False} if name == "embedding" else {}
        model = make_model(f"sandbox/{name}", owned_by="2389", vendor_id=name, sandbox=True, capabilities=abilities)
        make_route(model, sandbox, name)
        make_price(f"sandbox/{name}", input="0", output="0")


def _serve(provider: Provider, name: str, **fields: object) -> Model:
    model = make_model(name, **fields)
    make_route(model, provider)
    make_price(name, input="1", output="2")
    return model
