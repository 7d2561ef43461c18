"""The columns of the page: models that are alike, as the shipped registry has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from gateway import lifecycle
from gateway.lifecycle import Lifecycle
from gateway.providers.base import Target
from gateway.registry import Entry
from gateway.registry_file import ModelEntry, parse
from tests.gateway.test_registry import entry

PATH = Path(__file__).parents[2] / "gateway" / "registry.toml"
FILE = parse(PATH.read_text(encoding="utf-8"), name=PATH.name)
MODELS = {model.id: model for model in FILE.models}
TODAY = date(2026, 11, 23)


@dataclass(frozen=True, slots=True)
class Family:
    """Models of which every cell says the same. `behind` is what they are served by."""

    title: str
    kind: str
    models: tuple[str, ...]


SANDBOX = Family("Sandbox", "sandbox", ("sandbox/echo", "sandbox/tool"))
SERVERS = Family("Compatible servers", "openai_compatible", ("some-model",))
EMBEDDERS = Family(
    "OpenAI embeddings", "openai", ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
)
GEMINI_EMBEDDERS = Family("Gemini embeddings", "gemini", ("gemini-embedding-001",))
FAMILIES = (
    Family("GPT-4o", "openai", ("gpt-4o", "gpt-4o-mini")),
    Family(
        "GPT, reasoning optional",
        "openai",
        ("gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-6-luna", "gpt-6.1-terra"),
    ),
    Family("GPT, reasoning always", "openai", ("gpt-6.1-sol", "gpt-6-astra")),
    Family("Claude 4.5", "anthropic", ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")),
    Family("Claude 4.6", "anthropic", ("claude-opus-4-6", "claude-sonnet-4-6")),
    Family("Claude 4.7", "anthropic", ("claude-opus-4-7",)),
    Family(
        "Claude 4.8 to 5",
        "anthropic",
        ("claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-fable-5", "claude-haiku-5-5"),
    ),
    Family(
        "Claude 5.5",
        "anthropic",
        ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-fable-5-2"),
    ),
    Family("Gemini 3.1 Pro", "gemini", ("gemini-3.1-pro-preview",)),
    Family("Gemini 3.5 to 3.8", "gemini", ("gemini-3.8-flash", "gemini-3.5-flash-lite")),
    SERVERS,
    SANDBOX,
)


def serving(name: str) -> Entry:
    """The model with its routes, all of them usable. One that the registry does not have is a server's own."""
    model = MODELS.get(name)
    if model is None:
        target = Target("server", SERVERS.kind, "http://server.test/v1", None, name, name)
        return replace(entry(name, context_window=32768), targets=(target,), kinds=(SERVERS.kind,))
    targets = tuple(_target(model, route.provider, route.upstream_model) for route in model.routes or ())
    return replace(
        entry(
            name,
            context_window=model.context_window,
            max_output_tokens=model.max_output_tokens,
            capabilities=model.capabilities,
            sandbox=model.sandbox,
        ),
        targets=targets,
        kinds=tuple(target.kind for target in targets),
    )


def _target(model: ModelEntry, slug: str, upstream: str) -> Target:
    provider = next(one for one in FILE.providers if one.slug == slug)
    route = next(one for one in model.routes or () if (one.provider, one.upstream_model) == (slug, upstream))
    return Target(
        provider=slug,
        kind=provider.kind,
        base_url=provider.base_url,
        credential="a credential",
        model=model.id,
        upstream_model=upstream,
        max_output_tokens=model.max_output_tokens,
        capabilities=model.capabilities,
        options={**provider.options, **route.options},
    )


def living() -> set[str]:
    """The models that the page must speak of: those that answer themselves, and are no toys."""
    return {
        model.id
        for model in FILE.models
        if not (model.demonstration or model.sandbox)
        and lifecycle.of(
            vendor_id=model.vendor_id,
            deprecated_on=model.deprecated_on,
            shutdown_on=model.shutdown_on,
            vendor_gone=False,
            today=TODAY,
        )
        is not Lifecycle.RETIRED
    }
