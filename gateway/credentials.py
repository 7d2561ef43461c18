"""Providers' credentials: encrypted in the database, or named as environment variables by the registry.

Stored as `KEYID:TOKEN`. The token holds the provider's slug beside the secret, so that a ciphertext moved to
another row does not open there. CREDENTIAL_KEYS lists the keys, newest first.
"""

from __future__ import annotations

from functools import cache

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class CredentialError(Exception):
    """A stored credential cannot be used. Says why and what to do; never holds the secret."""


@cache
def _keys(configured: str) -> dict[str, Fernet]:
    keys: dict[str, Fernet] = {}
    for part in configured.split(","):
        key_id, _, key = part.strip().partition(":")
        try:
            keys[key_id] = Fernet(key)
        except ValueError as error:
            raise CredentialError(
                "CREDENTIAL_KEYS must look like 2:KEY,1:KEY with Fernet keys, newest first."
            ) from error
    return keys


def encrypt(slug: str, secret: str) -> str:
    """`secret` as it is stored for the provider `slug`, under the newest key."""
    key_id, fernet = next(iter(_keys(settings.CREDENTIAL_KEYS).items()))
    return f"{key_id}:{fernet.encrypt(orjson.dumps({'p': slug, 'v': secret})).decode()}"


def decrypt(slug: str, stored: str) -> str:
    """The secret. Raises `CredentialError`."""
    key_id, _, token = stored.partition(":")
    fernet = _keys(settings.CREDENTIAL_KEYS).get(key_id)
    if fernet is None:
        raise CredentialError(f"it was encrypted under key {key_id}, which is not in CREDENTIAL_KEYS")
    try:
        plain = orjson.loads(fernet.decrypt(token))
    except InvalidToken as error:
        raise CredentialError(f"it does not open under key {key_id}; set it again") from error
    if plain["p"] != slug:
        raise CredentialError(f"it belongs to the provider {plain['p']}; set it again")
    return str(plain["v"])


def secret_for(*, slug: str, credential: str, api_key_env: str) -> str | None:
    """The secret in the database if there is one, else that of the environment variable, else None."""
    if credential:
        return decrypt(slug, credential)
    secret: str | None = settings.PROVIDER_SECRET(api_key_env) if api_key_env else None
    return secret
