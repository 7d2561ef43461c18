"""API keys as text and as digests: `sk-2389-`, 40 random base62 characters, 6 of checksum.

The checksum lets the edge and a secret scanner tell a key from noise without a look-up. What is stored is
HMAC-SHA256 under a pepper that is not in the database, so that a stolen dump holds nothing usable; the
secret has 238 random bits, so a slow hash would protect nothing and make every call cost milliseconds.
"""

import hashlib
import hmac
import logging
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from functools import cache

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PREFIX = "sk-2389-"
PATTERN = re.compile(r"sk-2389-[0-9A-Za-z]{46}")
CHANGES = "keyrev"  # the channel on which workers hear the digests of keys that were revoked or changed

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
log = logging.getLogger(__name__)


def generate() -> str:
    """A new secret of 54 characters."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC32 of everything before it, as 6 base62 characters, most significant first."""
    value, characters = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        characters = _ALPHABET[digit] + characters
    return characters


def well_formed(text: str) -> bool:
    """Whether `text` has the shape and the checksum of a key. Says nothing about whether it was issued."""
    return PATTERN.fullmatch(text) is not None and checksum(text[:-6]) == text[-6:]


def bearer(header: str) -> str:
    """The token of an Authorization header, or nothing."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def first4(secret: str) -> str:
    return secret[len(PREFIX) : len(PREFIX) + 4]


@cache
def peppers() -> tuple[tuple[int, bytes], ...]:
    """The versions and secrets of KEY_PEPPER, newest first."""
    pairs = []
    for part in settings.KEY_PEPPER.split(","):
        version, _, secret = part.strip().partition(":")
        if not version.isdigit() or len(secret) < 32:
            raise ImproperlyConfigured(
                "KEY_PEPPER must look like 1:SECRET, with at least 32 characters after the colon."
            )
        pairs.append((int(version), secret.encode()))
    return tuple(sorted(pairs, reverse=True))


def newest_digest(secret: str) -> tuple[int, bytes]:
    version, pepper = peppers()[0]
    return version, hmac.digest(pepper, secret.encode(), hashlib.sha256)


def digests(secret: str) -> list[bytes]:
    """What the secret may be stored as: under the newest pepper first, then under the older ones."""
    encoded = secret.encode()
    return [hmac.digest(pepper, encoded, hashlib.sha256) for _, pepper in peppers()]


def hint(first: str, last: str) -> str:
    """What may be shown of a secret: `sk-2389-AbCd…wXyZ`."""
    return f"{PREFIX}{first}\u2026{last}"


def announce(digests: Iterable[bytes]) -> None:
    """Tell every worker to ask about these again. Best effort: what they know of a key ends within 5 seconds anyway."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as valkey:
            for digest in digests:
                valkey.publish(CHANGES, bytes(digest).hex())
    except redis.RedisError as error:
        log.warning("Valkey did not take a change of keys; workers notice it within 5 s: %s", type(error).__name__)
