"""The connections that billing needs for payments, opened where all are opened. The setting BILLING_CALL names this."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from billing.stripe.api import AwayError
from gateway import guarded


def call(url: str, *, headers: Mapping[str, str], body: bytes, seconds: float) -> tuple[int, bytes]:
    """The answer's status and body. Raises `AwayError`."""
    try:
        reply = asyncio.run(guarded.post_trusted(url, headers=headers, body=body, seconds=seconds))
    except guarded.UnreachableError as error:
        raise AwayError(str(error)) from error
    return reply.status, reply.body
