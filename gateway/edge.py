"""The data plane's own ASGI handler: key, limit, body, endpoint, answer, and nothing else for a request to pay for.

Django's stock handler starts a thread context and calls signal receivers for each request; this one resolves the
URL, awaits the endpoint and writes. Every error under /v1 is written here, in one shape.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import lru_cache

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_resolver

from accounts.addresses import address_of, network_of
from gateway import errors, request_ids
from gateway.allowances import Allowance
from gateway.api import ApiRequest, EventStreamResponse, WholeAnswer
from gateway.auth import Caller, authenticate, check_standing
from gateway.bounds import (
    HangUpError,
    Receive,
    Scope,
    Send,
    announces_body,
    check_headers,
    check_length,
    discard,
    hung_up,
    line_of,
    read_body,
)
from gateway.operations import OPERATIONS
from gateway.providers import providers
from gateway.routes import methods_of
from gateway.runtime import Runtime

log = logging.getLogger(__name__)

URLCONF = "gateway.urls"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Exchange:
    """One request and its answer."""

    def __init__(self, runtime: Runtime, scope: Scope, receive: Receive, send: Send) -> None:
        self.runtime = runtime
        self.scope = scope
        self.receive = receive
        self.started = time.monotonic()
        self.request_id = request_ids.new()
        self.external_id = ""
        self.status = 0
        self.allowance: Allowance | None = None  # of its key: told on whatever the answer turns out to be
        self._send = send
        self._streaming = False
        self._unread = False  # there is a body, and nobody has read it
        self._gone = False  # the caller hung up, or does not take what is sent
        self._outlived = False  # the caller hung up, and the answer is made for a retry
        self._task = asyncio.current_task()
        self._line = line_of(scope)
        self.shown_id = str(self.request_id)

    async def run(self) -> None:
        """Answer. Errors of every kind become answers; only cancellation passes through."""
        try:
            await self._answer_or_refuse()
        except HangUpError:
            self.status = 499
        except asyncio.CancelledError:
            if not self._gone or self._task is None:  # somebody else's doing: the server stops
                raise
            self._task.uncancel()
            self.status = 499
        finally:
            self._log_line()

    async def _answer_or_refuse(self) -> None:
        try:
            await self._answer()
        except HangUpError:
            raise
        except errors.ApiError as error:
            await self._refuse(error)
        except Exception:  # the last resort of the process: logged whole, told as nothing
            log.exception("a request failed for a reason of our own", extra={"request_id": self.shown_id})
            await self._admit_failure()

    async def _answer(self) -> None:
        headers = check_headers(self.scope)
        self._unread = announces_body(headers)
        peer = (self.scope.get("client") or ("", 0))[0]
        if b"x-request-id" in headers:
            self.external_id = request_ids.external(headers[b"x-request-id"].decode("latin-1"), peer)
            self.shown_id = self.external_id or self.shown_id
        principal = await authenticate(
            headers.get(b"authorization", b"").decode("latin-1"),
            self.runtime.directory,
            caller=_caller(peer, self.scope),
            strangers=self.runtime.strangers,
        )
        self.runtime.last_use.note(principal.secret_id)
        self.allowance = allowance = await self.runtime.allowances.admit(principal)
        allowance.check()
        check_standing(principal)
        request = ApiRequest(self.scope)
        request.runtime, request.principal, request.allowance = self.runtime, principal, allowance
        if b"idempotency-key" in headers:
            request.idempotency_key = headers[b"idempotency-key"].decode("latin-1")
        endpoint = _find(request)
        _check_method(request, endpoint)
        if request.method in WITH_BODY:
            check_length(headers)
            _check_content_type(headers.get(b"content-type", b""))
            request.content = await read_body(self.receive, self._line)
            self._unread = False
        request.entry = self.runtime.ledger.open(
            request_id=self.request_id,
            external_id=self.external_id,
            organization_id=principal.organization_id,
            api_key_id=principal.api_key_id,
            project_id=principal.project_id,
            member_id=principal.member_id,
            started=self.started,
        )
        await self._until_hung_up(request, endpoint)

    async def _until_hung_up(self, request: ApiRequest, endpoint: ResolverMatch) -> None:
        """Serve, but stop at once when the client goes: whatever runs upstream costs money."""

        def leave() -> None:
            if request.outlives_its_caller and self._task is not None:
                self._outlived = True
                self.runtime.keep_running(self._task)
            else:
                self._hang_up()

        if self._line is None:
            with _watching(self.receive, leave):
                await self._serve(request, endpoint)
        else:
            if self._line.is_gone:
                raise HangUpError
            self._line.on_hang_up = leave
            try:
                await self._serve(request, endpoint)
            finally:
                self._line.on_hang_up = None
        if self._outlived:
            raise HangUpError

    def _hang_up(self) -> None:
        """Nobody is there to answer: `run` ends by it, and so does whatever it waits for."""
        if self._task is not None:
            self._gone = True
            self._task.cancel()

    async def _serve(self, request: ApiRequest, endpoint: ResolverMatch) -> None:
        try:
            response = await _ask(request, endpoint)
            if isinstance(response, WholeAnswer):
                await self._write(response.status_code, response.told, response.content)
            elif isinstance(response, EventStreamResponse):
                await self._write_stream(response)
            else:
                await self._write(response.status_code, dict(response.headers), _content(response))
        finally:
            if request.lease is not None:
                self.runtime.streams.close(request.lease)
            request.allowance.settle(request.entry)

    async def _write(self, status: int, headers: dict[str, str], content: bytes) -> None:
        headers["content-length"] = str(len(content))
        await self._start(status, headers)
        await self._body(content, more=False)

    async def _write_stream(self, response: EventStreamResponse) -> None:
        async with aclosing(response.stream):
            self._streaming = True
            await self._start(response.status_code, dict(response.headers))
            heartbeat = asyncio.create_task(self._keep_alive())
            try:
                async with aclosing(response.stream.events()) as events:
                    async for event in events:
                        await self._body(event, more=True)
                await self._body(b"", more=False)
            finally:
                heartbeat.cancel()

    async def _keep_alive(self) -> None:
        """A comment when nothing was sent for a while, so that proxies and clients do not give up on a slow model."""
        while True:
            silent = time.monotonic() - self._written_at
            if silent >= settings.GATEWAY_KEEP_ALIVE_SECONDS:
                await self._body(b": keep-alive\n\n", more=True)
                silent = 0
            await asyncio.sleep(settings.GATEWAY_KEEP_ALIVE_SECONDS - silent)

    async def _refuse(self, error: errors.ApiError) -> None:
        if error.hint:
            log.warning("%s: %s", error.code, error.hint, extra={"request_id": self.shown_id})
        await self._write(error.status, {"content-type": "application/json", **error.headers}, error.body())
        if self._line is None and self._unread and error.status != 408:
            await discard(self.receive)  # whoever still sends would get a reset instead of the answer

    async def _admit_failure(self) -> None:
        """A 500, or, when a stream has begun, an error event: never an answer that looks finished."""
        if not self.status:
            await self._refuse(errors.internal())
        elif self._streaming:
            await self._body(b"data: " + errors.internal().body() + b"\n\n", more=False)

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        if self._outlived:
            return
        told = self.allowance.headers() if self.allowance else {}
        headers = {**headers, **told, "x-request-id": self.shown_id}
        headers["openai-processing-ms"] = str(round((time.monotonic() - self.started) * 1000))
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _body(self, content: bytes, *, more: bool) -> None:
        self._written_at = time.monotonic()
        if self._outlived:
            return
        if self._line is not None:  # which has a patience of its own
            await self._send({"type": "http.response.body", "body": content, "more_body": more})
            return
        patience = asyncio.get_running_loop().call_later(settings.GATEWAY_CLIENT_WRITE_SECONDS, self._hang_up)
        try:
            await self._send({"type": "http.response.body", "body": content, "more_body": more})
        finally:
            patience.cancel()

    def _log_line(self) -> None:
        took = time.monotonic() - self.started
        self.runtime.access_log.note(self.scope["method"], self.scope["path"], self.status or 499, self.shown_id, took)


@contextmanager
def _watching(receive: Receive, leave: Callable[[], None]) -> Iterator[None]:
    """Calls `leave` when the client goes meanwhile, with a server that does not tell by itself."""
    serving = True

    def gone(watching: asyncio.Task[None]) -> None:
        if serving and not watching.cancelled():
            leave()

    watching = asyncio.create_task(hung_up(receive))
    watching.add_done_callback(gone)
    try:
        yield
    finally:
        serving = False
        watching.cancel()


def _caller(peer: str, scope: Scope) -> Caller:
    """With all of `X-Forwarded-For`: some proxies write a line of their own."""
    lines = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    seen = (peer, b", ".join(lines).decode("latin-1"), tuple(settings.TRUSTED_PROXIES))
    return Caller(address_of(*seen), network_of(*seen))


def _find(request: ApiRequest) -> ResolverMatch:
    """The endpoint of the path. Raises `ApiError` (404), before anything of the body is read."""
    try:
        return _resolve(request.path_info)
    except Http404 as error:
        raise _unknown_url(request) from error


@lru_cache(maxsize=256)
def _resolve(path: str) -> ResolverMatch:
    """Raises `Http404`, which is not remembered."""
    return get_resolver(URLCONF).resolve(path)


def _check_method(request: ApiRequest, endpoint: ResolverMatch) -> None:
    """Raises `ApiError` (405), before anything of the body is looked at."""
    taken = methods_of(endpoint.url_name)
    if taken and request.method not in taken:
        raise errors.ApiError(
            405,
            f"{request.path} does not take {request.method}; it takes {', '.join(taken)}.",
            type=errors.INVALID,
            code="method_not_allowed",
            headers={"allow": ", ".join(taken)},
        )


async def _ask(request: ApiRequest, endpoint: ResolverMatch) -> HttpResponseBase:
    """What the endpoint answers. Raises `ApiError`."""
    try:
        response: HttpResponseBase = await endpoint.func(request, *endpoint.args, **endpoint.kwargs)
    except Http404 as error:  # what ninja has at /v1/ itself
        raise _unknown_url(request) from error
    return response


def _unknown_url(request: ApiRequest) -> errors.ApiError:
    return errors.ApiError(
        404,
        f"There is no {request.method} {request.path}. The API's paths begin with /v1 and are listed in the docs.",
        type=errors.INVALID,
        code="unknown_url",
    )


def _content(response: HttpResponseBase) -> bytes:
    if not isinstance(response, HttpResponse):
        raise TypeError(f"an endpoint answered with {type(response).__name__}")
    return response.content


def _check_content_type(value: bytes) -> None:
    media = value.split(b";", 1)[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        raise errors.ApiError(
            415,
            f"The body must be sent as Content-Type: application/json, not {media.decode('latin-1') or 'nothing'}.",
            type=errors.INVALID,
            code="unsupported_media_type",
        )


class DataPlane:
    """The ASGI application for /v1."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    async def start(self) -> Runtime:
        if self._runtime is None:
            self._runtime = Runtime()
            await self._runtime.start()
            for operation in OPERATIONS:  # what is put together when it is first asked for, which takes a while
                _resolve(f"/v1{operation.path}")
                for provider in providers().values():
                    provider.dialect(operation.name)
        return self._runtime

    async def stop(self) -> None:
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Exchange(await self.start(), scope, receive, send).run()
