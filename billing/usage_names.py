"""What usage belongs to, in the names that people gave: also keys that were revoked and people who have left.

Names are looked up for ids that stand in the organisation's own roll-ups, and within the organisation. An id that
somebody wrote into an address is told no name unless the organisation has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accounts.models import ApiKey, Membership, Organization, Project, User
from billing.usage_selection import in_address
from billing.usage_sums import DIMENSIONS, Name

ABSENT = {
    "model": "No model",
    "provider": "No provider",
    "key": "No key",
    "project": "No project",
    "member": "Service accounts",
}
ALL = {
    "model": "All models",
    "key": "All keys",
    "project": "All projects",
    "member": "Everybody",
    "provider": "All providers",
}
LABELS = {"model": "Model", "key": "Key", "project": "Project", "member": "Member", "provider": "Provider"}
PLURAL = {"model": "models", "key": "keys", "project": "projects", "member": "members", "provider": "providers"}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    chosen: bool


def of(organization: Organization, dimension: str, names: Iterable[Name]) -> dict[Name, str]:
    """Every one of them gets a name; two that are called the same are told apart."""
    wanted = set(names)
    found: dict[Name, str]
    if dimension in {"model", "provider"}:
        found = {name: str(name) for name in wanted}
    else:
        ids = [int(name) for name in wanted if name]
        found = {name: f"{LABELS[dimension]} {name}" for name in wanted} | _LOOK_UPS[dimension](organization, ids)
    for empty in ("", 0):
        if empty in wanted:
            found[empty] = ABSENT[dimension]
    return _told_apart(found)


def choices(
    organization: Organization, used: Mapping[str, set[Name]], filters: Mapping[str, Name]
) -> dict[str, list[Choice]]:
    """For each dimension's filter what was used in the time, by name, and what is chosen now."""
    found: dict[str, list[Choice]] = {}
    for dimension in DIMENSIONS:
        chosen = filters.get(dimension)
        names = of(organization, dimension, used[dimension] | ({chosen} if chosen is not None else set()))
        ordered = sorted(names.items(), key=lambda item: (not item[0], item[1].casefold()))
        found[dimension] = [Choice(in_address(name), label, name == chosen) for name, label in ordered]
    return found


def _keys(organization: Organization, ids: list[int]) -> dict[Name, str]:
    rows = ApiKey.objects.of(organization).filter(pk__in=ids).values_list("pk", "name", "revoked_at")
    return {pk: f"{name} (revoked)" if revoked else name for pk, name, revoked in rows.order_by()}


def _projects(organization: Organization, ids: list[int]) -> dict[Name, str]:
    rows = Project.objects.of(organization).filter(pk__in=ids).values_list("pk", "name", "archived_at")
    return {pk: f"{name} (archived)" if archived else name for pk, name, archived in rows.order_by()}


def _members(organization: Organization, ids: list[int]) -> dict[Name, str]:
    """Members, and people who held a key of the organisation when they were."""
    here = set(Membership.objects.of(organization).filter(user__in=ids).values_list("user_id", flat=True))
    held = ApiKey.objects.of(organization).filter(owner__in=ids).values("owner")
    people = User.objects.filter(pk__in=here) | User.objects.filter(pk__in=held)
    rows = people.order_by().values_list("pk", "name", "email")
    return {pk: (name or email) + ("" if pk in here else " (left)") for pk, name, email in rows}


_LOOK_UPS = {"key": _keys, "project": _projects, "member": _members}


def _told_apart(names: dict[Name, str]) -> dict[Name, str]:
    seen: dict[str, int] = {}
    for label in names.values():
        seen[label] = seen.get(label, 0) + 1
    return {name: label if seen[label] == 1 else f"{label}, {name}" for name, label in names.items()}
