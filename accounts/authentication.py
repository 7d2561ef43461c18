"""Who calls the management API: keys as on the data plane, asked of Postgres each time.

What is wrong is raised as what it is; `gateway.management_api` knows how callers are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError, connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import key_rules, keys, last_use
from accounts.addresses import client_address
from accounts.models import ApiKey, ApiKeySecret, Scope

if TYPE_CHECKING:  # it imports this module, which the settings name
    from rest_framework.views import APIView


class KeysUnavailable(APIException):
    """Postgres does not answer: nothing is known about the key."""

    status_code = 503


class OrganizationSuspended(PermissionDenied):
    """The key is right, but its organisation may not call."""


class InsufficientScope(PermissionDenied):
    """The key is right, but was not issued for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the scope {scope} is missing")
        self.scope = scope


class AddressNotAllowed(PermissionDenied):
    """The key is right, but not from there."""

    def __init__(self, address: str) -> None:
        super().__init__(f"not from {address}")
        self.address = address


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-2389-…`. The key is `request.auth`; there is no person in `request.user`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey]:
        secret = keys.bearer(request.META.get("HTTP_AUTHORIZATION", ""))
        if not secret:
            raise NotAuthenticated
        key = _find(secret) if keys.well_formed(secret) else None
        if key is None:
            raise AuthenticationFailed
        address = client_address(request)
        if not key_rules.allows_address(key.address_ranges, address):
            raise AddressNotAllowed(address)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _find(text: str) -> ApiKey | None:
    """The key of a secret, when both of them work."""
    try:
        found = ApiKeySecret.objects.working().filter(digest__in=keys.digests(text))
        secret = found.select_related("api_key__organization").first()
        if secret is None or secret.api_key.status != "active" or secret.api_key.organization.closed_at:
            return None
        _note_use(secret)
    except (DatabaseError, InterfaceError) as error:
        raise KeysUnavailable(type(error).__name__) from error
    return secret.api_key


def _note_use(secret: ApiKeySecret) -> None:
    """At once, unlike the data plane, which is called far more often. Nothing is written twice in half a minute."""
    with connection.cursor() as cursor:
        cursor.execute(last_use.UPSERT, [[secret.pk], [0.0]])


class InGoodStanding(BasePermission):
    """The organisation may call."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.auth.organization.suspended_at is not None:
            raise OrganizationSuspended
        return True


class MayReadUsage(InGoodStanding):
    """And the key was issued for reading usage and costs."""

    scope = Scope.USAGE

    def has_permission(self, request: Request, view: APIView) -> bool:
        if super().has_permission(request, view) and self.scope not in request.auth.scopes:
            raise InsufficientScope(self.scope)
        return True
