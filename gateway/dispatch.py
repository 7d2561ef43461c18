"""The one place where a request can be read whole: who serves it, the call, the answer, the record."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.conf import settings

from accounts.directory import Principal
from billing import money
from billing.entries import Entry as LedgerEntry
from billing.entries import Rule
from billing.ledger import Ledger
from billing.usage import Usage, UsageSource
from gateway import errors, tokens
from gateway.payment import Cashier
from gateway.providers import providers
from gateway.providers.base import Answer, ChatCall, ChunkStream, Completion, Egress, Provider, Target
from gateway.registry import Entry, Registry, Snapshot, today
from gateway.sse import Event, Parser

log = logging.getLogger(__name__)

HUNG_UP = 499
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)  # what a translator meets in a misshapen answer
NEXT_ROUTE = frozenset({429, 500, 502, 503, 504})  # failures of one route that say nothing about the next


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A validated request of an admitted caller."""

    body: Mapping[str, Any]
    principal: Principal
    entry: LedgerEntry

    @property
    def policy(self) -> str:
        """What this caller wants done about retired models: follow or refuse."""
        return self.principal.retired_models or str(settings.GATEWAY_RETIRED_MODELS)


@dataclass(frozen=True, slots=True)
class Served:
    """A call that a provider has accepted: its status was 200. The answer is still to be read, and to be closed."""

    call: ChatCall
    provider: Provider
    answer: Answer

    def headers(self, ledger: LedgerEntry) -> dict[str, str]:
        """Who answered, when that is not the model that was asked for, and the limit that its money sets."""
        served, requested = self.call.target.model, ledger.model_requested
        told = {} if ledger.max_tokens is None else {"x-2389-max-tokens": str(ledger.max_tokens)}
        if served != requested:
            told |= {"x-2389-model-requested": requested, "x-2389-model-served": served}
        return told


class Dispatch:
    """Carries chat requests out. One for an event loop."""

    def __init__(self, *, registry: Registry, ledger: Ledger, cashier: Cashier, egress: Egress) -> None:
        self._registry = registry
        self._cashier = cashier
        self._ledger = ledger
        self._egress = egress

    async def complete(self, request: ChatRequest) -> tuple[bytes, dict[str, str]]:
        """The whole answer as JSON, and the headers that go with it. Settled before it returns."""
        entry = request.entry
        try:
            served = await self._serve(request)
            async with aclosing(served.answer):
                completion, content = _completion(served, await served.answer.read(), entry)
        except asyncio.CancelledError:
            _note_hang_up(entry, request.body)
            raise
        except errors.ApiError as error:
            _note_error(entry, error)
            raise
        else:
            entry.finish_reason = completion.finish_reason
            entry.mark_first_token()
            entry.status, entry.rule = 200, Rule.COMPLETE  # last: whatever fails before it failed in the row too
            return content, {**served.headers(entry), "x-2389-cost": money.dollars(entry.charged_nano)}
        finally:
            if not entry.status:  # something of ours broke, and the edge says so
                _note_error(entry, errors.internal())
            await self._ledger.settle(entry)

    async def stream(self, request: ChatRequest) -> ChatStream:
        """The answer as a stream whose first event is already here. Close it, always: that settles it."""
        try:
            served = await self._serve(request)
            return await ChatStream.begin(served, request.entry, self._ledger)
        except asyncio.CancelledError:
            _note_hang_up(request.entry, request.body)
            raise
        except errors.ApiError as error:
            _note_error(request.entry, error)
            raise
        finally:
            if request.entry.first_token is None:  # it ended before it began
                if not request.entry.status:
                    _note_error(request.entry, errors.internal())
                await self._ledger.settle(request.entry)

    async def _serve(self, request: ChatRequest) -> Served:
        """The first route that accepts the call, of the model asked for or of the successor that answers for it."""
        snapshot = await self._registry.current()
        asked = snapshot.find(request.body["model"], request.principal)
        if asked.capabilities.get("chat") is False:
            raise errors.invalid(f"'{asked.id}' is not a chat model: it does not answer messages.", param="model")
        entry = snapshot.serving(asked, policy=request.policy, today=today())
        tried = {entry.id}
        while True:
            if not entry.targets:
                raise _unserved(entry, asked=request.body["model"])
            limit = await self._cashier.admit(request.body, entry, request.entry)
            try:
                return await self._try_routes(request, entry, limit)
            except errors.ModelGoneError:
                successor = await self._successor_of(entry, snapshot, request)
                if successor is None or successor.id in tried:
                    raise
                tried.add(successor.id)
                entry = successor
                await self._cashier.release(request.entry)

    async def _successor_of(self, gone: Entry, snapshot: Snapshot, request: ChatRequest) -> Entry | None:
        """The vendor just said that `gone` is gone: remember it, and say who is next."""
        following = snapshot.models.get(gone.successor or "")
        if following is None:
            log.error("the vendor does not know %s, which has no successor", gone.id)
            return None
        await self._registry.mark_gone(gone.id)
        if request.policy == "refuse":
            raise errors.model_not_found(
                f"The model '{gone.id}' was shut down by its vendor. Use its successor '{following.id}'."
            )
        return snapshot.serving(following, policy=request.policy, today=today())

    async def _try_routes(self, request: ChatRequest, entry: Entry, limit: int | None) -> Served:
        for target in entry.targets[:-1]:
            try:
                return await self._call(request, target, limit)
            except errors.ApiError as error:
                if error.status not in NEXT_ROUTE:
                    raise
                log.warning("%s failed, trying the next route of %s: %s", target.provider, entry.id, error.hint)
        return await self._call(request, entry.targets[-1], limit)

    async def _call(self, request: ChatRequest, target: Target, limit: int | None) -> Served:
        """One call over one route, noted. Raises `ApiError` for every answer that is not a 200."""
        ledger, begun, status, code = request.entry, time.monotonic(), 0, "cancelled"
        try:
            served = await self._send(request, target, limit)
        except errors.ApiError as error:
            status, code = error.status, error.code or error.type
            raise
        else:
            status, code = 200, ""
            return served
        finally:
            ledger.attempts.append(
                {
                    "provider": target.provider,
                    "upstream_model": target.upstream_model,
                    "status": status,
                    "error_code": code,
                    "ms": round((time.monotonic() - begun) * 1000),
                }
            )

    async def _send(self, request: ChatRequest, target: Target, limit: int | None) -> Served:
        provider = providers()[target.kind]
        ledger = request.entry
        ledger.model, ledger.provider, ledger.upstream_model = target.model, target.provider, target.upstream_model
        call = ChatCall(
            body=_with_system_prompt(request.body, target.default_system_prompt),
            target=target,
            request_id=str(ledger.request_id),
            created=int(time.time()),
            organization_id=ledger.organization_id,
            output_limit=limit,
        )
        ledger.rule = Rule.FAILED  # until there is something to bill
        answer = await provider.send(call, self._egress)
        if answer.status == 200:
            return Served(call, provider, answer)
        async with aclosing(answer):
            raise provider.error(call, answer.status, answer.headers, await answer.read())


class ChatStream:
    """Server-sent events for the caller. Read its `events`, then `aclose`: settled once, whichever way it ended."""

    def __init__(self, served: Served, entry: LedgerEntry, ledger: Ledger) -> None:
        self.headers = served.headers(entry)
        self._served = served
        self._entry = entry
        self._ledger = ledger
        self._translator: ChunkStream = served.provider.stream(served.call)
        self._complete = False
        self._events = self._relay()
        self._first = b""

    @classmethod
    async def begin(cls, served: Served, entry: LedgerEntry, ledger: Ledger) -> ChatStream:
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
            _note_error(self._entry, error)
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
                return payloads, _unreadable(self._served, error)
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


def _completion(served: Served, body: bytes, entry: LedgerEntry) -> tuple[Completion, bytes]:
    """The answer and its JSON, its usage noted."""
    try:
        completion = served.provider.response(served.call, body)
        entry.usage, entry.usage_source = _usage_of(served.call, completion.usage, completion.body)
        return completion, orjson.dumps(completion.body)
    except MALFORMED as error:
        raise _unreadable(served, error) from error


def _unreadable(served: Served, error: Exception) -> errors.ApiError:
    """JSON in which a list stands where an object should. The trace is kept, in case the mistake is ours."""
    where = served.call.target.provider
    log.warning("%s sent an answer that has not the shape of one", where, exc_info=error)
    return errors.upstream_unavailable(f"{where} sent an answer that cannot be read: {type(error).__name__}")


def _frames(payloads: list[bytes]) -> bytes:
    return b"data: " + b"\n\ndata: ".join(payloads) + b"\n\n"


def _with_system_prompt(body: Mapping[str, Any], prompt: str) -> Mapping[str, Any]:
    """The model's own system prompt, for callers who send none."""
    if not prompt or any(message["role"] in {"system", "developer"} for message in body["messages"]):
        return body
    return {**body, "messages": [{"role": "system", "content": prompt}, *body["messages"]]}


def _usage_of(call: ChatCall, usage: Usage | None, body: dict[str, Any]) -> tuple[Usage, UsageSource]:
    if usage is not None:
        return usage, UsageSource.PROVIDER
    said = "".join(tokens.text_of(choice["message"].get("content")) for choice in body["choices"])
    counted = Usage(input=tokens.count_messages(call.body["messages"]), output=tokens.count(said))
    return counted, UsageSource.COUNTED


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


def _unserved(entry: Entry, *, asked: str) -> errors.ApiError:
    which = f"'{entry.id}'" if entry.id == asked else f"'{entry.id}', which answers for the retired '{asked}',"
    missing = ", ".join(entry.missing_credentials)
    hint = f"set the credential of {missing}" if missing else "no enabled route leads to an enabled provider"
    return errors.ApiError(
        503,
        f"The model {which} is not set up here. Ask the operator of this gateway, or use another model.",
        type=errors.SERVER,
        code="provider_not_configured",
        headers={"x-should-retry": "false"},  # a client library that waits and tries again only keeps people waiting
        hint=f"{entry.id} cannot be served: {hint}",
    )


def _note_hang_up(entry: LedgerEntry, body: Mapping[str, Any]) -> None:
    """The caller went before there was an answer. What was sent to the provider was asked for: the prompt is paid."""
    entry.status = HUNG_UP
    if entry.rule is Rule.FAILED:
        entry.rule, entry.usage_source = Rule.STOPPED, UsageSource.COUNTED
        entry.usage = Usage(input=tokens.count_messages(body["messages"]))


def _note_error(entry: LedgerEntry, error: errors.ApiError) -> None:
    entry.status, entry.error_code = error.status, error.code or error.type


def _ids(entry: LedgerEntry) -> dict[str, str]:
    return {"request_id": str(entry.request_id), "external_id": entry.external_id}
