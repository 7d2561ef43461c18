"""Azure: where its deployments are, and what it adds to OpenAI's answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ModelGoneError
from gateway.providers.azure_openai import AzureOpenAI
from tests.gateway import streams

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
RESOURCE = "https://r.openai.azure.com"
FILTER = {"hate": {"filtered": False, "severity": "safe"}}


@pytest.mark.parametrize(
    ("base_url", "version", "url"),
    [
        (RESOURCE, None, f"{RESOURCE}/openai/v1/chat/completions"),
        (f"{RESOURCE}/", None, f"{RESOURCE}/openai/v1/chat/completions"),
        (f"{RESOURCE}/openai/v1", None, f"{RESOURCE}/openai/v1/chat/completions"),
        (f"{RESOURCE}/openai/v1/", "preview", f"{RESOURCE}/openai/v1/chat/completions?api-version=preview"),
        (RESOURCE, "2024-10-21", f"{RESOURCE}/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21"),
        (
            f"{RESOURCE}/openai/v1",
            "2024-10-21",
            f"{RESOURCE}/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_the_deployment_is_reached_at_either_api(base_url: str, version: str | None, url: str) -> None:
    options = {} if version is None else {"api_version": version}
    outbound = AzureOpenAI().request(streams.call(ASK, base_url=base_url, upstream_model="gpt 4o", options=options))
    assert outbound.url == url
    assert outbound.headers["api-key"] == "upstream-secret"
    assert "authorization" not in outbound.headers
    assert json.loads(outbound.body)["model"] == "gpt 4o"


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def content(text: str, finish: str | None = None, **first: str) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "gpt-4o-2024-11-20"}
    delta = {**first, "content": text} if finish is None else {}
    return event(
        **head, choices=[{"index": 0, "delta": delta, "finish_reason": finish, "content_filter_results": FILTER}]
    )


EMPTY = {"id": "", "object": "", "created": 0, "model": ""}
BODY = b"".join(
    [
        event(**EMPTY, choices=[], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": FILTER}]),
        content("Hello ", role="assistant"),
        event(**EMPTY, choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 6}}]),
        content("there"),
        content("", "stop"),
        event(**EMPTY, choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 11}}]),
        event(**EMPTY, choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        b"data: [DONE]\n\n",
    ]
)


@pytest.mark.parametrize("usage", [True, False])
def test_what_the_filters_say_comes_in_chunks_that_every_library_can_read(usage: bool) -> None:
    outcome = streams.run(AzureOpenAI(), streams.call({**ASK, "stream": True}, usage=usage), [BODY])
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)
    assert streams.text(outcome.chunks) == "Hello there"
    assert {chunk["id"] for chunk in outcome.chunks} == {"chatcmpl-1"}
    assert {chunk["created"] for chunk in outcome.chunks} == {5}
    assert outcome.chunks[0]["choices"][0]["content_filter_results"] == FILTER
    assert outcome.chunks[1]["choices"][0]["content_filter_offsets"] == {"end_offset": 6}


def test_what_was_found_of_the_prompt_is_told_once() -> None:
    outcome = streams.run(AzureOpenAI(), streams.call({**ASK, "stream": True}), [BODY])
    assert ["prompt_filter_results" in chunk for chunk in outcome.chunks] == [
        True,
        *[False] * (len(outcome.chunks) - 1),
    ]


def test_the_bytes_may_be_cut_anywhere() -> None:
    chat = streams.call({**ASK, "stream": True})
    whole = streams.run(AzureOpenAI(), chat, [BODY]).chunks
    for at in range(1, len(BODY)):
        assert streams.run(AzureOpenAI(), chat, [BODY[:at], BODY[at:]]).chunks == whole


def error(status: int, body: Any) -> Any:
    return AzureOpenAI().error(streams.call(ASK), status, {}, json.dumps(body).encode())


def test_a_prompt_that_the_filter_refuses_is_the_callers_and_says_why() -> None:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTER}
    said = {"message": "filtered", "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    refused = error(400, {"error": {**said, "innererror": inner}})
    assert refused.status == 400
    assert refused.to_dict()["error"] == {
        "message": "filtered",
        "type": "invalid_request_error",
        "param": "prompt",
        "code": "content_filter",
        "innererror": inner,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}},
        {"error": {"code": "404", "message": "Resource not found"}},
        {"error": {"code": "DeploymentNotFound", "message": "The model upstream-model has no deployment."}},
    ],
)
def test_a_missing_deployment_is_the_operators_and_retires_no_model(body: Any) -> None:
    refused = error(404, body)
    assert not isinstance(refused, ModelGoneError)
    assert (refused.status, refused.code) == (502, "upstream_permission_error")


def test_a_wrong_key_is_the_operators() -> None:
    refused = error(401, {"statusCode": 401, "message": "Unauthorized. Access token is missing."})
    assert (refused.status, refused.code) == (502, "upstream_authentication_error")
