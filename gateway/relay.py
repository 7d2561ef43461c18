"""An answer on its way to the caller, event by event, settled when it ends, whichever way that is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from billing import money
from billing.entries import Entry as LedgerEntry
from billing.entries import Rule
from billing.ledger import Ledger
from billing.usage import Usage, UsageSource
from gateway import errors
from gateway.providers.base import Answer, Call, ChunkStream, Dialect
from gateway.sse import Event, Parser

log = logging.getLogger(__name__)

HUNG_UP = 499
AFTER_THE_LAST_EVENT_SECONDS = 0.25
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)  # what a translator meets in a misshapen answer


@dataclass(frozen=True, slots=True)
class Served:
    """A call that a provider has accepted: its status was 200. The answer is still to be read, and to be closed."""

    call: Call
    dialect: Dialect[Any]
    answer: Answer

    def headers(self, ledger: LedgerEntry) -> dict[str, str]:
        """Who answered, when that is not the model that was asked for, and the limit that its money sets."""
        served, requested = self.call.target.model, ledger.model_requested
        told = {} if ledger.max_tokens is None else {"x-2389-max-tokens": str(ledger.max_tokens)}
        if served != requested:
            told |= {"x-2389-model-requested": requested, "x-2389-model-served": served}
        return told


class Relay:
    """Server-sent events for the caller. Read its `events`, then `aclose`: settled once, whichever way it ended."""

    def __init__(self, served: Served, entry: LedgerEntry, ledger: Ledger) -> None:
        self.headers = served.headers(entry)
        self._served = served
        self._entry = entry
        self._ledger = ledger
        self._translator: ChunkStream = served.dialect.stream(served.call)
        self._complete = False
        self._events = self._relay()
        self._first = b""

    @classmethod
    async def begin(cls, served: Served, entry: LedgerEntry, ledger: Ledger) -> Relay:
        """Wait for the first event. Raises `ApiError` while that can still become an HTTP status."""
        stream = cls(served, entry, ledger)
        try:
            stream._first = await anext(stream._events, b"")
        except BaseException:
            await stream._events.aclose()
            raise
        entry.mark_first_token()
        entry.measure = stream._translator.measured
        return stream

    async def events(self) -> AsyncGenerator[bytes]:
        """Whole events, as many at a time as the provider sent together."""
        yield self._first
        try:
            async for events in self._events:
                yield events
        except errors.ApiError as error:
            note_error(self._entry, error)
            log.warning("a stream failed half way: %s", error.hint or error.code, extra=_ids(self._entry))
            await self._settle()
            yield b"data: " + error.body() + b"\n\n"
            return
        self._complete = True
        self._entry.status = 200
        await self._settle()
        if self._served.call.include_usage and self._entry.quote and not self._entry.quote.free:
            yield b": x-2389-cost %s\n\n" % money.dollars(self._entry.charged_nano).encode()
        yield b"data: [DONE]\n\n"

    async def aclose(self) -> None:
        """Stop the provider if it is still talking, and settle. Safe to call twice."""
        await self._events.aclose()
        self._entry.status = self._entry.status or HUNG_UP
        await self._settle()

    async def _relay(self) -> AsyncGenerator[bytes]:
        parser = Parser()
        async with aclosing(self._served.answer) as answer:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    payloads, error = self._translate(parser.feed(chunk))
                    if payloads:
                        yield _frames(payloads)
                    if error:
                        raise error
                    if self._translator.done:
                        await _read_on(chunks)
                        break
            payloads, error = self._translate(parser.end())
            if not error:
                payloads += self._translator.end()
            if payloads:
                yield _frames(payloads)
            if error:
                raise error

    def _translate(self, events: list[Event]) -> tuple[list[bytes], errors.ApiError | None]:
        """What the caller gets for these events; what came before an error is delivered before the error is."""
        payloads: list[bytes] = []
        for event in events:
            try:
                payloads += self._translator.feed(event)
            except errors.ApiError as error:
                return payloads, error
            except MALFORMED as error:
                return payloads, unreadable(self._served, error)
        return payloads, None

    async def _settle(self) -> None:
        entry, translator = self._entry, self._translator
        entry.finish_reason = translator.finish_reason
        if not entry.settled:
            entry.usage, entry.usage_source = _streamed_usage(translator, complete=self._complete)
            entry.rule = self._rule()
        await self._ledger.settle(entry)

    def _rule(self) -> Rule:
        """What is produced is paid for. A provider that failed before it produced anything is not paid by the caller;
        a caller who hung up before that has asked all the same."""
        if self._complete:
            return Rule.COMPLETE
        return Rule.STOPPED if self._translator.produced or self._entry.status == HUNG_UP else Rule.FAILED


async def _read_on(chunks: AsyncGenerator[bytes]) -> None:
    """To the end of the body, so that the connection can be used again. Some servers keep it open, or break it: that
    changes nothing in an answer that is complete, and nobody waits for it."""
    with suppress(TimeoutError, errors.ApiError):
        async with asyncio.timeout(AFTER_THE_LAST_EVENT_SECONDS):
            async for _ in chunks:
                continue


def unreadable(served: Served, error: Exception) -> errors.ApiError:
    """JSON in which a list stands where an object should. The trace is kept, in case the mistake is ours."""
    where = served.call.target.provider
    log.warning("%s sent an answer that has not the shape of one", where, exc_info=error)
    return errors.upstream_unavailable(f"{where} sent an answer that cannot be read: {type(error).__name__}")


def note_error(entry: LedgerEntry, error: errors.ApiError) -> None:
    entry.status, entry.error_code = error.status, error.code or error.type


def _frames(payloads: list[bytes]) -> bytes:
    return b"data: " + b"\n\ndata: ".join(payloads) + b"\n\n"


def _streamed_usage(stream: ChunkStream, *, complete: bool) -> tuple[Usage, UsageSource]:
    """The provider's counts when the stream came to its end; otherwise ours, for what was produced until then."""
    if complete and stream.usage is not None:
        return stream.usage, UsageSource.PROVIDER
    if stream.usage is None:
        return stream.counted(), UsageSource.COUNTED
    produced = stream.counted_output()
    if produced <= stream.usage.completion_tokens:
        return stream.usage, UsageSource.COUNTED
    return replace(stream.usage, output=produced, reasoning=0, audio_output=0, image_output=0), UsageSource.COUNTED


def _ids(entry: LedgerEntry) -> dict[str, str]:
    return {"request_id": str(entry.request_id), "external_id": entry.external_id}
