"""Who reads a page that everybody may see: the organisation they would look at, and the key they would call with."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.models import ApiKey, Membership, Organization, User
from accounts.roles import LAST, May, may
from gateway.samples import PLACEHOLDER


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who is signed in, or nobody."""

    membership: Membership | None = None
    key: ApiKey | None = None

    @property
    def organization(self) -> Organization | None:
        return self.membership.organization if self.membership else None

    @property
    def stands_for_key(self) -> str:
        """What stands in code where a secret belongs: which key it is, or that it is one's own."""
        return self.key.hint if self.key else PLACEHOLDER

    @property
    def may_try(self) -> bool:
        return self.membership is not None and may(self.membership, May.TRY_MODELS)

    @property
    def may_make_keys(self) -> bool:
        return self.membership is not None and may(self.membership, May.MAKE_KEYS)


NOBODY = Reader()


def reader_of(request: HttpRequest, membership: Membership | None = None) -> Reader:
    """Nobody costs the database nothing. Without a `membership` it is that of the organisation looked at last."""
    if not request.user.is_authenticated:
        return NOBODY
    user = request.user
    membership = membership or _membership(request, user)
    if membership is None:
        return NOBODY
    return Reader(membership, _key(user, membership.organization))


def _membership(request: HttpRequest, user: User) -> Membership | None:
    own = Membership.objects.filter(user=user, organization__closed_at=None).select_related("organization")
    found = list(own.order_by("organization__name"))
    last = request.session.get(LAST)
    return next((one for one in found if one.organization.slug == last), found[0] if found else None)


def _key(user: User, organization: Organization) -> ApiKey | None:
    """Their newest that works, in that organisation."""
    own = ApiKey.objects.of(organization).ordinary().active().filter(owner=user)
    key: ApiKey | None = own.order_by("-created_at", "-pk").first()
    return key
