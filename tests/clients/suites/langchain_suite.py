"""LangChain's standard integration tests for chat models, with `ChatOpenAI` pointed at the gateway."""

from __future__ import annotations

import base64
import os
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite fetches its pictures and documents; here they are at hand. The model never looks at them."""

    def get(url: str, **_: Any) -> httpx.Response:
        return httpx.Response(200, content=PDF if url.endswith(".pdf") else PNG)

    monkeypatch.setattr(httpx, "get", get)


class TestChatModel(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["GATEWAY_MODEL"],
            "base_url": os.environ["GATEWAY_URL"],
            "api_key": os.environ["GATEWAY_KEY"],
            "use_responses_api": False,
            "stream_usage": True,
        }

    @property
    def model_override_value(self) -> str:
        return "sandbox/echo"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        return {"invoke": ["reasoning_output", "cache_read_input"], "stream": ["reasoning_output", "cache_read_input"]}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._asked(stream=stream, reasoning_effort="medium", max_tokens=4000)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._asked(stream=stream)

    def _asked(self, *, stream: bool, **params: Any) -> AIMessage:
        model = self.chat_model_class(**{**self.chat_model_params, **params})
        if not stream:
            return model.invoke("Hello")
        first, *rest = model.stream("Hello")
        for chunk in rest:
            first += chunk
        return first
