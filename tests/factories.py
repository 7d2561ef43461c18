"""Rows for tests: plain functions with keyword defaults. Names are counted, so that two calls never collide."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from django.db import connection

from accounts.models import ApiKey, Membership, Organization, User
from billing import money
from billing.models import Price, PriceList
from billing.pricing import PRICES
from gateway.models import Model, Provider, Route

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    """A person without a password: sign in with `client.force_login`."""
    return User.objects.create_user(email or f"person{next(_numbers)}@example.com", **fields)


def make_organization(
    slug: str = "",
    *,
    owner: User | None = None,
    members: dict[User, Membership.Role] | None = None,
    **fields: Any,
) -> Organization:
    slug = slug or f"organization-{next(_numbers)}"
    organization = Organization.objects.create(slug=slug, **{"name": slug.title(), **fields})
    roles = {**({owner: Membership.Role.OWNER} if owner else {}), **(members or {})}
    for user, role in roles.items():
        Membership.objects.create(organization=organization, user=user, role=role)
    return organization


def make_key(organization: Organization | None = None, **fields: Any) -> tuple[ApiKey, str]:
    """A key and its secret."""
    organization = organization or make_organization()
    return ApiKey.objects.issue(organization=organization, **{"name": f"key {next(_numbers)}", **fields})


def make_provider(slug: str = "", **fields: Any) -> Provider:
    slug = slug or f"provider-{next(_numbers)}"
    return Provider.objects.create(slug=slug, **{"name": slug.title(), "kind": "openai", **fields})


def make_model(id: str = "", **fields: Any) -> Model:  # noqa: A002 - the column's own name
    """A model that its vendor has, under the same id, unless `vendor_id` says otherwise."""
    id = id or f"model-{next(_numbers)}"  # noqa: A001 - as above
    return Model.objects.create(id=id, **{"owned_by": "vendor", "vendor_id": id, **fields})


def make_route(model: Model, provider: Provider, upstream_model: str = "", **fields: Any) -> Route:
    """Another route of `model`, tried after those it has."""
    return Route.objects.create(
        model=model,
        provider=provider,
        **{"upstream_model": upstream_model or model.id, "position": model.routes.count(), **fields},
    )


def make_price(model: str, *, input: str = "1", output: str = "2", **fields: Any) -> Price:  # noqa: A002 - the column's own name
    """Dollars for a million tokens, as text, so that they are exact. Free when it costs nothing."""
    prices = {name: Decimal(value) if isinstance(value, str) else value for name, value in fields.items()}
    prices |= {"input": Decimal(input), "output": Decimal(output)}
    nothing = not any(prices.get(name) for name in (*PRICES, "tiers"))
    return Price.objects.create(model=model, **{"free": nothing, **prices})


def make_price_list(slug: str = "", **fields: Any) -> PriceList:
    slug = slug or f"list-{next(_numbers)}"
    return PriceList.objects.create(slug=slug, **{"name": slug.title(), **fields})


def make_credit(organization: Organization, dollars: int = 1000, *, ref: str = "for the test") -> None:
    """So much in its wallet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_enter(%s, 'grant', %s, %s, '', '')", [organization.pk, ref, dollars * money.NANO]
        )
