"""The outbound HTTP client for providers. Only this and `gateway.guarded` open connections to the outside.

Providers are asked over HTTP/1.1, on connections that are kept (`gateway.connections`): no redirects, no proxies from
the environment, and every phase has its time limit.

Providers' addresses come from operators. Those that customers give are called by `gateway.guarded`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
from aiohappyeyeballs import start_connection
from django.conf import settings

from gateway import errors
from gateway.connections import Connections, Origin
from gateway.guarded import tls
from gateway.providers.base import Outbound
from gateway.upstream_http import BrokenError, Connection, Response, SilentError

MAX_CONNECTIONS = 2000
NAMES_ARE_KNOWN_SECONDS = 10.0
SECOND_ADDRESS_AFTER_SECONDS = 0.25  # as RFC 8305 says, when the first does not answer


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
            response = await self._connections.ask(
                place.origin, head, pieces, patience=settings.GATEWAY_FIRST_BYTE_SECONDS
            )
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
        context, name = (tls(), origin.host) if origin.tls else (None, None)
        async with asyncio.timeout(settings.GATEWAY_CONNECT_SECONDS):
            addresses = await self._addresses(origin)
            if len(addresses) == 1:  # nothing to choose from, which is sooner done
                host, port = addresses[0][4][:2]
                _, connection = await loop.create_connection(protocol, host, port, ssl=context, server_hostname=name)
                return connection
            connected = await start_connection(
                addresses, interleave=1, happy_eyeballs_delay=SECOND_ADDRESS_AFTER_SECONDS
            )
            try:
                _, connection = await loop.create_connection(
                    protocol, sock=connected, ssl=context, server_hostname=name
                )
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
