"""The keys that statements are signed with. SIGNING_KEYS lists them, newest first: that one signs, all are told."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SHAPE = "SIGNING_KEYS must look like 2:SEED,1:SEED, each seed 32 random bytes in base64, newest first."


def is_configured() -> bool:
    return bool(_keys(settings.SIGNING_KEYS))


def sign(data: bytes) -> tuple[str, str]:
    """The id of the newest key, and its signature in base64."""
    keys = _keys(settings.SIGNING_KEYS)
    if not keys:
        raise ImproperlyConfigured(
            "SIGNING_KEYS is not set, so that nothing can be signed. docs/settings.md says more."
        )
    key_id, key = next(iter(keys.items()))
    return key_id, base64.b64encode(key.sign(data)).decode()


def public_keys() -> dict[str, Any]:
    """Every public key as a JSON Web Key Set, RFC 8037: those of former years too, for the statements of then."""
    return {"keys": [_public(key_id, key) for key_id, key in _keys(settings.SIGNING_KEYS).items()]}


def _public(key_id: str, key: Ed25519PrivateKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key_id, "x": x}


@cache
def _keys(setting: str) -> dict[str, Ed25519PrivateKey]:
    found: dict[str, Ed25519PrivateKey] = {}
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        key_id, _, seed = entry.partition(":")
        if not key_id or key_id in found:
            raise ImproperlyConfigured(SHAPE)
        found[key_id] = _key(seed)
    return found


def _key(seed: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(seed.translate(str.maketrans("-_", "+/")), validate=True)
        )
    except (binascii.Error, ValueError):
        raise ImproperlyConfigured(SHAPE) from None  # the cause would show the seed
