"""The one outbound HTTP client. Nothing else in this code base opens a connection to a provider.

httpx requests and exceptions over the aiohttp transport, called beneath the client: no redirects, no proxies from
the environment, HTTP/1.1, one connection pool for an event loop. Every phase has its time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

import aiohttp
import httpx
from django.conf import settings
from httpx_aiohttp import AiohttpTransport

from gateway import errors
from gateway.providers.base import Outbound

MAX_CONNECTIONS = 2000


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
