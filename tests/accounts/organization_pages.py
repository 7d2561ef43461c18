"""Every page of every organisation, as the URLconf has it: what the matrix of roles goes through by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import Invitation, Membership, Organization, Project
from accounts.models_invitations import new_token
from accounts.roles import PAGES, Page
from billing import documents
from billing.models import Budget, Payment
from gateway.models import Webhook
from tests.billing.events import settle
from tests.factories import make_key, make_user

PREFIX = "o/<slug:slug>/"


@dataclass(frozen=True, slots=True)
class Route:
    """One address beneath an organisation's."""

    name: str
    path: str
    view: str
    arguments: dict[str, str]  # the name of each part of the address that varies, and its converter

    @property
    def page(self) -> Page | None:
        return PAGES.get(self.view)

    def url(self, organization: Organization, values: dict[str, Any]) -> str:
        return reverse(self.name, kwargs={"slug": organization.slug, **values})


def routes() -> list[Route]:
    return list(_beneath(get_resolver(), "", ()))


def _beneath(resolver: URLResolver, before: str, spaces: tuple[str, ...]) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _beneath(pattern, path, (*spaces, *([pattern.namespace] if pattern.namespace else ())))
        elif path.startswith(PREFIX):
            yield _route(pattern, path, spaces)


def _route(pattern: URLPattern, path: str, spaces: tuple[str, ...]) -> Route:
    view = pattern.callback
    arguments = {name: type(one).__name__ for name, one in pattern.pattern.converters.items() if name != "slug"}
    return Route(":".join((*spaces, pattern.name or "")), path, f"{view.__module__}.{view.__name__}", arguments)


# What stands in an address, made for an organisation. An argument that is not here gets a value that names nothing,
# and then the matrix takes 404 for an answer of those who are allowed: rights are asked first.
KNOWN: dict[str, Callable[[Organization], Any]] = {
    "membership": lambda organization: _newcomer(organization).pk,
    "invitation": lambda organization: _invitation(organization).pk,
    "project": lambda organization: Project.objects.create(organization=organization, name="Side", slug="side").pk,
    "request_id": lambda organization: settle(make_key(organization)[0]),
    "budget": lambda organization: Budget.objects.create(organization=organization, name="Team", limit_nano=1).pk,
    "payment": lambda organization: _payment(organization).pk,
    "document": lambda organization: documents.receipt(_payment(organization)).pk,
    "webhook": lambda organization: _webhook(organization).pk,
    "shape": lambda _organization: "csv",
}
NOTHING: dict[str, Any] = {
    "IntConverter": 2**31 - 1,
    "StringConverter": "nothing",
    "SlugConverter": "nothing",
    "PathConverter": "nothing",
    "UUIDConverter": "01936b2e-4b7e-7c1e-8d26-5c9d3d5b2a10",
    "Month": date(1999, 1, 1),
}


def values_for(route: Route, organization: Organization) -> dict[str, Any]:
    return {
        name: KNOWN[name](organization) if name in KNOWN else NOTHING[converter]
        for name, converter in route.arguments.items()
    }


def _newcomer(organization: Organization) -> Membership:
    user = make_user()
    membership = Membership.objects.create(organization=organization, user=user, role=Membership.Role.DEVELOPER)
    make_key(organization, owner=user)
    return membership


def _payment(organization: Organization) -> Payment:
    made: Payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=1)
    return made


def _webhook(organization: Organization) -> Webhook:
    webhook = Webhook(organization=organization, url="https://example.com/hooks")
    webhook.renew_secret()
    webhook.save()
    return webhook


def _invitation(organization: Organization) -> Invitation:
    made: Invitation = Invitation.objects.create(
        organization=organization, email="new@example.com", digest=new_token()[1],
        expires_at=timezone.now() + timedelta(days=7),
    )  # fmt: skip
    return made
