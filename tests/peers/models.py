"""The models that are asked, as an operator would enter them here and in LiteLLM's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management import call_command

from gateway.models import Provider
from tests import live
from tests.factories import make_model, make_price, make_provider, make_route
from tests.fakes.replay import Replay

CREDENTIAL = "REPLAY_API_KEY"


@dataclass(frozen=True, slots=True)
class Asked:
    """A model under the id that callers use on both sides."""

    id: str
    dialect: str
    theirs: str  # LiteLLM's name for the provider and the model
    capabilities: Mapping[str, Any] | None = None  # None where the registry that we ship has the model

    @property
    def upstream(self) -> str:
        return self.theirs.partition("/")[2]


BUDGETED = {"thinking": "budget", "sampling": True, "n": True, "prefill": True}

MODELS: Mapping[str, Asked] = {
    asked.id: asked
    for asked in (
        Asked("gpt-4.1-mini", "openai-chat", "openai/gpt-4.1-mini", {}),
        Asked("gpt-6.1-sol", "openai-chat", "openai/gpt-6.1-sol"),
        Asked("qwen-3-32b", "openai-compatible", "openai/qwen-3-32b", {}),
        Asked("claude-haiku-4-5", "anthropic", "anthropic/claude-haiku-4-5"),
        Asked("claude-opus-4-8", "anthropic", "anthropic/claude-opus-4-8"),
        Asked("claude-opus-5-5", "anthropic", "anthropic/claude-opus-5-5"),
        Asked("gemini-3.8-flash", "gemini", "gemini/gemini-3.8-flash"),
        Asked("gemini-2.5-flash", "gemini", "gemini/gemini-2.5-flash", BUDGETED),
    )
}

# Which of them answers with what was recorded of its kind.
RECORDED: Mapping[str, str] = {
    "openai-chat": "gpt-4.1-mini",
    "openai-compatible": "qwen-3-32b",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-3.8-flash",
}
PROVIDERS: Mapping[str, str] = {"openai-chat": "openai", "anthropic": "anthropic", "gemini": "gemini"}


def seed(replay: Replay) -> None:
    """The shipped registry, its providers behind `replay`, and the models that it lacks."""
    call_command("sync_registry", str(live.ROOT / "gateway" / "registry.toml"), verbosity=0)
    for dialect, slug in PROVIDERS.items():
        Provider.objects.filter(slug=slug).update(
            base_url=replay.base_url(dialect), api_key_env=CREDENTIAL, enabled=True
        )
    compatible = make_provider(
        "compatible", kind="openai_compatible", base_url=replay.base_url("openai-compatible"), api_key_env=CREDENTIAL
    )
    for asked in MODELS.values():
        if asked.capabilities is None:
            continue
        ours = PROVIDERS.get(asked.dialect)
        provider = Provider.objects.get(slug=ours) if ours else compatible
        model = make_model(
            asked.id, capabilities=dict(asked.capabilities), context_window=1_000_000, max_output_tokens=32768
        )
        make_route(model, provider, asked.upstream)
        make_price(asked.id)


def litellm_configuration(replay: Replay, master_key: str) -> dict[str, Any]:
    """The same for LiteLLM. It is told to leave out and to mend what a provider would refuse, as its operators do and
    as this gateway does unasked; and to try once, so that one request is one request."""
    return {
        "model_list": [
            {
                "model_name": asked.id,
                "litellm_params": {
                    "model": asked.theirs,
                    "api_base": replay.base_url(asked.dialect),
                    "api_key": replay.credential,
                },
            }
            for asked in MODELS.values()
        ],
        "general_settings": {"master_key": master_key},
        "litellm_settings": {"drop_params": True, "modify_params": True, "num_retries": 0, "telemetry": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
