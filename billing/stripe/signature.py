"""Whether Stripe wrote it: an HMAC over the time and the body, under a secret that the two of us have."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable

TOLERANCE = 300  # seconds between the time in the signature and ours


class SignatureError(Exception):
    """It was not Stripe, or it was long ago. Says which."""


def verify(header: str, body: bytes, secrets: Iterable[str], *, now: float | None = None) -> None:
    """Raises `SignatureError`. While a secret is rolled Stripe signs with two, and the operator may list both."""
    times, signatures = _read(header)
    if len(times) != 1 or not signatures:
        raise SignatureError("The Stripe-Signature header is not there, or is not of the scheme v1.")
    signed = f"{times[0]}.".encode() + body
    expected = [hmac.digest(secret.encode(), signed, hashlib.sha256).hex() for secret in secrets]
    # Every pair is compared, so that the time it takes tells nothing.
    same = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in signatures]
    if not any(same):
        raise SignatureError("No signature is right. Is STRIPE_WEBHOOK_SECRET that of this endpoint?")
    if abs((time.time() if now is None else now) - times[0]) > TOLERANCE:
        raise SignatureError(f"It was signed more than {TOLERANCE} seconds ago, or by another clock.")


def _read(header: str) -> tuple[list[int], list[str]]:
    times, signatures = [], []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) < 16:
            times.append(int(value))
        elif name == "v1":
            signatures.append(value)
    return times, signatures
