"""Writing the audit log. Call `record` in the transaction that makes the change: neither is to be without the other."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest

from accounts.addresses import client_address
from accounts.keys import PREFIX as KEY_PREFIX
from accounts.models import ApiKey, AuditEvent, Organization, User
from accounts.models_audit import Action
from accounts.redaction import redact

__all__ = ["SYSTEM", "Action", "Actor", "Change", "changes", "key", "operator", "person", "record"]

LABEL = 320
HINT = re.compile(rf"({KEY_PREFIX}[0-9A-Za-z]{{4}}…)")  # what may be shown of a key begins so
USER_AGENT = 200


@dataclass(frozen=True, slots=True)
class Change:
    """What a detail was, and what it is now."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, and from where."""

    kind: AuditEvent.Actor
    user: User | None = None
    label: str = ""
    address: str | None = None
    user_agent: str = ""


SYSTEM = Actor(AuditEvent.Actor.SYSTEM)  # what happens by itself: an expiry, a sweep, a report of a leak


def person(request: HttpRequest) -> Actor:
    """A member, on a page."""
    return _on_the_web(AuditEvent.Actor.PERSON, request)


def operator(request: HttpRequest) -> Actor:
    """Staff, in the admin. Members are shown that it was the operator, and not who or from where."""
    return _on_the_web(AuditEvent.Actor.OPERATOR, request)


def key(request: HttpRequest, api_key: ApiKey) -> Actor:
    """A program, with a key of the organisation."""
    return Actor(AuditEvent.Actor.KEY, None, str(api_key), client_address(request), _agent(request))


def record(
    who: HttpRequest | Actor, organization: Organization, action: Action, target: Model | None = None, **details: Any
) -> AuditEvent:
    """Write down that `who` did `action` to `target`, which is the organisation itself unless another is named.

    A request stands for the person who sent it. A detail is a plain value, or a `Change` of one; none may be secret.
    """
    actor = person(who) if isinstance(who, HttpRequest) else who
    target = target or organization
    return AuditEvent.objects.create(
        organization=organization,
        action=action.value,
        actor_kind=actor.kind,
        actor=actor.user,
        actor_label=actor.label[:LABEL],
        target_kind=type(target).__name__.lower(),
        target_id=str(target.pk),
        target_label=_open(str(getattr(target, "audit_label", target)))[:LABEL],
        details=_plain(details),
        address=actor.address,
        user_agent=actor.user_agent,
    )


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Change]:
    """What differs, as details for `record`."""
    return {name: Change(before.get(name), value) for name, value in after.items() if before.get(name) != value}


def _on_the_web(kind: AuditEvent.Actor, request: HttpRequest) -> Actor:
    user = request.user if isinstance(request.user, User) else None
    label = str(user) if user else ""
    return Actor(kind, user, label, client_address(request), _agent(request))


def _agent(request: HttpRequest) -> str:
    return _open(request.headers.get("User-Agent", ""))[:USER_AGENT]


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it, without anything that looks like a secret."""
    told = {
        name: {"before": value.before, "after": value.after} if isinstance(value, Change) else value
        for name, value in details.items()
    }
    plain: dict[str, Any] = json.loads(_open(json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False)))
    return plain


def _open(text: str) -> str:
    """`text` without anything that looks like a secret; the hints of keys stay."""
    return "".join(part if HINT.fullmatch(part) else redact(part) for part in HINT.split(text))
