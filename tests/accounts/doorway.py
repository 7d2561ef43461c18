"""How tests go through the pages of accounts."""

from __future__ import annotations

import html
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import User

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
ANOTHER = "a stable is no battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LETTERS = re.compile(r"^[B-Z]{4}-[B-Z]{4}$", re.MULTILINE)


def send(client: Client, path: str, address: str = "192.0.2.1", **fields: str) -> HttpResponse:
    """A form, from that address."""
    return cast("HttpResponse", client.post(path, fields, REMOTE_ADDR=address))


def sign_in(client: Client, email: str = "ada@acme.example", password: str = PASSWORD, **fields: str) -> HttpResponse:
    """An attempt. `address` is where it comes from, `next` where it is to lead."""
    return send(client, "/sign-in/", login=email, password=password, **fields)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def words(response: Any) -> str:
    """What a page says."""
    return html.unescape(response.content.decode())


def mailed_code(number: int = -1) -> str:
    """The code in the newest mail, or another."""
    found = LETTERS.search(str(mail.outbox[number].body))
    assert found, mail.outbox[number].body
    return found.group()


def with_app(user: User) -> Authenticator:
    """An authenticator app that knows SECRET, and ten recovery codes."""
    RecoveryCodes.activate(user)
    return TOTP.activate(user, SECRET).instance


def app_code(now: datetime = NOON, secret: str = SECRET) -> str:
    return cast("str", format_hotp_value(hotp_value(secret, int(now.timestamp()) // 30)))


def recovery_codes(user: User) -> list[str]:
    kept = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    return cast("list[str]", kept.wrap().get_unused_codes())


def confirm(client: Client, password: str = PASSWORD) -> None:
    """Say the password again, as is asked for before something that matters."""
    assert send(client, "/account/confirm/", password=password).status_code == 302


@contextmanager
def without_valkey(settings: Settings) -> Iterator[None]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: whoever connects is refused
        location = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": location}}
        yield
