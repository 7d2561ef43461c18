"""What the database keeps encrypted: under CREDENTIAL_KEYS, of which the first encrypts and all decrypt."""

from __future__ import annotations

from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

MARK = "sealed:"


class SealError(Exception):
    """Something encrypted does not open: it was changed or moved, or its key is gone."""


@cache
def fernets(configured: str) -> dict[str, Fernet]:
    """The keys of CREDENTIAL_KEYS by their ids. Raises `ValueError`."""
    keys: dict[str, Fernet] = {}
    for part in configured.split(","):
        key_id, _, key = part.strip().partition(":")
        try:
            keys[key_id] = Fernet(key)
        except ValueError as error:
            raise ValueError("CREDENTIAL_KEYS must look like 2:KEY,1:KEY with Fernet keys, newest first.") from error
    return keys


def seal(purpose: str, text: str) -> str:
    """`text` as it is stored; it opens for the same purpose only."""
    key_id, fernet = next(iter(fernets(settings.CREDENTIAL_KEYS).items()))
    token = fernet.encrypt(f"{purpose}\0{text}".encode()).decode()
    return f"{MARK}{key_id}:{token}"


def unseal(purpose: str, sealed: str) -> str:
    """What was sealed. Raises `SealError`."""
    key_id, _, token = sealed.removeprefix(MARK).partition(":")
    fernet = fernets(settings.CREDENTIAL_KEYS).get(key_id)
    if fernet is None or not sealed.startswith(MARK):
        raise SealError(f"It was encrypted under key {key_id[:20]!r}, which is not in CREDENTIAL_KEYS.")
    try:
        bound, _, text = fernet.decrypt(token).decode().partition("\0")
    except InvalidToken as error:
        raise SealError(f"It does not open under key {key_id}: it was changed, or the key was.") from error
    if bound != purpose:
        raise SealError(f"It was encrypted for {bound!r} and moved.")
    return text


def renewed(purpose: str, sealed: str) -> str:
    """The same under the newest key; `sealed` itself when it is there already. Raises `SealError`."""
    newest = next(iter(fernets(settings.CREDENTIAL_KEYS)))
    return sealed if sealed.startswith(f"{MARK}{newest}:") else seal(purpose, unseal(purpose, sealed))
