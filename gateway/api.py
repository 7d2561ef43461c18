"""The OpenAI-compatible endpoints. Who may call, and how often, was decided before anything here runs."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import cached_property
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.security.base import AuthBase
from pydantic import BaseModel

from accounts.directory import Principal
from accounts.models import Scope
from billing.entries import Entry, Rule
from gateway import bodies, bounds, errors, prompt_schemas, schemas
from gateway.allowances import Allowance
from gateway.dispatch import Request
from gateway.idempotency import Kept, Recording, Replay, replayed
from gateway.operations import CHAT, COMPLETIONS, EMBEDDINGS, Operation
from gateway.receipts import receipt
from gateway.registry import today
from gateway.relay import Relay
from gateway.runtime import Runtime
from gateway.streams import Lease


def _body(schema: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


class ApiRequest(HttpRequest):
    """A request under /v1 on its way through the data plane: as much of Django's as its endpoints look at, and no
    headers translated that nobody asks for."""

    runtime: Runtime
    principal: Principal | None = None
    allowance: Allowance
    entry: Entry
    content: bytes = b""
    lease: Lease | None = None  # of its stream, given back when it was served
    outlives_its_caller: bool = False  # it goes on when the caller hangs up: a retry will want its answer
    idempotency_key: str | None = None

    def __init__(self, scope: bounds.Scope) -> None:
        self.scope = scope
        self.method = scope["method"]
        self.path = self.path_info = scope["path"]
        self.resolver_match = None

    @cached_property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # noqa: N802 - Django's name
        meta: dict[str, Any] = ASGIRequest(dict(self.scope), BytesIO()).META
        return meta


class Admitted(AuthBase):
    """Refuses whatever did not pass the edge's key check: an endpoint cannot be reached around it."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    async def __call__(self, request: HttpRequest) -> Principal:
        principal = getattr(request, "principal", None)
        if principal is None:
            raise errors.unauthorized("This request was not authenticated.")
        return principal  # type: ignore[no-any-return]


class Api(NinjaAPI):
    """Endpoints make their responses themselves: none is prepared for them."""

    _unused = HttpResponse()

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        return self._unused


api = Api(title="2389", version="1", auth=Admitted(), docs_url=None, openapi_url=None, urls_namespace="v1")


class EventStreamResponse(HttpResponseBase):
    """An answer that the edge relays event by event instead of reading it into memory."""

    streaming = True

    def __init__(self, stream: Relay | Recording | Replay) -> None:
        super().__init__(content_type="text/event-stream; charset=utf-8")
        self.stream = stream
        self.headers["cache-control"] = "no-cache"
        self.headers["x-accel-buffering"] = "no"
        for name, value in stream.headers.items():
            self.headers[name] = value


class WholeAnswer(HttpResponse):
    """An answer that the edge writes as it is. What Django makes for each response besides, such as a place for
    cookies, takes longer than the writing."""

    def __init__(self, content: bytes, headers: dict[str, str]) -> None:
        self.status_code = 200
        self._container = [content]
        self.told = {"content-type": "application/json", **headers}


@api.get("/models", operation_id="list_models", summary="List models")
async def list_models(request: ApiRequest) -> HttpResponse:
    snapshot = await request.runtime.registry.current()
    date = today()
    return _json({"object": "list", "data": [entry.to_openai(date) for entry in snapshot.visible_to(_caller(request))]})


@api.get("/models/{path:model}", operation_id="retrieve_model", summary="Retrieve a model")
async def retrieve_model(request: ApiRequest, model: str) -> HttpResponse:
    snapshot = await request.runtime.registry.current()
    return _json(snapshot.find(model, _caller(request)).to_openai(today()))


@api.post(
    "/chat/completions",
    operation_id="create_chat_completion",
    summary="Create a chat completion",
    openapi_extra=_body(schemas.ChatCompletionRequest),
)
async def create_chat_completion(request: ApiRequest) -> HttpResponseBase:
    return await _carry_out(CHAT, request)


@api.post(
    "/completions",
    operation_id="create_completion",
    summary="Create a completion of a text",
    openapi_extra=_body(prompt_schemas.CompletionRequest),
)
async def create_completion(request: ApiRequest) -> HttpResponseBase:
    return await _carry_out(COMPLETIONS, request)


@api.post(
    "/embeddings",
    operation_id="create_embeddings",
    summary="Create embeddings",
    openapi_extra=_body(prompt_schemas.EmbeddingsRequest),
)
async def create_embeddings(request: ApiRequest) -> HttpResponseBase:
    return await _carry_out(EMBEDDINGS, request)


async def _carry_out(operation: Operation, request: ApiRequest) -> HttpResponseBase:
    _check_scope(_caller(request), operation.scope)
    body = await _checked_body(operation, request)
    allowance = request.allowance if request.allowance.counts_tokens else None
    asked = Request(operation, body, _caller(request), request.entry, allowance)
    if asked.principal.keeps_prompts:
        return await request.runtime.keeping.around(asked, len(request.content), _answer(request, asked))
    return await _answer(request, asked)


async def _answer(request: ApiRequest, asked: Request) -> HttpResponseBase:
    key = request.idempotency_key
    if key is None:
        request.content = b""  # it may be large, and all of it is in the body that was read
        return await _run(request.runtime, asked)
    return await _run_once(request, asked, key)


async def _run(runtime: Runtime, asked: Request) -> HttpResponseBase:
    if asked.body.get("stream"):
        return EventStreamResponse(await runtime.dispatch.stream(asked))
    return WholeAnswer(*await runtime.dispatch.complete(asked))


async def _run_once(request: ApiRequest, asked: Request, key: str) -> HttpResponseBase:
    """The answer that the key has already, or a run whose answer it will have."""
    runtime, entry = request.runtime, request.entry
    try:
        found = await runtime.idempotency.claim(key, asked, request.content)
    except errors.ApiError as error:
        await _refuse(runtime, entry, error)
        raise
    if isinstance(found, Kept):
        entry.status, entry.rule = 200, Rule.REPLAYED
        await runtime.ledger.settle(entry)
        return _again(found, streamed=bool(asked.body.get("stream")))
    request.outlives_its_caller = True
    try:
        if asked.body.get("stream"):
            return EventStreamResponse(Recording(await runtime.dispatch.stream(asked), found, entry))
        content, headers = await runtime.dispatch.complete(asked)
        await found.keep(headers, content)
        return WholeAnswer(content, headers)
    except BaseException:
        await asyncio.shield(found.drop())
        raise


def _again(kept: Kept, *, streamed: bool) -> HttpResponseBase:
    if streamed:
        return EventStreamResponse(Replay(kept))
    return WholeAnswer(kept.body, {**kept.headers, **replayed(kept)})


@api.get("/generations/{request_id}", operation_id="retrieve_generation", summary="Retrieve the receipt of a request")
async def retrieve_generation(request: ApiRequest, request_id: str) -> HttpResponse:
    return _json(await receipt(request.runtime.pool, _caller(request), request_id))


def _check_scope(principal: Principal, scope: Scope) -> None:
    """Raises `ApiError` (403) for a key that was not issued for this."""
    if not principal.may(scope.value):
        raise errors.insufficient_scope(scope.value)


async def _checked_body(operation: Operation, request: ApiRequest) -> dict[str, Any]:
    """The body, checked. A request that is refused here has its row all the same."""
    entry = request.entry
    try:
        body = await bodies.read_object(request.content)
        entry.model_requested, entry.stream = str(body.get("model", ""))[:120], body.get("stream") is True
        await bodies.aside(len(request.content), operation.check, body)
        if entry.stream:
            request.lease = await request.runtime.streams.open(_caller(request))
    except errors.ApiError as error:
        await _refuse(request.runtime, entry, error)
        raise
    return body


async def _refuse(runtime: Runtime, entry: Entry, error: errors.ApiError) -> None:
    entry.status, entry.error_code = error.status, error.code or ""
    await runtime.ledger.settle(entry)


@api.exception_handler(errors.ApiError)
def _api_error(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    raise error  # the edge writes every error, so that all look the same


@api.exception_handler(HttpError)
def _ninja_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    raise errors.ApiError(error.status_code, str(error), type=errors.INVALID, code=errors.INVALID)


def _caller(request: ApiRequest) -> Principal:
    if request.principal is None:
        raise errors.unauthorized("This request was not authenticated.")
    return request.principal


def _json(payload: object) -> HttpResponse:
    return HttpResponse(orjson.dumps(payload), content_type="application/json")
