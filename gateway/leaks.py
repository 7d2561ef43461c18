"""Keys that were found where they should not be: whoever reports one has it revoked, and its people are told.

A report proves itself, since it holds the key. The answer is the same whether or not there was such a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts import key_life, keys, letters
from accounts.audit import SYSTEM, Action
from accounts.models import ApiKey, ApiKeySecret, Membership
from billing.models import OutboxMessage
from gateway import errors

TOPIC = "key.leaked"
MOST_BYTES = 256 * 1024
MOST = 500  # in one report
FORM = 'Send a JSON list of objects such as {"token": "sk-2389-…", "url": "https://…", "source": "commit"}.'


@dataclass(frozen=True, slots=True)
class Report:
    """One key, and where it was found."""

    token: str
    url: str = ""
    source: str = ""


def read(body: bytes) -> list[Report]:
    """Raises `ApiError` for what is no list of reports."""
    if len(body) > MOST_BYTES:
        raise errors.ApiError(
            413,
            f"A report holds at most {MOST_BYTES} bytes. Send several.",
            type=errors.INVALID,
            code="request_too_large",
        )
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.invalid(f"The body is not JSON. {FORM}") from error
    if not isinstance(found, list) or len(found) > MOST:
        raise errors.invalid(f"The body must be a list of at most {MOST} reports. {FORM}")
    return [_report(one, place) for place, one in enumerate(found)]


def act(reports: list[Report]) -> None:
    """Revoke the keys among these, and have their people told."""
    by_digest = {
        digest: report
        for report in reversed(reports)
        if keys.well_formed(report.token)
        for digest in keys.digests(report.token)
    }
    found = ApiKeySecret.objects.working().filter(digest__in=list(by_digest), api_key__revoked_at=None)
    for secret in found.select_related("api_key__organization"):
        _end(secret, by_digest[bytes(secret.digest)])


def tell(message: OutboxMessage) -> None:
    """One mail to whoever holds the key, and to the owners of its organisation."""
    key = ApiKey.objects.select_related("organization", "owner").get(pk=message.payload["api_key_id"])
    owners = Membership.objects.of(key.organization).filter(role=Membership.Role.OWNER, user__is_active=True)
    addresses = set(owners.values_list("user__email", flat=True))
    if key.owner is not None and key.owner.is_active:
        addresses.add(key.owner.email)
    if addresses:
        name, organization = (" ".join(word.split()) for word in (key.name, key.organization.name))
        subject = f"{organization}: the key {name} was leaked and is revoked"
        letters.send(subject, _letter(message.payload, key), sorted(addresses))


def _report(found: Any, place: int) -> Report:
    if not isinstance(found, dict) or not isinstance(found.get("token"), str):
        raise errors.invalid(f"[{place}] has no token. {FORM}", param=f"[{place}].token")
    return Report(found["token"][:200], _address(found.get("url")), _word(found.get("source")))


def _address(url: object) -> str:
    """Of a page, in plain characters and on one line; anything else is left out."""
    text = url if isinstance(url, str) and url.isascii() and url.isprintable() and " " not in url else ""
    try:
        return text[:500] if urlsplit(text).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _word(source: object) -> str:
    return "".join(letter for letter in str(source or "")[:60] if letter.isalnum() or letter in "_- ")


@transaction.atomic
def _end(secret: ApiKeySecret, report: Report) -> None:
    """The whole key, unless it has a newer secret: then the earlier one alone, so that what was rotated goes on."""
    key = ApiKey.objects.locked(secret.api_key_id)
    where = {"source": report.source, "url": report.url}
    is_newest = key.secrets.first() == secret
    if key.revoked_at is not None:
        return
    if is_newest:
        key_life.revoke(SYSTEM, [key.pk], Action.KEY_LEAKED, **where)
    else:
        key_life.end_secret(SYSTEM, key, secret.pk, reason="reported as leaked", **where)
    OutboxMessage.objects.get_or_create(
        dedupe=f"leak:{secret.pk}",
        defaults={
            "organization_id": key.organization_id,
            "topic": TOPIC,
            "payload": {"api_key_id": key.pk, "name": key.name, "hint": secret.hint, "key_revoked": is_newest, **where},
        },
    )


def _letter(told: Mapping[str, Any], key: ApiKey) -> str:
    page = settings.PUBLIC_URL + reverse("gateway:keys-key", args=[key.organization.slug, key.pk])
    found = f"It was said to be here, where we have not looked: {told['url']}\n\n" if told["url"] else ""
    ended = (
        "The key is revoked: every call with it is refused since then. Make a new key for what used it."
        if told["key_revoked"]
        else "That secret was rotated before and does not work any more. The key's newest secret goes on."
    )
    return (
        f"Hello,\n\nsomebody reported a secret of the key “{key.name}” ({told['hint']}) of {key.organization.name} "
        f"where others can read it.\n\n{found}{ended}\n\n"
        f"Look whether it was used by others: {page}\n\n"
        f"You get this because the key is yours, or because you own {key.organization.name}.\n"
    )
