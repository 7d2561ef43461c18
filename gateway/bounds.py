"""What a request may weigh and how long it may take to arrive: enforced before Django sees a byte of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any, Protocol

from django.conf import settings

from gateway import errors

DISCARD_SECONDS = 5.0
DISCARD_BYTES = 256 * 1024 * 1024

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


LINE = "2389.line"  # the name among a scope's extensions


class HangUpError(Exception):
    """The client is gone: there is nobody to answer."""


class Line(Protocol):
    """What our server tells of a request's caller beyond ASGI. It also sees to it that answers are taken in time, and
    that the rest of a body that was refused is read for a while."""

    on_hang_up: Callable[[], None] | None  # called when they go before they were answered

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body is here already."""

    @property
    def is_gone(self) -> bool: ...


def line_of(scope: Scope) -> Line | None:
    """None with another server, as tests have it."""
    found: Line | None = (scope.get("extensions") or {}).get(LINE)
    return found


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


async def read_body(receive: Receive, line: Line | None = None) -> bytes:
    """The whole body. Raises `ApiError` (413, 408), or `HangUpError`."""
    if line is not None and line.has_arrived:  # nothing to be waited for, so there need be no patience
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HangUpError
        if len(message["body"]) > settings.GATEWAY_MAX_BODY_BYTES:
            raise too_large()
        return bytes(message["body"])
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
