"""LangChain's standard integration tests for embeddings, with `OpenAIEmbeddings` pointed at the gateway."""

from __future__ import annotations

import os
from typing import Any

from langchain_openai import OpenAIEmbeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[OpenAIEmbeddings]:
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["GATEWAY_MODEL"],
            "base_url": os.environ["GATEWAY_URL"],
            "api_key": os.environ["GATEWAY_KEY"],
            "check_embedding_ctx_length": False,  # it would fetch a tokenizer, and send tokens instead of text
        }
