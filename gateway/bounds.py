"""What a request may weigh and how long it may take to arrive: enforced before Django sees a byte of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.conf import settings

from gateway import errors

DISCARD_SECONDS = 5.0
DISCARD_BYTES = 256 * 1024 * 1024

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class HangUpError(Exception):
    """The client is gone: there is nobody to answer."""


def check_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name, the first of each. Raises `ApiError` (431)."""
    headers: dict[bytes, bytes] = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        headers.setdefault(name.lower(), value)
    if size > settings.GATEWAY_MAX_HEADER_BYTES or len(scope["headers"]) > settings.GATEWAY_MAX_HEADERS:
        raise errors.ApiError(
            431,
            f"The request's headers are too large: at most {settings.GATEWAY_MAX_HEADERS} headers of together "
            f"{settings.GATEWAY_MAX_HEADER_BYTES} bytes.",
            type=errors.INVALID,
            code="headers_too_large",
        )
    return headers


def announces_body(headers: dict[bytes, bytes]) -> bool:
    """Whether something follows the headers, whatever the method."""
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").lstrip(b"0") != b""


def check_length(headers: dict[bytes, bytes]) -> None:
    """Raises `ApiError` (413) for a body that says itself that it is too large."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > settings.GATEWAY_MAX_BODY_BYTES:
        raise too_large()


def too_large() -> errors.ApiError:
    return errors.ApiError(
        413,
        f"The request's body is larger than {settings.GATEWAY_MAX_BODY_BYTES} bytes.",
        type=errors.INVALID,
        code="request_too_large",
        headers={"connection": "close"},
    )


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises `ApiError` (413, 408), or `HangUpError`."""
    buffer = BytesIO()  # what it gives back at the end is what it has, and no copy
    size = 0
    try:
        now = asyncio.get_running_loop().time
        last = now() + settings.GATEWAY_BODY_TOTAL_SECONDS
        first = min(settings.GATEWAY_BODY_TOTAL_SECONDS, settings.GATEWAY_BODY_IDLE_SECONDS)
        async with asyncio.timeout(first) as patience:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HangUpError
                part = message.get("body", b"")
                size += len(part)
                if size > settings.GATEWAY_MAX_BODY_BYTES:
                    raise too_large()
                if not message.get("more_body") and size == len(part):
                    return bytes(part)
                buffer.write(part)
                if not message.get("more_body"):
                    return buffer.getvalue()
                patience.reschedule(min(last, now() + settings.GATEWAY_BODY_IDLE_SECONDS))
    except TimeoutError as error:
        raise errors.ApiError(
            408,
            "The request's body did not arrive in time. Send it without pauses.",
            type="timeout_error",
            code="request_timeout",
            headers={"connection": "close"},
        ) from error


async def discard(receive: Receive) -> None:
    """Read on for a while after a refusal: a client that is still sending would get a reset instead of the answer."""
    size = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while size < DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


async def hung_up(receive: Receive) -> None:
    """Returns when the client is gone. Only after the body was read to its end."""
    while (await receive())["type"] != "http.disconnect":
        continue
