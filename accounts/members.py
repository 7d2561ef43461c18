"""What happens to memberships: roles change, people are removed and leave. An organisation never loses its last owner.

Each of these locks the organisation first and then looks again at who asks, so that of two owners who unmake each other
at the same instant only one does.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import CharField, Count, F, Max, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest, Lower, NullIf
from django.http import Http404, HttpRequest

from accounts import audit, key_life, roles
from accounts.audit import Action, Actor, Change
from accounts.models import ApiKey, Membership, Organization
from accounts.roles import May, Role


class MembershipError(Exception):
    """It was not done. Says why and what to do, in words for whoever wanted it."""


def listed(organization: Organization) -> QuerySet[Membership]:
    """Everybody, with how many working keys they hold and when they last did anything here, by page or by key."""
    own = Q(user__api_keys__organization=organization)
    working = own & Q(user__api_keys__in=ApiKey.objects.of(organization).ordinary().active())
    shown = Coalesce(NullIf("user__name", Value("")), "user__email", output_field=CharField())
    found: QuerySet[Membership] = Membership.objects.of(organization).select_related("user")
    return found.annotate(
        key_count=Count("user__api_keys", filter=working, distinct=True),
        seen_at=Greatest(F("last_active_at"), Max("user__api_keys__secrets__use__last_used_at", filter=own)),
    ).order_by(Lower(shown), "pk")


def keys_of(membership: Membership) -> QuerySet[ApiKey]:
    """The personal keys that end with the membership, apart from the playground's, which does so by itself."""
    mine = ApiKey.objects.of(membership.organization).ordinary().active()
    found: QuerySet[ApiKey] = mine.filter(owner=membership.user)
    return found.order_by("name")


@transaction.atomic
def change_role(request: HttpRequest, organization: Organization, pk: int, role: Role) -> Membership:
    """Raises `MembershipError`, `PermissionDenied` and `Http404`."""
    acting, member = _under_lock(request, organization, pk)
    if Role.OWNER in {role, member.role}:
        roles.require(acting, May.MANAGE_OWNERS)
    if role == member.role:
        return member
    if role != Role.OWNER:
        _keep_an_owner(member)
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    audit.record(request, organization, Action.MEMBER_CHANGED, member, role=Change(before, role.value))
    return member


@transaction.atomic
def remove(request: HttpRequest, organization: Organization, pk: int) -> Membership:
    """Raises as `change_role` does."""
    acting, member = _under_lock(request, organization, pk)
    if member.role == Role.OWNER:
        roles.require(acting, May.MANAGE_OWNERS)
    if member == acting:
        raise MembershipError("This is you. To go, leave the organisation.")
    _keep_an_owner(member)
    end(audit.person(request), member, Action.MEMBER_REMOVED)
    return member


@transaction.atomic
def leave(request: HttpRequest, membership: Membership) -> None:
    """Raises `MembershipError`."""
    organization = Organization.objects.locked(membership.organization_id)
    member = _find(organization, membership.pk)
    _keep_an_owner(member)
    end(audit.person(request), member, Action.MEMBER_LEFT)


def end(who: Actor, member: Membership, action: Action) -> None:
    """The membership is over, and with it the person's keys here. Service accounts' keys stay. Call it locked."""
    organization, ended = member.organization, list(keys_of(member))
    audit.record(who, organization, action, member, role=member.role, keys_revoked=[key.hint for key in ended])
    trying = ApiKey.objects.of(organization).filter(owner=member.user, playground=True, revoked_at=None)
    key_life.revoke(who, [key.pk for key in (*ended, *trying)], reason="its holder is no longer a member")
    pk = member.pk
    member.delete()
    member.pk = pk  # for whoever says what was done


def _under_lock(request: HttpRequest, organization: Organization, pk: int) -> tuple[Membership, Membership]:
    """Whoever asks, if they still may, and the membership that it is about."""
    locked = Organization.objects.locked(organization.pk)
    acting = Membership.objects.of(locked).filter(user=request.user).select_related("organization").first()
    if acting is None:
        raise Http404
    roles.require(acting, May.MANAGE_MEMBERS)
    return acting, _find(locked, pk)


def _find(organization: Organization, pk: int) -> Membership:
    member: Membership | None = (
        Membership.objects.of(organization).filter(pk=pk).select_related("user", "organization").first()
    )
    if member is None:
        raise Http404
    return member


def _keep_an_owner(member: Membership) -> None:
    """Somebody who can sign in has to own the organisation."""
    if member.role != Role.OWNER:
        return
    others = Membership.objects.of(member.organization).filter(role=Role.OWNER, user__is_active=True)
    if not others.exclude(pk=member.pk).exists():
        raise MembershipError(
            f"{member.user} is the only owner of {member.organization}. Make somebody else an owner first."
        )
