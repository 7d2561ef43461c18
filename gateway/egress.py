"""The one outbound HTTP client. Nothing else in this code base opens a connection to the outside.

Providers are asked over HTTP/1.1, on connections that are kept (`gateway.connections`): no redirects, no proxies from
the environment, and every phase has its time limit.

Providers' addresses come from operators. Those that customers give are called by `post_guarded` and `get_guarded`
alone, which look at each address that they are about to connect to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import aiohttp
import httpx
from aiohappyeyeballs import start_connection
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from gateway import destinations, errors
from gateway.connections import Connections, Origin
from gateway.providers.base import Outbound
from gateway.upstream_http import BrokenError, Connection, Response, SilentError

MAX_CONNECTIONS = 2000
NAMES_ARE_KNOWN_SECONDS = 10.0
SECOND_ADDRESS_AFTER_SECONDS = 0.25  # as RFC 8305 says, when the first does not answer
GUARDED_SECONDS = 10
GUARDED_MAX_BYTES = 64 * 1024
MAX_REDIRECTS = 3
LOOKUPS = 16  # names of customers' hosts that are looked up at once


class Answer:
    """A provider's answer, its body not yet read. Close it, always."""

    def __init__(self, response: Response, *, where: str) -> None:
        self._response = response
        self._where = where
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it comes. Raises `ApiError` when it stalls, breaks or takes longer than a request may."""
        self._response.patience = settings.GATEWAY_IDLE_SECONDS
        try:
            while piece := await self._response.piece():
                yield piece
        except SilentError as error:
            raise errors.upstream_timeout(f"{self._where} fell silent") from error
        except BrokenError as error:
            raise errors.upstream_unavailable(f"{self._where} broke off: {error}") from error
        finally:
            self._response.stop_waiting()

    async def read(self) -> bytes:
        """The whole body, up to GATEWAY_MAX_UPSTREAM_BYTES."""
        parts, size = [], 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > settings.GATEWAY_MAX_UPSTREAM_BYTES:
                raise errors.upstream_unavailable(f"{self._where} sent more than GATEWAY_MAX_UPSTREAM_BYTES")
            parts.append(chunk)
        return b"".join(parts)

    async def aclose(self) -> None:
        """Break the connection when the body was not read to its end: that stops the provider."""
        self._response.abandon()


class Egress:
    """Make it inside the event loop that will use it; close it when the loop ends."""

    def __init__(self) -> None:
        self._connections = Connections(self._open, most=MAX_CONNECTIONS)
        self._names: dict[Origin, tuple[float, asyncio.Task[Sequence[aiohttp.AddrInfoType]]]] = {}

    async def send(self, outbound: Outbound) -> Answer:
        """Send a request and wait for the answer's headers. Raises `ApiError` (502 or 504)."""
        place = _place(outbound.url)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settings.GATEWAY_TOTAL_SECONDS
        try:
            pieces = outbound.pieces
            head = _head(outbound, place, sum(map(len, pieces)))
            async with asyncio.timeout(settings.GATEWAY_FIRST_BYTE_SECONDS):
                response = await self._connections.ask(place.origin, head, pieces)
        except TimeoutError as error:
            raise errors.upstream_timeout(f"{place.origin.host} did not answer in time") from error
        except (BrokenError, OSError, ValueError) as error:
            raise errors.upstream_unavailable(
                f"{place.origin.host} could not be reached: {type(error).__name__}"
            ) from error
        response.deadline = deadline
        answer = Answer(response, where=place.origin.host)
        refusal = _unusable(answer, place.origin.host)
        if refusal is not None:
            await answer.aclose()
            raise refusal
        return answer

    async def aclose(self) -> None:
        for _, looking in self._names.values():
            looking.cancel()
        await self._connections.close()

    async def _open(self, origin: Origin, protocol: Callable[[], Connection]) -> Connection:
        """Raises `OSError`, of which `TimeoutError` is one."""
        loop = asyncio.get_running_loop()
        tls, name = (_tls(), origin.host) if origin.tls else (None, None)
        async with asyncio.timeout(settings.GATEWAY_CONNECT_SECONDS):
            addresses = await self._addresses(origin)
            if len(addresses) == 1:  # nothing to choose from, which is sooner done
                host, port = addresses[0][4][:2]
                _, connection = await loop.create_connection(protocol, host, port, ssl=tls, server_hostname=name)
                return connection
            connected = await start_connection(
                addresses, interleave=1, happy_eyeballs_delay=SECOND_ADDRESS_AFTER_SECONDS
            )
            try:
                _, connection = await loop.create_connection(protocol, sock=connected, ssl=tls, server_hostname=name)
            except BaseException:
                connected.close()
                raise
        return connection

    async def _addresses(self, origin: Origin) -> Sequence[aiohttp.AddrInfoType]:
        """Looked up once for all who ask at the same time, and known for a while."""
        now = asyncio.get_running_loop().time()
        until, looking = self._names.get(origin, (0.0, None))
        if looking is None or until < now or _has_failed(looking):
            looking = asyncio.create_task(_look_up(origin))
            looking.add_done_callback(_has_failed)  # also when nobody waits for it any more
            self._names[origin] = (now + NAMES_ARE_KNOWN_SECONDS, looking)
        return await asyncio.shield(looking)


async def _look_up(origin: Origin) -> Sequence[aiohttp.AddrInfoType]:
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


@dataclass(frozen=True, slots=True)
class _Place:
    """A URL, taken apart."""

    origin: Origin
    head: str  # what a request to it begins with, up to its method


@lru_cache(maxsize=4096)
def _place(url: str) -> _Place:
    """Raises `ApiError` (502) for a URL that cannot be called."""
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise errors.upstream_unavailable(f"a provider's base_url is no URL: {error}") from error
    if read.scheme not in ("http", "https") or not read.host:
        raise errors.upstream_unavailable("a provider's base_url must begin with https:// or http:// and name a host")
    tls = read.scheme == "https"
    origin = Origin(read.raw_host.decode("ascii").strip("[]"), read.port or (443 if tls else 80), tls)
    line, host = read.raw_path.decode("ascii"), read.netloc.decode("ascii")
    return _Place(origin, f" {line} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\naccept-encoding: identity\r\n")


def _head(outbound: Outbound, place: _Place, size: int) -> bytes:
    """The request up to its body. Raises `ValueError` for a header that would be more than one."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in outbound.headers.items()])
    lines = len(outbound.headers)
    if fields.count("\n") != lines or fields.count("\r") != lines or "\0" in fields:
        raise ValueError("a header has a line break in it")
    return f"{outbound.method}{place.head}{fields}content-length: {size}\r\n\r\n".encode("latin-1")


def _unusable(answer: Answer, where: str) -> errors.ApiError | None:
    """Why an answer is not even looked at: redirects are not followed, and what was not asked for is not unpacked."""
    if 300 <= answer.status < 400:
        return errors.upstream_unavailable(f"{where} answered {answer.status}: redirects are refused; check base_url")
    if answer.headers.get("content-encoding", "identity") != "identity":
        return errors.upstream_unavailable(f"{where} sent a compressed body that was not asked for")
    return None


# -- addresses that customers give ------------------------------------------------------------------


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
            socket_factory=factory, resolver=_Resolver(), ssl=_tls(), use_dns_cache=False, force_close=True
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


@cache
def _tls() -> ssl.SSLContext:
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
