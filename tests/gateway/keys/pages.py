"""What the tests of the pages about keys have in common."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Membership, Organization, SecretUse
from billing.models import UsageDay
from tests.factories import make_user

Role = Membership.Role
LIST, NEW = "/o/acme/keys/", "/o/acme/keys/new/"
DOLLAR = 10**9


def member(organization: Organization, role: Role) -> Client:
    user = make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    """What the page says, without markup, with single spaces."""
    assert response.status_code == 200, response
    page = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def named(response: Any) -> list[str]:
    """The keys of a list, in its order."""
    found = re.findall(r'<td class="name"><a href="[^"]+">([^<]+)</a>', response.content.decode())
    return [html.unescape(name) for name in found]


def following(client: Client, response: Any) -> Any:
    """The page that the list's link to more leads to."""
    (address,) = re.findall(r'rel="next" href="([^"]+)"', response.content.decode())
    return client.get(LIST + html.unescape(address))


def fields(response: Any) -> dict[str, Any]:
    """What the form on the page would send as it stands."""
    form = response.context["form"]
    sent = {field.html_name: field.value() for field in form if field.value() not in (None, "", [], False)}
    return {name: form[name].field.prepare_value(value) for name, value in sent.items()}


def create(client: Client, **given: Any) -> HttpResponse:
    page = client.get(NEW)
    return client.post(NEW, {**fields(page), "name": "batch", **given})  # type: ignore[return-value]


def path(key: ApiKey, what: str = "") -> str:
    return f"{LIST}{key.pk}/{what}"


def spend(key: ApiKey, nano: int, day: date | None = None) -> None:
    UsageDay.objects.create(
        organization=key.organization, day=day or timezone.now().date(), api_key_id=key.pk, charged_nano=nano,
        requests=3, errors=1, input_tokens=1500, cache_read_tokens=500, output_tokens=20, reasoning_tokens=5,
    )  # fmt: skip


def used(key: ApiKey, ago: timedelta) -> None:
    SecretUse.objects.create(secret=key.secrets.get(), last_used_at=timezone.now() - ago)
