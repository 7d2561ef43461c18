"""Calls to addresses that are not a provider's: those that customers give, and a few that the operator set.

What a customer gives is called by `post_guarded` and `get_guarded` alone, which look at each address that they are
about to connect to, however it was spelled, resolved or redirected.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from gateway import destinations

GUARDED_SECONDS = 10
GUARDED_MAX_BYTES = 64 * 1024
MAX_REDIRECTS = 3
LOOKUPS = 16  # names of customers' hosts that are looked up at once


class UnreachableError(Exception):
    """There is no answer from the address. Says why; names the host, never the path."""


class _RefusedError(OSError):
    """The name leads to an address that may not be called."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the address answered: redirects are answers too, and are not followed."""

    status: int
    body: bytes


async def post_guarded(url: str, *, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send to an address that a customer gave. Raises `UnreachableError`."""
    try:
        destinations.check_url(url)
        host = URL(url).host or ""  # as the client reads it, so that nothing is exempt by another reading
    except ValueError as error:
        raise UnreachableError(str(error)) from error
    try:
        async with (
            asyncio.timeout(GUARDED_SECONDS),
            _guarded_session(host) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return Reply(response.status, await _first_bytes(response.content))
    except TimeoutError as error:
        raise UnreachableError(f"{host} did not answer within {GUARDED_SECONDS} seconds.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        refused = _refusal(error)
        raise UnreachableError(f"{host} {refused or f'could not be reached: {type(error).__name__}.'}") from error


async def post_trusted(url: str, *, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
    """Send to an address that the operator set, wherever it leads. Raises `UnreachableError`."""
    host = URL(url).host or ""
    try:
        async with (
            asyncio.timeout(seconds),
            _guarded_session(host, [host]) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return Reply(response.status, await _first_bytes(response.content))
    except TimeoutError as error:
        raise UnreachableError(f"{host} did not answer within {seconds:g} seconds.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UnreachableError(f"{host} could not be reached: {type(error).__name__}.") from error


def _guarded_session(host: str, listed: Sequence[str] | None = None) -> aiohttp.ClientSession:
    """For one request. A host that the operator lists by name is trusted with whatever address it has."""
    factory = None if destinations.is_exempt(host, listed=listed) else partial(_guarded_socket, listed=listed)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=factory, resolver=_Resolver(), ssl=tls(), use_dns_cache=False, force_close=True
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


@cache
def tls() -> ssl.SSLContext:
    """Made once: reading the authorities takes longer than many a request."""
    return httpx.create_ssl_context()


@cache
def _lookups() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")


class _Resolver(AbstractResolver):
    """Looks names up in threads of its own: a customer's name server that never answers holds up no other work."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(_lookups(), look)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(at[0]), port=int(at[1]), family=of, proto=protocol, flags=numeric)
            for of, _, protocol, _, at in found
        ]

    async def close(self) -> None:
        return None


def _guarded_socket(address_info: aiohttp.AddrInfoType, listed: Sequence[str] | None = None) -> socket.socket:
    """Made for exactly the address that is connected to next, however it was spelled or resolved."""
    family, kind, protocol, _, address = address_info
    if not destinations.may_connect(str(address[0]), listed=listed):
        raise _RefusedError(f"leads to {address[0]}, which is not a public address.")
    return socket.socket(family=family, type=kind, proto=protocol)


async def _first_bytes(content: aiohttp.StreamReader) -> bytes:
    parts = bytearray()
    while len(parts) < GUARDED_MAX_BYTES:
        chunk = await content.read(GUARDED_MAX_BYTES - len(parts))
        if not chunk:
            break
        parts += chunk
    return bytes(parts)


def _refusal(error: BaseException | None) -> str | None:
    """What the guard said, if it was the guard; with several addresses its word is the whole of the message."""
    while error is not None:
        if isinstance(error, _RefusedError):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


# -- what customers name for us to fetch ------------------------------------------------------------


class Allowance:
    """Bytes that may be fetched in all: one for everything that a request names."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._left = size

    def take(self, count: int) -> None:
        """Raises `UnreachableError` when there is not as much left."""
        self._left -= count
        if self._left < 0:
            raise UnreachableError(f"There is more than the {self.size} bytes that are fetched for one request.")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What stands at an address."""

    media: str
    body: bytes


async def get_guarded(url: str, *, media: Collection[str], allowance: Allowance, seconds: float) -> Fetched:
    """Fetch what a customer named, if it is of one of these media types. Raises `UnreachableError`.

    Each redirect is looked at as the first address was. What is said of a host that could not be reached is the same
    whether it does not answer or may not be called: nobody learns here which names there are in our own network.
    """
    try:
        async with asyncio.timeout(seconds):
            for _ in range(MAX_REDIRECTS + 1):
                found = await _get_once(url, media, allowance)
                if isinstance(found, Fetched):
                    return found
                url = found
    except TimeoutError as error:
        raise UnreachableError(f"It did not arrive within {seconds:g} seconds.") from error
    raise UnreachableError(f"It is redirected more than {MAX_REDIRECTS} times.")


async def _get_once(url: str, media: Collection[str], allowance: Allowance) -> Fetched | str:
    """What stands there, or the address that it is redirected to."""
    try:
        destinations.check_image_url(url)
        host = URL(url).host or ""
    except ValueError as error:
        raise UnreachableError(str(error)) from error
    headers = {"accept": ", ".join(sorted(media)), "accept-encoding": "identity", "user-agent": "2389-images"}
    try:
        async with (
            _guarded_session(host, settings.GATEWAY_IMAGE_HOSTS) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status in {301, 302, 303, 307, 308} and "location" in response.headers:
                return str(response.url.join(URL(response.headers["location"])))
            return await _read_media(response, host, media, allowance)
    except TimeoutError:
        raise
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UnreachableError(f"{host} cannot be reached on the public internet, or broke off.") from error


async def _read_media(
    response: aiohttp.ClientResponse, host: str, media: Collection[str], allowance: Allowance
) -> Fetched:
    if response.status != 200:
        raise UnreachableError(f"{host} answered {response.status}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnreachableError(f"{host} sent it compressed, which was not asked for.")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in media:
        raise UnreachableError(f"{host} sent '{kind[:80]}'. It must be one of {', '.join(sorted(media))}.")
    allowance.take(response.content_length or 0)
    body, counted = bytearray(), response.content_length or 0
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > counted:
            allowance.take(len(body) - counted)
            counted = len(body)
    if not body:
        raise UnreachableError(f"{host} sent nothing.")
    return Fetched(kind, bytes(body))
