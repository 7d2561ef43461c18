"""The model that a first request is made with: one that answers here and now, for what the organisation has."""

from __future__ import annotations

from django.db.models import Prefetch
from django.utils import timezone

from accounts.key_rules import allows_model
from accounts.models import ApiKey, Organization, Scope
from billing import wallets
from billing.models import Price
from gateway import credentials
from gateway.lifecycle import Lifecycle
from gateway.models import Model, Provider, Route

SANDBOX = "sandbox/echo"


def working_model(key: ApiKey) -> str | None:
    """The cheapest that a provider with a credential serves and that the balance pays for, else the sandbox, which
    costs nothing, else any that the key may use. None when the key is not for chats."""
    if Scope.CHAT.value not in key.scopes:
        return None
    usable = [model for model in _chat_models(key.organization) if allows_model(key.models_allowed, model.pk)]
    return _cheapest(key.organization, usable) or _fallback(usable)


def _chat_models(organization: Organization) -> list[Model]:
    """Those that callers may name, with the routes that are switched on."""
    routes = Route.objects.filter(enabled=True, provider__enabled=True).select_related("provider")
    found = Model.objects.filter(enabled=True, vendor_gone_at=None).exclude(vendor_id="")
    if not organization.sandbox_enabled:
        found = found.filter(sandbox=False)
    today = timezone.now().date()
    return [
        model
        for model in found.order_by("pk").prefetch_related(Prefetch("routes", routes, to_attr="open_routes"))
        if model.capabilities.get("chat", True) and model.lifecycle(today) is not Lifecycle.RETIRED
    ]


def _cheapest(organization: Organization, usable: list[Model]) -> str | None:
    prices = Price.objects.in_force()
    has_credit = wallets.of(organization).available_nano > 0
    served = [
        (model.lifecycle(timezone.now().date()) is not Lifecycle.ACTIVE, price.input + price.output, model.pk)
        for model in usable
        if not model.sandbox
        and not model.demonstration
        and (price := prices.get(model.pk)) is not None
        and (price.free or has_credit)
        and any(_can_serve(route.provider) for route in model.open_routes)  # type: ignore[attr-defined]
    ]
    return min(served)[2] if served else None


def _can_serve(provider: Provider) -> bool:
    source = credentials.source(
        credential=provider.credential, api_key_env=provider.api_key_env, needed=provider.needs_credential
    )
    return source is not credentials.Source.MISSING


def _fallback(usable: list[Model]) -> str | None:
    names = [model.pk for model in usable]
    return SANDBOX if SANDBOX in names else next(iter(names), None)
