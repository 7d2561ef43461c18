"""Embeddings and completions of text at each vendor: the same place, the same credential, the same refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.base import Dialect, EmbeddingsCall, Outbound, PromptCall
from tests.gateway import streams

CALLS = {"embeddings": EmbeddingsCall, "completions": PromptCall}


def dialect(kind: str, operation: str) -> Dialect[Any]:
    found = providers()[kind].dialect(operation)
    assert found is not None
    return found


def outbound(kind: str, operation: str, body: dict[str, Any], **target: Any) -> Outbound:
    where = streams.call({"messages": []}, **target).target
    call = CALLS[operation](body, where, request_id="0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000", created=1)
    return dialect(kind, operation).request(call)


def test_azure_has_a_deployment_for_them_too() -> None:
    address, options = "https://r.openai.azure.com", {"api_version": "2024-10-21"}
    dated = outbound("azure_openai", "embeddings", {"input": "a"}, base_url=address, options=options)
    assert dated.url == f"{address}/openai/deployments/upstream-model/embeddings?api-version=2024-10-21"
    assert dated.headers["api-key"] == "upstream-secret"
    newer = outbound("azure_openai", "completions", {"prompt": "a"}, base_url=address)
    assert newer.url == f"{address}/openai/v1/completions"


def test_what_a_vendor_refuses_it_refuses_everywhere() -> None:
    body = {"input": "a", "user": "u"}
    assert "user" not in json.loads(outbound("mistral", "embeddings", body).body)
    assert json.loads(outbound("openai", "embeddings", body).body) == {**body, "model": "upstream-model"}


@pytest.mark.parametrize("asked", [None, {"include_usage": True}])
def test_stream_options_are_not_sent_to_a_server_that_refuses_them(asked: dict[str, Any] | None) -> None:
    body = {"prompt": "a", "stream": True, "stream_options": asked}
    told = json.loads(outbound("vllm", "completions", body, options={"stream_options": False}).body)
    assert "stream_options" not in told
    assert json.loads(outbound("vllm", "completions", body).body)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("kind", "all_of_them"),
    [
        *((kind, True) for kind in ("openai_compatible", "ollama", "vllm", "llamacpp", "together", "openrouter")),
        *((kind, False) for kind in ("openai", "azure_openai", "groq", "mistral", "deepseek", "xai")),
    ],
)
def test_texts_are_gone_on_with_by_all_models_of_servers_of_open_ones(kind: str, all_of_them: bool) -> None:
    assert dialect(kind, "completions").assumed is all_of_them
