"""The document: valid, complete, in step with the code that it describes, and served to everybody."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pytest
from django.conf import settings
from django.urls import URLPattern, reverse
from pydantic import BaseModel

from accounts.models import Scope
from billing import api_urls
from config.asgi import Application
from gateway import buckets, limits, payment, prompt_schemas, schemas
from gateway.openapi import answers, completions, examples, headers, refusals, words
from gateway.openapi.control_plane import CONTROL_PLANE
from gateway.openapi.data_plane import DATA_PLANE
from gateway.openapi.document import VERSION, document
from gateway.routes import routes
from gateway.sse import DONE, Parser

ROOT = Path(settings.BASE_DIR)
DESCRIBED = [*DATA_PLANE.values(), *(endpoint.described for endpoint in CONTROL_PLANE)]
REQUESTS: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": schemas.ChatCompletionRequest,
    "/v1/completions": prompt_schemas.CompletionRequest,
    "/v1/embeddings": prompt_schemas.EmbeddingsRequest,
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    openapi_spec_validator.validate(document(), cls=openapi_spec_validator.OpenAPIV31SpecValidator)
    assert document()["info"]["version"] == VERSION == _project()["version"]


def _project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


# -- it has what there is ----------------------------------------------------------------------------


def test_every_route_is_in_it_and_everything_in_it_is_routed() -> None:
    data = {(route.path, route.method.lower()) for route in routes()}
    management = {(reverse(f"organization-api:{pattern.name}"), "get") for pattern in api_urls.urlpatterns}
    public = {(reverse("signing-keys"), "get"), ("/v1/openapi.json", "get")}
    assert all(isinstance(pattern, URLPattern) for pattern in api_urls.urlpatterns)
    assert {(path, method) for path, method, _ in operations()} == data | management | public
    assert {route.operation_id for route in routes()} == set(DATA_PLANE)


def test_operations_are_told_apart() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert {operation["tags"][0] for _, _, operation in operations()} == {tag["name"] for tag in document()["tags"]}


@pytest.mark.parametrize("path", REQUESTS)
def test_a_request_is_described_by_the_model_that_checks_it(path: str) -> None:
    body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": f"#/components/schemas/{REQUESTS[path].__name__}"}
    told = document()["components"]["schemas"][REQUESTS[path].__name__]
    assert set(told["properties"]) == set(REQUESTS[path].model_fields)
    needed = {name for name, one in REQUESTS[path].model_fields.items() if one.is_required()}
    assert set(told["required"]) == needed


def test_every_field_of_a_request_is_explained_and_nothing_else_is() -> None:
    found: dict[str, set[str]] = {}
    for model in REQUESTS.values():
        parts = {**model.model_json_schema().get("$defs", {}), model.__name__: model.model_json_schema()}
        found |= {name: set(part.get("properties", {})) for name, part in parts.items()}
    assert {name: set(fields) for name, fields in words.FIELDS.items()} == found
    assert set(words.SCHEMAS) <= set(document()["components"]["schemas"])


def test_every_parameter_and_every_header_is_explained() -> None:
    for path, _, operation in operations():
        assert operation["summary"], path
        assert operation["description"], path
        assert all(parameter["description"] for parameter in operation.get("parameters", ())), path
    assert all(one["description"] for one in document()["components"]["headers"].values())


# -- it is in step with the code ---------------------------------------------------------------------


def test_every_code_of_the_documentation_of_errors_is_in_it() -> None:
    text = str(document()["components"]["responses"])
    known = {code for cause in refusals.causes() for code in cause.codes}
    unasked = {"method_not_allowed", "unknown_url"}  # what is asked as the document says never meets these
    assert len(known) > 20
    assert {code for code in known if f"`{code}`" not in text} == unasked


@pytest.mark.parametrize("described", DESCRIBED)
def test_a_code_that_is_named_for_a_status_is_one_of_it(described: Any) -> None:
    for status, codes in described.refusals.items():
        known = {code for cause in refusals.causes() if cause.status == status for code in cause.codes}
        assert known, status
        assert set(codes) <= known


def test_the_headers_of_limits_are_those_that_are_sent() -> None:
    verdict = limits.Verdict(allowed=True, limit=1, remaining=1, reset_ms=1, now_ms=1, degraded=True)
    assert {*headers.LIMITS, "x-ratelimit-policy"} == set(verdict.headers())


def test_the_headers_of_tokens_are_those_that_are_sent() -> None:
    assert set(headers.TOKENS) == set(buckets.Level(limit=1, missing=0, now_ms=1).headers())


def test_whose_limit_it_can_be_is_told() -> None:
    assert {scope.value for scope in answers.Scope} == set(payment.SCOPES)


def test_every_answer_to_a_valid_key_has_its_limits() -> None:
    responses = document()["components"]["responses"]
    for path, _, operation in operations():
        for status, given in operation["responses"].items():
            response = responses[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
            if operation.get("security") != [] and status != "401":
                assert set(headers.LIMITS) <= set(response["headers"]), (path, status)


def test_a_scope_that_is_needed_is_one_that_there_is() -> None:
    needed = re.findall(r"Needs the scope `(\w+)`", str(document()["paths"]))
    assert set(needed) == {Scope.CHAT, Scope.EMBEDDINGS, Scope.USAGE}


# -- its examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REQUESTS)
def test_the_examples_of_requests_are_taken(path: str) -> None:
    content = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]
    for example in content["examples"].values():
        REQUESTS[path].model_validate(example["value"])


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (answers.ModelList, examples.MODELS),
        (answers.Error, examples.ERROR),
        (answers.QuotaError, examples.QUOTA_ERROR),
        (answers.EndedGeneration, examples.RECEIPT),
        (answers.UsagePage, examples.USAGE),
        (answers.CostPage, examples.COSTS),
        (answers.SigningKeys, examples.SIGNING_KEYS),
        (completions.ChatCompletion, examples.CHAT_ANSWER),
        (completions.Completion, examples.COMPLETION_ANSWER),
        (completions.EmbeddingList, examples.EMBEDDINGS_ANSWER),
    ],
)
def test_the_examples_of_answers_have_the_shape_that_they_are_examples_of(
    model: type[BaseModel], example: dict[str, Any]
) -> None:
    model.model_validate(example, extra="forbid")


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (completions.ChatCompletionChunk, examples.CHAT_STREAM),
        (completions.Completion, examples.COMPLETION_STREAM),
    ],
)
def test_the_examples_of_streams_are_streams(model: type[BaseModel], example: str) -> None:
    *events, last = Parser().feed(example.encode())
    assert last.data == DONE
    assert events
    for event in events:
        model.model_validate_json(event.data, extra="forbid")


# -- how it is served --------------------------------------------------------------------------------


@pytest.fixture
async def anybody() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key."""
    transport = httpx.ASGITransport(app=Application(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


PATH = "/v1/openapi.json"


async def test_it_is_served_to_anybody_from_anywhere(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == document()


async def test_it_names_the_address_that_callers_use(anybody: httpx.AsyncClient, settings: Any) -> None:
    settings.PUBLIC_URL = "https://llm.example.com"
    assert (await anybody.get(PATH)).json()["servers"] == [{"url": "https://llm.example.com"}]


async def test_a_copy_that_is_fresh_is_not_sent_again(anybody: httpx.AsyncClient) -> None:
    first = await anybody.get(PATH)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=300"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await anybody.get(PATH, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    for stale in ('"other"', etag.strip('"'), ""):
        assert (await anybody.get(PATH, headers={"if-none-match": stale})).status_code == 200


async def test_another_address_makes_another_version(anybody: httpx.AsyncClient, settings: Any) -> None:
    first = (await anybody.get(PATH)).headers["etag"]
    settings.PUBLIC_URL = "https://llm.example.com"
    assert (await anybody.get(PATH)).headers["etag"] != first


async def test_its_head_is_that_of_the_document(anybody: httpx.AsyncClient) -> None:
    whole, head = await anybody.get(PATH), await anybody.head(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)
    assert head.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_takes_no_other_method(anybody: httpx.AsyncClient, method: str) -> None:
    answer = await anybody.request(method, PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("plane", ["both", "data", "control"])
async def test_every_process_serves_it_whichever_plane_it_has(settings: Any, plane: str) -> None:
    settings.GATEWAY_PLANE = plane
    transport = httpx.ASGITransport(app=Application())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get(PATH)).status_code == 200
