"""HTTP/1.1 as Uvicorn speaks it, within bounds: headers in time and of a size, answers taken in time, the rest of a
refused body read for a while. An answer's head goes out together with what comes first after it.

A request's ASGI scope holds its `Answer` under `extensions`, for whoever wants to know more of the caller than ASGI
tells. See `gateway.bounds.Line`.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
from django.conf import settings
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from config.health import CHECKS
from gateway import errors
from gateway.bounds import LINE

log = logging.getLogger(__name__)

HEAD_BYTES = 64 * 1024  # beyond what any plane takes, and far below what would hurt
LINGER_SECONDS = 5.0  # for the rest of a body that was refused: its sender would get a reset instead of the answer
LINGER_BYTES = 256 * 1024 * 1024
WAITING_REQUESTS = 16  # of one connection; with more it is not read on, and so it shows only later that it has gone
WITHOUT_BODY = frozenset({204, 304})
FRAMING = (b"content-length", b"transfer-encoding")
INVALID = errors.ApiError(400, "What arrived is no valid HTTP/1.1 request.", type=errors.INVALID, code="invalid_http")
TOO_LARGE = errors.ApiError(431, "The request's headers are too large.", type=errors.INVALID, code="headers_too_large")


class Answer(RequestResponseCycle):
    """One request's answer, and what is known of its caller."""

    on_hang_up: Callable[[], None] | None = None

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._is_http_1_0 = self.scope["http_version"] == "1.0"
        self._head = b""
        self._parts: list[bytes] = []
        self._length: int | None = None  # of the answer, where it says so

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body is here, so that nothing need be waited for."""
        return not self.more_body

    @property
    def is_gone(self) -> bool:
        return self.disconnected

    def let_go(self) -> None:
        """Nobody is there to be answered, unless they were already."""
        if self.response_complete:
            return
        self.disconnected = True
        self.message_event.set()
        if self.on_hang_up is not None:
            self.on_hang_up()

    def take(self, part: bytes) -> None:
        self._parts.append(part)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._parts))

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        parts, self._parts = self._parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        elif not self.response_started or self.response_complete:
            raise RuntimeError(f"an application sent {message['type']} out of its turn")
        else:
            self._write(message.get("body", b""), more=message.get("more_body", False))

    def _begin(self, status: int, headers: Any) -> None:
        if self.response_started:
            raise RuntimeError("an application began its answer twice")
        self.response_started, self.waiting_for_100_continue = True, False
        lines = [STATUS_LINE[status]]
        has_close = False
        for name, value in (*self.default_headers, *headers):
            lower = name.lower()
            if lower == b"content-length":
                self._length = int(value)
            elif lower == b"transfer-encoding":
                continue  # how an answer is framed is decided here
            elif lower == b"connection" and value.lower() == b"close":
                self.keep_alive, has_close = False, True
            lines.append(b"%s: %s\r\n" % (lower, value))
        if self._length is None and self.scope["method"] != "HEAD" and status not in WITHOUT_BODY:
            self.keep_alive = self.keep_alive and not self._is_http_1_0  # there, an answer ends with its connection
            self.chunked_encoding = not self._is_http_1_0
            if self.chunked_encoding:
                lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive and not has_close:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise RuntimeError("a header of an answer has more than one line")
        self._head = head + b"\r\n"

    def _write(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._length is not None:
            self._length -= len(body)
            if self._length < 0 or (self._length and not more):
                raise RuntimeError("an answer is not as long as its content-length says")
        if self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        if self._head:
            body, self._head = self._head + body, b""
        if body:
            self.transport.write(body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive and not self.more_body:
                self.transport.close()
            self.on_response()


async def _refuse_for_now(scope: Any, receive: Any, send: Any) -> None:
    error = errors.unavailable(
        "There are more requests here than can be served at once. Try again in a few seconds.",
        hint="GATEWAY_REQUESTS_PER_PROCESS are being served: run more workers, or raise it",
    )
    log.warning("%s", error.hint)
    content = error.body()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class _AfterHead:
    """What a parser calls that is told a head for the second time: nothing of that is news."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_news = False

    def on_message_begin(self) -> None:
        if self._is_news:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._is_news:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_news:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_news:
            self._connection.on_headers_complete()
        self._is_news = True

    def on_body(self, body: bytes) -> None:
        self._connection.on_body(body)

    def on_message_complete(self) -> None:
        self._connection.on_message_complete()


class Connection(HttpToolsProtocol):
    """A caller's connection."""

    cycle: Answer

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._answering: Answer | None = None  # which is not `cycle` when others have come meanwhile
        self._in_head = True
        self._head_size = 0
        self._refused = False  # what comes is read, so that the answer arrives, but not looked at
        self._refused_size = 0
        self._patience: TimerHandle | None = None  # with the headers, or with the rest of a refused body
        self._write_patience: TimerHandle | None = None

    # -- what arrives -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._be_patient(settings.GATEWAY_HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(INVALID)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        if self._in_head and self._head_size + len(data) > HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif self._in_head:
            self._head_size += len(data)
            if self._patience is None:
                self._be_patient(settings.GATEWAY_HEADER_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._lose_patience()
        version, scope = self.parser.get_http_version(), cast("dict[str, Any]", self.scope)
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["http_version"] = version
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = Answer(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        scope["extensions"] = {LINE: self.cycle}
        has_room = len(self.tasks) < settings.GATEWAY_REQUESTS_PER_PROCESS or scope["path"] in CHECKS
        app = self.app if has_room else _refuse_for_now
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.pipeline.appendleft((self.cycle, app))
            if len(self.pipeline) >= WAITING_REQUESTS:
                self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cast("Answer", cycle)
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._refused_size += len(body)
            if self._refused_size > LINGER_BYTES:
                self.transport.close()
            return
        self.cycle.take(body)
        if self.cycle.waiting > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # it says so before the body
        self.cycle.more_body = False
        if not self.cycle.response_complete:
            self.cycle.message_event.set()
            return
        self._lose_patience()  # with what was refused
        if not self.cycle.keep_alive:
            self.transport.close()

    def _decline(self, rest: bytes) -> None:
        """Some clients offer to speak HTTP/2 with every request. The parser leaves what follows to whoever takes the
        offer, so another one goes on from here."""
        self.parser = httptools.HttpRequestParser(_AfterHead(self))
        framing = [b"%b: %b\r\n" % header for header in self.headers if header[0] in FRAMING]
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        if rest:
            self.data_received(rest)

    # -- what leaves --------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body and self.cycle.response_complete:
            self._refused_size = 0
            self._be_patient(LINGER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_patience is None:
            self._write_patience = self.loop.call_later(settings.GATEWAY_CLIENT_WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_patience is not None:
            self._write_patience.cancel()
            self._write_patience = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose_patience()
        super().connection_lost(exc)
        if self._write_patience is not None:
            self._write_patience.cancel()
        if self._answering is not None:
            self._answering.let_go()

    # -- patience -----------------------------------------------------------------------------------

    def _be_patient(self, seconds: float) -> None:
        self._lose_patience()
        self._patience = self.loop.call_later(seconds, self.transport.close)

    def _lose_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, error: errors.ApiError) -> None:
        """What comes is no request. One that is being read or answered ends with it: what follows it cannot be told."""
        if self._answering is not None and not self._answering.response_complete:
            has_begun = self._answering.response_started
            self._answering.let_go()
            if has_begun:
                self.transport.close()
                return
        content = error.body()
        head = b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (STATUS_LINE[error.status], len(content)) + content)
        self._refused, self._in_head = True, False
        self.transport.write_eof()
        self._be_patient(LINGER_SECONDS)
