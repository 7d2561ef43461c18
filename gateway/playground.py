"""What the playground's page is told: the models that it can try, and where everything is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import Membership, Organization
from billing import money, offers
from billing.quotes import Quote
from gateway import capabilities, credentials
from gateway.lifecycle import Lifecycle
from gateway.models import Model, Provider
from gateway.openapi.code_samples import frames


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that takes chats, as the picker shows it. Prices are exact dollars for a million tokens."""

    id: str
    owner: str
    description: str
    context: int | None
    longest: int | None
    deprecated: bool
    ready: bool  # a provider of it has all that it needs
    free: bool
    input: str | None
    output: str | None
    tiered: bool
    capabilities: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def choices(organization: Organization, now: datetime) -> list[Choice]:
    """Every model that the organisation may call and that is still there; those that can be served now come first."""
    models = Model.objects.filter(enabled=True).prefetch_related("routes__provider").order_by("id")
    if not organization.sandbox_enabled:
        models = models.filter(sandbox=False)
    able = [(model, _providers(model)) for model in models if _is_there(model, now.date())]
    able = [(model, found) for model, found in able if found and _chats(model, found)]
    quotes = offers.quotes(organization, [model.id for model, _ in able], now)
    ready = {one.pk: _is_ready(one) for _, found in able for one in found}
    listed = [_choice(model, found, quotes.get(model.id), ready, now.date()) for model, found in able]
    return sorted(listed, key=lambda choice: not choice.ready)


def places(membership: Membership) -> dict[str, Any]:
    """What the page's scripts have to know besides the models."""
    slug = membership.organization.slug
    return {
        "organization": slug,
        "person": membership.user_id,
        "key": reverse("gateway:playground-key", args=[slug]),
        "completions": "/v1/chat/completions",
        "generations": "/v1/generations/",
        "requests": f"/o/{slug}/requests/",
        "billing": reverse("billing:organization", args=[slug]),
        "errors": reverse("gateway:docs-page", args=["errors"]),
        "mostBytes": settings.GATEWAY_MAX_BODY_BYTES,
        "frames": frames(settings.PUBLIC_URL),
    }


def _is_there(model: Model, today: date) -> bool:
    return model.lifecycle(today) is not Lifecycle.RETIRED


def _providers(model: Model) -> list[Provider]:
    """Of its routes, in their order."""
    return [route.provider for route in model.routes.all() if route.enabled and route.provider.enabled]


def _shown(model: Model, found: list[Provider]) -> dict[str, Any]:
    return capabilities.shown(model.capabilities, list(dict.fromkeys(one.kind for one in found)))


def _chats(model: Model, found: list[Provider]) -> bool:
    return _shown(model, found).get("chat") is not False


def _is_ready(provider: Provider) -> bool:
    source = credentials.source(
        credential=provider.credential, api_key_env=provider.api_key_env, needed=provider.needs_credential
    )
    return source is not credentials.Source.MISSING


def _choice(model: Model, found: list[Provider], quote: Quote | None, ready: dict[int, bool], today: date) -> Choice:
    return Choice(
        id=model.id,
        owner=model.owned_by,
        description=model.description,
        context=model.context_window,
        longest=model.max_output_tokens,
        deprecated=model.lifecycle(today) is Lifecycle.DEPRECATED,
        ready=any(ready[one.pk] for one in found) and quote is not None,
        free=quote is not None and quote.free,
        input=money.dollars(quote.per_million("input")) if quote else None,
        output=money.dollars(quote.per_million("output")) if quote else None,
        tiered=quote is not None and quote.tiered,
        capabilities=_shown(model, found),
    )
