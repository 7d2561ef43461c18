"""Every page there is, as the URLconf has it: what is looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from allauth.mfa.models import Authenticator
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import Invitation, KeptMail, Membership, User
from accounts.models_invitations import new_token
from accounts.roles import Role
from billing.models import Budget, Document, Payment, UsageEvent
from gateway import documentation
from gateway.models import Webhook
from tests.browser.demonstration import EMPTY, STAFF, Acme

# Not ours, or not for people: the API, what programs read, and the admin, whose theme is a package. Its front page and
# two lists of it are looked at all the same.
ELSEWHERE = ("v1/", "^v1/", "admin/", ".well-known/", "sign-in/with/", "security/")
ONE_BY_ONE = {"gateway:docs-page", "accounts:outbox-html"}  # named below; and a mail, in which no script may run
ADMIN = ("/admin/", "/admin/accounts/apikey/", "/admin/billing/usageevent/")


class As(Enum):
    """Who looks."""

    VISITOR = "visitor"
    MEMBER = "owner"
    SECURED = "admin"  # who has an authenticator app and a passkey
    STAFF = "staff"


BEGINNINGS = {"o/": As.MEMBER, "account/": As.MEMBER, "dashboard/": As.MEMBER, "organizations/": As.MEMBER}
ITS_STATUS = {"socialaccount_login_error": 401}  # of pages that say that something went wrong
SECURED = {
    "accounts:account", "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_download_recovery_codes",
    "mfa_generate_recovery_codes", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "mfa_edit_webauthn",
    "mfa_remove_webauthn",
}  # fmt: skip
BEGINNINGS |= {"design/": As.STAFF, "outbox/": As.STAFF}

# What stands in an address.
KNOWN: dict[str, Callable[[Acme], Any]] = {
    "slug": lambda acme: acme.organization.slug,
    "key": lambda acme: acme.keys["li-na-laptop"].pk,
    "secret": lambda acme: acme.keys["li-na-laptop"].secrets.latest("pk").pk,
    "membership": lambda acme: Membership.objects.get(organization=acme.organization, role=Role.DEVELOPER).pk,
    "invitation": lambda acme: Invitation.objects.of(acme.organization).latest("pk").pk,
    "project": lambda acme: acme.projects["Support assistant"].pk,
    "month": lambda _acme: (timezone.now().replace(day=1) - timedelta(days=1)).date().replace(day=1),
    "shape": lambda _acme: "csv",
    "request_id": lambda acme: UsageEvent.objects.of(acme.organization).latest("request_id").request_id,
    "budget": lambda acme: Budget.objects.of(acme.organization).earliest("pk").pk,
    "payment": lambda acme: Payment.objects.of(acme.organization).latest("pk").pk,
    "document": lambda acme: Document.objects.of(acme.organization).latest("pk").pk,
    "webhook": lambda acme: Webhook.objects.get(organization=acme.organization).pk,
    "delivery": lambda _acme: 1,  # of an address that takes forms alone
    "model": lambda _acme: "gpt-6.1-sol",
    "token": lambda acme: _token(acme),
}
# By name of the route, where the same word means something else.
OWN: dict[str, Callable[[Acme], dict[str, Any]]] = {
    "accounts:outbox-mail": lambda _acme: {"pk": _newest_mail()},
    "mfa_edit_webauthn": lambda acme: {"pk": _passkey(acme)},
    "mfa_remove_webauthn": lambda acme: {"pk": _passkey(acme)},
}


@dataclass(frozen=True, slots=True)
class Place:
    """One address, and who looks at it."""

    name: str
    who: As
    arguments: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    address: str = ""

    def url(self, acme: Acme) -> str:
        if self.address:
            return self.address
        if self.name in OWN:
            return reverse(self.name, kwargs=OWN[self.name](acme))
        unknown = set(self.arguments) - set(KNOWN) - {name for name, _ in self.given}
        assert not unknown, (
            f"{self.name} has {unknown} in its address: say in {__name__}.KNOWN or OWN what to put there"
        )
        values = {name: KNOWN[name](acme) for name in self.arguments if name in KNOWN}
        return reverse(self.name, kwargs={**values, **dict(self.given)})

    @property
    def status(self) -> int:
        return ITS_STATUS.get(self.name, 200)

    def person(self, acme: Acme) -> User | None:
        match self.who:
            case As.MEMBER:
                return acme.people[Role.OWNER]
            case As.SECURED:
                return acme.people[Role.ADMIN]
            case As.STAFF:
                return User.objects.get(email=STAFF)
        return None

    def __str__(self) -> str:
        return self.address or "-".join((self.name, *(value for _, value in self.given)))


def places() -> list[Place]:
    found = [place for place in _beneath(get_resolver(), "", (), ()) if place.name not in ONE_BY_ONE]
    pages = (page for page in documentation.contents() if page.slug != "index")
    found += [Place("gateway:docs-page", As.VISITOR, ("slug",), (("slug", page.slug),)) for page in pages]
    bare = [place for place in found if place.who is As.MEMBER and place.arguments == ("slug",)]
    found += [Place(place.name, place.who, ("slug",), (("slug", EMPTY),)) for place in bare]
    return found + [Place(address, As.STAFF, address=address) for address in ADMIN]


def _beneath(
    resolver: URLResolver, before: str, spaces: tuple[str, ...], arguments: tuple[str, ...]
) -> Iterator[Place]:
    for pattern in resolver.url_patterns:
        path = before + str(pattern.pattern)
        if path.startswith(ELSEWHERE):
            continue
        here = (*arguments, *pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            yield from _beneath(pattern, path, (*spaces, *([pattern.namespace] if pattern.namespace else ())), here)
        else:
            yield _place(pattern, path, spaces, here)


def _place(pattern: URLPattern, path: str, spaces: tuple[str, ...], arguments: tuple[str, ...]) -> Place:
    name = ":".join((*spaces, pattern.name or path))
    if name in SECURED:
        return Place(name, As.SECURED, arguments)
    who = next((who for beginning, who in BEGINNINGS.items() if path.startswith(beginning)), As.VISITOR)
    return Place(name, who, arguments)


def _token(acme: Acme) -> str:
    text, digest = new_token()
    Invitation.objects.create(
        organization=acme.organization, email=f"{text[:12].lower()}@example.com", role=Role.VIEWER, digest=digest,
        expires_at=timezone.now() + timedelta(days=7),
    )  # fmt: skip
    return text


def _newest_mail() -> int:
    return int(KeptMail.objects.latest("pk").pk)


def _passkey(acme: Acme) -> int:
    kind = Authenticator.Type.WEBAUTHN
    return int(Authenticator.objects.get(user=acme.people[Role.ADMIN], type=kind).pk)
