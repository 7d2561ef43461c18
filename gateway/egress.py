"""The one outbound HTTP client. Nothing else in this code base opens a connection to the outside.

httpx requests and exceptions over the aiohttp transport, called beneath the client: no redirects, no proxies from
the environment, HTTP/1.1, one connection pool for an event loop. Every phase has its time limit.

Providers' addresses come from operators. Those that customers give are called by `post_guarded` alone, which looks
at each address that it is about to connect to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import aiohttp
import httpx
from django.conf import settings
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from gateway import destinations, errors
from gateway.providers.base import Outbound

MAX_CONNECTIONS = 2000
GUARDED_SECONDS = 10
GUARDED_MAX_BYTES = 64 * 1024


class Answer:
    """A provider's answer, its body not yet read. Close it, always."""

    def __init__(self, response: httpx.Response, *, where: str, deadline: float) -> None:
        self._response = response
        self._where = where
        self._deadline = deadline
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it comes. Raises `ApiError` when it stalls, breaks or takes longer than a request may."""
        stream = aiter(self._response.stream)  # type: ignore[arg-type]
        while True:
            try:
                async with asyncio.timeout_at(self._next_deadline()):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise errors.upstream_timeout(f"{self._where} fell silent") from error
            except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
                raise errors.upstream_unavailable(f"{self._where} broke off: {type(error).__name__}") from error
            yield chunk

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
        """Give the connection back, or break it when the body was not read to its end: that stops the provider."""
        try:
            await self._response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            return  # it was broken already

    def _next_deadline(self) -> float:
        now = asyncio.get_running_loop().time()
        return min(now + settings.GATEWAY_IDLE_SECONDS, self._deadline)


class Egress:
    """Make it inside the event loop that will use it; close it when the loop ends."""

    def __init__(self) -> None:
        self._transport = AiohttpTransport(
            trust_env=False,
            client=lambda: aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=httpx.create_ssl_context()),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                # aiohttp reads in two halves of this; larger lines of a stream must not stall it
                read_bufsize=2**18,
            ),
        )

    async def send(self, outbound: Outbound) -> Answer:
        """Send a request and wait for the answer's headers. Raises `ApiError` (502 or 504)."""
        where = httpx.URL(outbound.url).host
        request = httpx.Request(
            outbound.method,
            outbound.url,
            headers={**outbound.headers, "accept-encoding": "identity"},
            content=outbound.body,
            extensions={"timeout": {"connect": settings.GATEWAY_CONNECT_SECONDS}},
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settings.GATEWAY_TOTAL_SECONDS
        try:
            async with asyncio.timeout(settings.GATEWAY_FIRST_BYTE_SECONDS):
                response = await self._transport.handle_async_request(request)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
            if _timed_out(error):
                raise errors.upstream_timeout(f"{where} did not answer in time: {type(error).__name__}") from error
            raise errors.upstream_unavailable(f"{where} could not be reached: {_cause(error)}") from error
        answer = Answer(response, where=where, deadline=deadline)
        refusal = _unusable(answer, where)
        if refusal is not None:
            await answer.aclose()
            raise refusal
        return answer

    async def aclose(self) -> None:
        await self._transport.aclose()


def _unusable(answer: Answer, where: str) -> errors.ApiError | None:
    """Why an answer is not even looked at: redirects are not followed, and what was not asked for is not unpacked."""
    if 300 <= answer.status < 400:
        return errors.upstream_unavailable(f"{where} answered {answer.status}: redirects are refused; check base_url")
    if answer.headers.get("content-encoding", "identity") != "identity":
        return errors.upstream_unavailable(f"{where} sent a compressed body that was not asked for")
    return None


def _timed_out(error: BaseException) -> bool:
    """Whether time ran out. The transport calls a refused connection a timeout too; what lies beneath knows better."""
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)


def _cause(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__


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


def _guarded_session(host: str) -> aiohttp.ClientSession:
    """For one request. A host that the operator lists by name is trusted with whatever address it has."""
    factory = None if destinations.is_exempt(host) else _guarded_socket
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=factory, ssl=httpx.create_ssl_context(), use_dns_cache=False, force_close=True
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def _guarded_socket(address_info: aiohttp.AddrInfoType) -> socket.socket:
    """Made for exactly the address that is connected to next, however it was spelled or resolved."""
    family, kind, protocol, _, address = address_info
    if not destinations.may_connect(str(address[0])):
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
