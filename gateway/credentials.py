"""Providers' credentials: encrypted in the database, or named by the registry as a variable or a file.

Stored as `KEYID:TOKEN`. The token holds the provider's slug beside the secret, so that a ciphertext moved to
another row does not open there; webhooks' secrets are kept the same way, bound to their organisation. CREDENTIAL_KEYS
lists the keys, newest first: the first one encrypts, all of them decrypt. Secrets are opened for outbound calls only;
the admin asks `source`, which opens nothing.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts import encryption

FILE = "file:"  # a provider's `api_key_env` that begins so names a file instead of a variable


class CredentialError(Exception):
    """A credential cannot be used. Says why and what to do; never holds the secret."""


class Source(StrEnum):
    """Where a provider's credential comes from."""

    STORED = "stored"
    ENVIRONMENT = "environment"
    MISSING = "missing"
    NOT_NEEDED = "not needed"


def encrypt(owner: str, secret: str) -> str:
    """`secret` as it is stored for `owner`, such as a provider's slug, under the newest key."""
    key_id = newest_key_id()
    token = _keys(settings.CREDENTIAL_KEYS)[key_id].encrypt(orjson.dumps({"p": owner, "v": secret}))
    return f"{key_id}:{token.decode()}"


def decrypt(owner: str, stored: str, *, remedy: str = "") -> str:
    """The secret. Raises `CredentialError`, which ends in `remedy`: how a provider's is set, unless told otherwise."""
    remedy = remedy or f"with: manage.py set_credential {owner}"
    key_id, _, token = stored.partition(":")
    fernet = _keys(settings.CREDENTIAL_KEYS).get(key_id)
    if fernet is None:
        raise CredentialError(
            f"it was encrypted under key {key_id[:20]!r}, which is not in CREDENTIAL_KEYS. "
            f"Put that key back, or set the credential again {remedy}"
        )
    try:
        plain = orjson.loads(fernet.decrypt(token))
    except InvalidToken as error:
        raise CredentialError(
            f"it does not open under key {key_id}: it was changed, or the key was. Set it again {remedy}"
        ) from error
    if plain["p"] != owner:
        raise CredentialError(f"it was set for the provider {plain['p']} and moved here. Set this one's own {remedy}")
    return str(plain["v"])


def seal(purpose: str, content: bytes) -> bytes:
    """`content` encrypted under the newest key; it opens for the same purpose only."""
    key_id = newest_key_id()
    token = _keys(settings.CREDENTIAL_KEYS)[key_id].encrypt(purpose.encode() + b"\0" + content)
    return key_id.encode() + b":" + token


def unseal(purpose: str, sealed: bytes) -> bytes:
    """What was sealed. Raises `CredentialError`."""
    key_id, _, token = sealed.partition(b":")
    fernet = _keys(settings.CREDENTIAL_KEYS).get(key_id.decode("utf-8", "replace"))
    try:
        bound, _, content = fernet.decrypt(token).partition(b"\0") if fernet else (b"", b"", b"")
    except InvalidToken:
        bound = b""
    if bound != purpose.encode():
        raise CredentialError("it does not open: it was changed or moved, or its key is not in CREDENTIAL_KEYS.")
    return content


def rotate(owner: str, stored: str, *, remedy: str = "") -> str:
    """The same secret under the newest key; `stored` itself when it is there already. Raises `CredentialError`."""
    secret = decrypt(owner, stored, remedy=remedy)
    return stored if stored.partition(":")[0] == newest_key_id() else encrypt(owner, secret)


def secret_for(*, slug: str, credential: str, api_key_env: str) -> str | None:
    """The secret in the database if there is one, else that of the variable or file, else None.

    Raises `CredentialError` for a secret that is there and cannot be had.
    """
    return decrypt(slug, credential) if credential else _outside(api_key_env)


def source(*, credential: str, api_key_env: str, needed: bool) -> Source:
    """Where `secret_for` would take it from, without opening what is stored."""
    if credential:
        return Source.STORED
    try:
        found = _outside(api_key_env)
    except CredentialError:
        found = None
    if found:
        return Source.ENVIRONMENT
    return Source.MISSING if needed else Source.NOT_NEEDED


def newest_key_id() -> str:
    """The id of the key that encrypts."""
    return next(iter(_keys(settings.CREDENTIAL_KEYS)))


def _outside(name: str) -> str | None:
    if not name:
        return None
    if name.startswith(FILE):
        return _read(name.removeprefix(FILE))
    try:
        secret: str | None = settings.PROVIDER_SECRET(name)
    except ImproperlyConfigured as error:  # NAME_FILE names a file that cannot be read
        raise CredentialError(str(error)) from error
    return secret


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise CredentialError(f"its file {path} cannot be read: {error.strerror}") from error


def _keys(configured: str) -> dict[str, Fernet]:
    try:
        return encryption.fernets(configured)
    except ValueError as error:
        raise CredentialError(str(error)) from error
