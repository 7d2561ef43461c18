"""Azure OpenAI: OpenAI's models at an address of one's own, where the model is the name of a deployment."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from gateway.providers.base import Call, ChatCall, Target
from gateway.providers.openai import OpenAI, OpenAIStream
from gateway.translation.openai_errors import Told


class AzureStream(OpenAIStream):
    """A filter that runs beside the model reports in chunks of its own, which have no delta and no identity."""

    def repair(self, chunk: dict[str, Any]) -> None:
        if not chunk.get("id") and self._head:
            chunk |= {**self._head, "object": "chat.completion.chunk"}
        for choice in chunk.get("choices") or ():
            if choice.get("delta") is None:
                choice["delta"] = {}


class AzureOpenAI(OpenAI):
    kind: ClassVar[str] = "azure_openai"
    label: ClassVar[str] = "Azure OpenAI"
    default_base_url: ClassVar[str] = ""
    needs_base_url: ClassVar[bool] = True

    def url(self, target: Target, path: str) -> str:
        """`base_url` is the resource's address or that of its v1 API. The API of dated versions is asked when the
        option `api_version` has a date; other versions are told to the v1 API."""
        base, version = target.base_url.rstrip("/"), str(target.options.get("api_version") or "")
        root = base.removesuffix("/v1").removesuffix("/openai")
        query = f"?{urlencode({'api-version': version})}" if version else ""
        if version[:1].isdigit():
            return f"{root}/openai/deployments/{quote(target.upstream_model, safe='')}{path}{query}"
        return f"{root}/openai/v1{path}{query}"

    def credentials(self, credential: str) -> dict[str, str]:
        return {"api-key": credential}

    def stream(self, call: ChatCall) -> AzureStream:
        return AzureStream(call, self)

    def is_gone(self, call: Call, said: Told) -> bool:
        """A deployment is the operator's: that there is none says nothing about the model."""
        return False

    def meaning(self, status: int, said: Told) -> int:
        if status == 404 and said.code in {None, "DeploymentNotFound", "ResourceNotFound"}:
            return 403  # our account has no such deployment
        return super().meaning(status, said)
